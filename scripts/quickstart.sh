#!/usr/bin/env bash
# From a clean clone to a verdict: packages, build, collector, run, report.
#
#   scripts/quickstart.sh [--no-install] [--limit N] [--build DIR] [--out DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh

build=build
out=quickstart-out
limit=()
while [ $# -gt 0 ]; do
    case $1 in
    --no-install) EBS_INSTALL=0 ;;
    --limit) limit=(--limit "${2:?--limit wants a number}") && shift ;;
    --build) build=${2:?--build wants a folder} && shift ;;
    --out) out=${2:?--out wants a folder} && shift ;;
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) ebs_die "unknown option $1 (see --help)" ;;
    esac
    shift
done

ebs_packages
ebs_say "building edgebench in $build"
ebs_build "$build" -DEDGEBENCH_TESTS=OFF
mkdir -p "$out"
rm -f "$out/port" "$out/records.jsonl"

"$build/edgebench-collector" serve --db "$out/runs.sqlite" \
    --listen 127.0.0.1:0 --port-file "$out/port" 2>"$out/collector.log" &
collector=$!
trap 'kill "$collector" 2>/dev/null || true; wait "$collector" || true' EXIT
for _ in $(seq 100); do
    [ -s "$out/port" ] && break
    kill -0 "$collector" 2>/dev/null || ebs_die "$(tail -n 1 "$out/collector.log")"
    sleep 0.1
done
url=http://127.0.0.1:$(cat "$out/port")

ebs_say "running custsvc over the reference ladder, collector at $url"
status=0
"$build/edgebench" run --suite custsvc --full "${limit[@]}" --collector "$url" \
    --require-upload --out "$out/records.jsonl" || status=$?
# 3 and 4 are verdicts, not failures of the run.
case $status in 0 | 3 | 4) ;; *) exit "$status" ;; esac
"$build/edgebench" report --from "$out/records.jsonl" -f html \
    -o "$out/report.html"
ebs_say "report: $PWD/$out/report.html"
ebs_say "records: $out/records.jsonl, database: $out/runs.sqlite"
