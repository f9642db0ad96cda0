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
for i in $(seq "$rounds"); do
    # ABBA: drift of the machine falls on both alike.
    if [ $((i % 2)) = 1 ]; then a=$(ours) b=$(theirs); else b=$(theirs) a=$(ours); fi
    echo "$a $b" | tee -a "$tmp/rounds" >&2
done
awk '{ pp[NR] = $1 / $3; tg[NR] = $2 / $4 }
function show(name, x,   i, m, s) {
    for (i = 1; i <= NR; i++) m += x[i] / NR
    for (i = 1; i <= NR; i++) s += (x[i] - m) ^ 2
    s = sqrt(s / (NR - 1) / NR) * t[NR - 1]
    printf "%s edgebench / llama-bench: %.4f (95 %% interval %.4f to %.4f, %d rounds)\n", name, m, m - s, m + s, NR
}
BEGIN { split("12.71 4.30 3.18 2.78 2.57 2.45 2.36 2.31 2.26 2.23 2.20 2.18 2.16 2.14 2.13", t, " ") }
END { show("pp512", pp); show("tg128", tg) }' "$tmp/rounds"
