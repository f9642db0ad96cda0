#!/usr/bin/env bash
# End to end on the two smallest rungs: collector, run, kill -9, report,
# spool. Asserts on what was really measured.
#
#   tests/e2e/run.sh BUILD
set -euo pipefail
build=$(cd "${1:?build folder}" && pwd)
src=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
export EDGEBENCH_SPOOL=$tmp/spool
collector=
cleanup() {
    [ -z "$collector" ] || kill "$collector" 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT

fail() {
    echo "e2e: $*" >&2
    exit 1
}
# shellcheck disable=SC2012
mapfile -t models < <(ls -Sr "$src"/workloads/models/ladder-*.gguf | head -n 2)
[ ${#models[@]} = 2 ] || fail "two ladder models are needed"

start() { # sets url
    rm -f "$tmp/port"
    "$build/edgebench-collector" serve --db "$tmp/runs.sqlite" \
        --listen 127.0.0.1:"${1:-0}" --port-file "$tmp/port" 2>"$tmp/log" &
    collector=$!
    until [ -s "$tmp/port" ]; do
        kill -0 "$collector" 2>/dev/null || fail "$(cat "$tmp/log")"
        sleep 0.05
    done
    url=http://127.0.0.1:$(cat "$tmp/port")
}
run() { # wanted exit codes, then options
    local want=$1 rc=0
    shift
    "$build/edgebench" run --suite custsvc --levels triage,act --threads 1 \
        --no-triad --quiet "$@" >"$tmp/out" 2>"$tmp/err" || rc=$?
    [[ " $want " == *" $rc "* ]] || fail "run: exit $rc, not one of $want: $(cat "$tmp/err")"
}
count() { # pattern file
    grep -oE "$1" "$2" | wc -l
}

start
run "3 4" --limit 2 --full -m "${models[0]}" -m "${models[1]}" --collector "$url" \
    --require-upload --out "$tmp/records.jsonl"
[ "$(wc -l <"$tmp/records.jsonl")" = 2 ] || fail "not two records"
# 2 pairs x 2 languages x 2 levels x 2 models
[ "$(count '"pair_id": ?"' "$tmp/records.jsonl")" = 16 ] || fail "not 16 items"
[ "$(count '"same_class": ?true' "$tmp/records.jsonl")" = 16 ] || fail "batching changed an answer"
[ "$(count '"gaps_ns": ?\[[0-9]' "$tmp/records.jsonl")" = 16 ] || fail "not 16 items played alone"
[ "$(count '"class": ?"harness_error"' "$tmp/records.jsonl")" = 0 ] || fail "harness errors"
[ "$(count '"test": ?"pp512","n_prompt' "$tmp/records.jsonl")" = 2 ] || fail "no pp512 samples"
grep -qE '"vm_hwm_bytes": ?[1-9][0-9]{6,}' "$tmp/records.jsonl" || fail "no memory peak"
grep -qE '"energy_j": ?null' "$tmp/records.jsonl" || fail "energy is not null"
grep -qE 'INSUFFICIENT|NOT SHOWN|SUFFICIENT' "$tmp/out" || fail "no verdicts"
[ -z "$("$build/edgebench" spool list | grep -E '[0-9a-f]{8}-' || true)" ] || fail "spool not empty"

# What was acknowledged survives a kill.
port=${url##*:}
kill -9 "$collector"
wait "$collector" 2>/dev/null || true
start "$port"
"$build/edgebench" report --collector "$url" -f json -o "$tmp/report.json"
for m in "${models[@]}"; do
    name=$(basename "$m" .gguf)
    grep -q "$name" "$tmp/report.json" || fail "$name is not in the report"
done
"$build/edgebench" report --from "$tmp/records.jsonl" -f html -o "$tmp/report.html"
grep -q '<svg' "$tmp/report.html" || fail "no chart"
! grep -qE '(src|href)="https?:' "$tmp/report.html" || fail "the report wants the network"

# A collector that is down costs nothing.
kill "$collector"
wait "$collector" 2>/dev/null || true
run 7 --limit 1 --no-speed -m "${models[0]}" --collector "$url" --require-upload
[ -n "$("$build/edgebench" spool list | grep -E '[0-9a-f]{8}-' || true)" ] || fail "nothing spooled"
start "$port"
"$build/edgebench" spool push --collector "$url" >/dev/null
[ -z "$("$build/edgebench" spool list | grep -E '[0-9a-f]{8}-' || true)" ] || fail "push left records"

# A copy of the installed tree finds its own jobs and models.
cmake --install "$build" --prefix "$tmp/usr" >/dev/null
mv "$tmp/usr" "$tmp/moved"
jobs=$tmp/moved/share/edgebench/workloads
[ "$(find "$jobs/models" -name 'ladder-*.gguf' | wc -l)" = 4 ] || fail "models are not installed"
cp -r "$jobs/custsvc" "$jobs/moved"
(cd "$tmp" && moved/bin/edgebench suites list) >"$tmp/out"
grep -q '^moved ' "$tmp/out" || fail "the installed edgebench does not see its own data"
echo "e2e: passed"
