#!/usr/bin/env bash
# The engine `openai` against a real llama-server: the conformance check, and
# the same items with the same model in process must give the same texts.
#
#   EB_LLAMA_SERVER=.../llama-server tests/e2e/openai.sh BUILD
set -euo pipefail
build=$(cd "${1:?build folder}" && pwd)
src=$(cd "$(dirname "$0")/../.." && pwd)
model=$src/workloads/models/ladder-4m-q8_0.gguf
if [ -z "${EB_LLAMA_SERVER:-}" ]; then
    echo "openai: skipped: EB_LLAMA_SERVER names no llama-server"
    exit 77
fi
tmp=$(mktemp -d)
export EDGEBENCH_SPOOL=$tmp/spool
unset EDGEBENCH_OPENAI_KEY EDGEBENCH_PRICES
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT

fail() {
    echo "openai: $*" >&2
    exit 1
}
run() { # records file, options
    local rc=0 out=$1
    shift
    "$build/edgebench" run --suite custsvc --levels triage,act --limit 2 --full \
        --no-speed --quiet --out "$out" "$@" >"$tmp/out" 2>"$tmp/err" || rc=$?
    [[ " 0 3 4 " == *" $rc "* ]] || fail "run: exit $rc: $(cat "$tmp/err")"
}
outputs() { # id and output of each item, sorted
    grep -oE '"id":"[a-z]+-[0-9]+-[a-z]+","pair_id"|"output":"([^"\\]|\\.)*"' "$1" |
        paste - - | sort
}

# A port of 0 is not told, so one is chosen; a taken one ends the server.
for port in 18431 18543 18657 18769; do
    "$EB_LLAMA_SERVER" -m "$model" --host 127.0.0.1 --port "$port" -t 1 \
        -c 8192 -np 2 >"$tmp/server" 2>&1 &
    server=$!
    until curl -fs "http://127.0.0.1:$port/health" >/dev/null; do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -0 "$server" 2>/dev/null && break
    server=
done
[ -n "$server" ] || fail "llama-server does not start: $(tail -n 3 "$tmp/server")"
url=openai:http://127.0.0.1:$port/v1

"$build/edgebench" engine check "$url" || fail "the check failed"
run "$tmp/server.jsonl" -m "$url"
run "$tmp/process.jsonl" -m "$model"
outputs "$tmp/server.jsonl" >"$tmp/a"
outputs "$tmp/process.jsonl" >"$tmp/b"
[ "$(wc -l <"$tmp/a")" = 8 ] || fail "not 8 items: $(cat "$tmp/a")"
cmp "$tmp/a" "$tmp/b" || fail "the texts differ: $(diff "$tmp/a" "$tmp/b" || true)"
grep -q '"constrained":"gbnf"' "$tmp/server.jsonl" || fail "no grammar"
grep -q '"vm_hwm_bytes":null' "$tmp/server.jsonl" || fail "a memory that is not the model's"

# A server that is gone is a fault of the harness, never a wrong answer.
kill "$server"
wait "$server" 2>/dev/null || true
server=
rc=0
"$build/edgebench" run --suite custsvc --levels triage --limit 1 --no-speed \
    --quiet --out "$tmp/gone.jsonl" -m "$url" >/dev/null 2>&1 || rc=$?
[ $rc = 6 ] || fail "server gone: exit $rc, not 6"
grep -q '"status":"engine_error"' "$tmp/gone.jsonl" || fail "no record of it"
echo "openai: passed"
