#!/usr/bin/env bash
# What the agent costs beside llama-bench of the same llama.cpp tree and flags:
# pp512 and tg128 of the speed suite as ratios, run in turn, with a 95 %
# interval; peak resident memory of both; and the agent alone: how long doctor
# takes, its size and memory without an engine.
#
#   tests/bench/overhead.sh BUILD LLAMA_BENCH ROUNDS MODEL ...
#
# Two rounds at least; THREADS and BUDGET (of the suite, 40s) may be set.
# BUILD holds edgebench (and bench_peak, which is built there);
# tests/bench/parity.sh says how LLAMA_BENCH is built.
set -euo pipefail
build=$(realpath -e "${1:?build folder}") bench=$(realpath -e "${2:?llama-bench}") rounds=${3:?rounds}
shift 3
models=()
for model in "$@"; do models+=("$(realpath -e "$model")"); done
cd "$(dirname "$0")/../.."
. tests/bench/ratios.sh
threads=${THREADS:-$(nproc)} budget=${BUDGET:-40s}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cmake --build "$build" --target bench_peak >/dev/null
peak=$build/tests/bench_peak

ours() {
    "$peak" "$tmp/ours.peak" "$build/edgebench" run --suite speed -m "$model" \
        --threads "$threads" --flash-attn off --depths 0 --batches 1 \
        --no-requests --budget "$budget" --quiet --emit llama-bench >"$tmp/ours.json"
    echo "$(ratios_rate "$tmp/ours.json" 512 0) $(ratios_rate "$tmp/ours.json" 0 128)"
}
theirs() {
    "$peak" "$tmp/theirs.peak" "$bench" -m "$model" -p 128,512,2048 -n 128 -r 5 \
        -t "$threads" -fa off -o json >"$tmp/theirs.json" 2>/dev/null
    echo "$(ratios_rate "$tmp/theirs.json" 512 0) $(ratios_rate "$tmp/theirs.json" 0 128)"
}
median_peak() { sort -n -k 2 "$1" | awk '{ v[NR] = $2 } END { printf "%.1f", v[int((NR + 1) / 2)] / 1024 }'; }

for model in "${models[@]}"; do
    rm -f "$tmp"/*.peak "$tmp/rounds"
    ratios_run "$rounds" "$tmp/rounds" ours theirs
    basename "$model"
    ratios_show "$tmp/rounds" "  %s edgebench / llama-bench: %.4f (95 %% interval %.4f to %.4f, %d rounds)"
    echo "  peak resident MiB, median: edgebench $(median_peak "$tmp/ours.peak"), llama-bench $(median_peak "$tmp/theirs.peak")"
done

for i in $(seq 20); do "$peak" "$tmp/doctor" "$build/edgebench" doctor >/dev/null || [ $? -ge 3 ]; done
sort -n "$tmp/doctor" | awk '{ v[NR] = $1 } END { printf "doctor: median %.3f s, longest of %d %.3f s\n", v[int((NR + 1) / 2)], NR, v[NR] }'
cmake -S . -B "$tmp/off" -G Ninja -DCMAKE_BUILD_TYPE=MinSizeRel -DEDGEBENCH_LLAMA=OFF >/dev/null
cmake --build "$tmp/off" --target edgebench >/dev/null
strip "$tmp/off/edgebench"
"$peak" "$tmp/off.peak" "$tmp/off/edgebench" doctor >/dev/null || [ $? -ge 3 ]
echo "agent without engine: $(stat -c %s "$tmp/off/edgebench" | awk '{ printf "%.2f", $1 / 1048576 }') MiB stripped, doctor's peak resident $(median_peak "$tmp/off.peak") MiB"
