#!/usr/bin/env bash
# Writes tests/bench/sequential.md: how often decisions taken item by item are
# wrong and what they cost (1 minute of one core).
#
#   tests/bench/sequential.sh BUILD
set -euo pipefail
build=$(realpath -e "${1:?build folder}")
cd "$(dirname "$0")/../.."
cmake --build "$build" --target bench_sequential >&2
out=$(mktemp)
trap 'rm -f "$out"' EXIT
{
    echo "# Deciding item by item: errors and items"
    echo
    echo "$(date -u +%Y-%m-%d), \`tests/bench/sequential.sh BUILD\`, seed 1."
    "$build/tests/bench_sequential"
} >"$out"
cat "$out" >tests/bench/sequential.md
