#!/usr/bin/env bash
# pp512 and tg128 of edgebench against llama-bench of the same llama.cpp
# tree and flags, run in turn; prints the mean ratio with a 95 % interval.
#
#   tests/bench/parity.sh BUILD LLAMA_BENCH MODEL [ROUNDS]
#
# BUILD holds edgebench; LLAMA_BENCH is built from the tree of the cache:
#   cmake -S ~/.cache/edgebench/llama-0.5.0-source -B lb -DCMAKE_BUILD_TYPE=Release \
#     -DBUILD_SHARED_LIBS=OFF -DGGML_OPENMP=OFF && cmake --build lb --target llama-bench
set -euo pipefail
. "$(dirname "$0")/ratios.sh"
build=${1:?build folder} bench=${2:?llama-bench} model=${3:?model} rounds=${4:-8}
threads=$(nproc)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

ours() {
    "$build/edgebench" run --suite custsvc --limit 1 --levels triage -m "$model" \
        --threads "$threads" --flash-attn off --latency-items 0 --quiet --out "$tmp/run.jsonl" >/dev/null || [ $? -ge 3 ]
    tail -n 1 "$tmp/run.jsonl" >"$tmp/one.json"
    node -e 'const r=JSON.parse(require("fs").readFileSync(process.argv[1]));
      console.log(r.summary.speed.map(s=>s.mean_tps).join(" "))' "$tmp/one.json"
}
theirs() {
    "$bench" -m "$model" -p 512 -n 128 -r 5 -t "$threads" -fa off -o json 2>/dev/null >"$tmp/lb.json"
    node -e 'const r=JSON.parse(require("fs").readFileSync(process.argv[1]));
      console.log(r.map(s=>s.avg_ts).join(" "))' "$tmp/lb.json"
}
ratios_run "$rounds" "$tmp/rounds" ours theirs
ratios_show "$tmp/rounds" "%s edgebench / llama-bench: %.4f (95 %% interval %.4f to %.4f, %d rounds)"
