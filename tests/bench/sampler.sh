#!/usr/bin/env bash
# Writes tests/bench/sampler.md: what the power sampler costs (80 seconds).
#
#   tests/bench/sampler.sh BUILD
set -euo pipefail
build=${1:?build folder}
cd "$(dirname "$0")/../.."
cmake --build "$build" --target bench_sampler >&2
out=$(mktemp)
trap 'rm -f "$out"' EXIT
{
    echo "# What the power sampler costs"
    echo
    echo "$(date -u +%Y-%m-%d), \`tests/bench/sampler.sh BUILD\`, $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)."
    echo "Processor time of the sampler's thread, files of recorded trees on disk in place of sysfs"
    echo "(an ina3221 on I2C or NVML waits some milliseconds a read, mostly without computing)."
    echo
    "$build/tests/bench_sampler" .
} >"$out"
cat "$out" >tests/bench/sampler.md
