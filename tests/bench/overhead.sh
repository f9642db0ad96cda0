#!/usr/bin/env bash
# What the agent costs beside llama-bench of the same llama.cpp tree and flags:
# pp512 and tg128 of the speed suite as ratios, run in turn, with a 95 %
# interval; peak resident memory of both; and the agent alone: how long doctor
# takes, its size and memory without an engine.
#
#   tests/bench/overhead.sh BUILD LLAMA_BENCH ROUNDS MODEL ...
#
# BUILD holds edgebench (and bench_peak, which is built there);
# tests/bench/parity.sh says how LLAMA_BENCH is built.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:?build folder} bench=${2:?llama-bench} rounds=${3:?rounds}
shift 3
threads=$(nproc)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cmake --build "$build" --target bench_peak >/dev/null
peak=$build/tests/bench_peak

rate() { # file, prompt tokens, generated tokens: mean tokens/s
    node -e 'const [f, p, n] = process.argv.slice(1);
      const t = JSON.parse(require("fs").readFileSync(f)).find(t =>
        t.n_prompt == p && t.n_gen == n && !(t.n_depth > 0));
      console.log(t.avg_ts)' "$1" "$2" "$3"
}
ours() {
    "$peak" "$tmp/ours.peak" "$build/edgebench" run --suite speed -m "$1" \
        --threads "$threads" --flash-attn off --depths 0 --batches 1 \
        --no-requests --budget 40s --quiet --emit llama-bench >"$tmp/ours.json"
    echo "$(rate "$tmp/ours.json" 512 0) $(rate "$tmp/ours.json" 0 128)"
}
theirs() {
    "$peak" "$tmp/theirs.peak" "$bench" -m "$1" -p 128,512,2048 -n 128 -r 5 \
        -t "$threads" -fa off -o json >"$tmp/theirs.json" 2>/dev/null
    echo "$(rate "$tmp/theirs.json" 512 0) $(rate "$tmp/theirs.json" 0 128)"
}
summary() { # rounds' lines "pp tg pp tg"
    awk '{ pp[NR] = $1 / $3; tg[NR] = $2 / $4 }
    function show(name, x,   i, m, s) {
        for (i = 1; i <= NR; i++) m += x[i] / NR
        for (i = 1; i <= NR; i++) s += (x[i] - m) ^ 2
        s = sqrt(s / (NR - 1) / NR) * t[NR - 1]
        printf "  %s edgebench / llama-bench: %.4f (95 %% interval %.4f to %.4f, %d rounds)\n", name, m, m - s, m + s, NR
    }
    BEGIN { split("12.71 4.30 3.18 2.78 2.57 2.45 2.36 2.31 2.26 2.23 2.20 2.18 2.16 2.14 2.13", t, " ") }
    END { show("pp512", pp); show("tg128", tg) }' "$1"
}
median_peak() { sort -n -k 2 "$1" | awk '{ v[NR] = $2 } END { printf "%.1f", v[int((NR + 1) / 2)] / 1024 }'; }

for model in "$@"; do
    rm -f "$tmp"/*.peak "$tmp/rounds"
    for i in $(seq "$rounds"); do
        # ABBA: drift of the machine falls on both alike.
        if [ $((i % 2)) = 1 ]; then a=$(ours "$model") b=$(theirs "$model"); else b=$(theirs "$model") a=$(ours "$model"); fi
        echo "$a $b" | tee -a "$tmp/rounds" >&2
    done
    echo "$(basename "$model")"
    summary "$tmp/rounds"
    echo "  peak resident MiB, median: edgebench $(median_peak "$tmp/ours.peak"), llama-bench $(median_peak "$tmp/theirs.peak")"
done

for i in $(seq 20); do "$peak" "$tmp/doctor" "$build/edgebench" doctor >/dev/null || [ $? -ge 3 ]; done
sort -n "$tmp/doctor" | awk '{ v[NR] = $1 } END { printf "doctor: median %.3f s, longest of %d %.3f s\n", v[int((NR + 1) / 2)], NR, v[NR] }'
cmake -S . -B "$tmp/off" -G Ninja -DCMAKE_BUILD_TYPE=MinSizeRel -DEDGEBENCH_LLAMA=OFF >/dev/null
cmake --build "$tmp/off" --target edgebench >/dev/null
strip "$tmp/off/edgebench"
"$peak" "$tmp/off.peak" "$tmp/off/edgebench" doctor >/dev/null || [ $? -ge 3 ]
echo "agent without engine: $(stat -c %s "$tmp/off/edgebench" | awk '{ printf "%.2f", $1 / 1048576 }') MiB stripped, doctor's peak resident $(median_peak "$tmp/off.peak") MiB"
