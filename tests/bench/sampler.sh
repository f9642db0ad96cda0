#!/usr/bin/env bash
# Writes tests/bench/sampler.md: what the power sampler costs in processor
# time (80 seconds) and, with a model, in tokens per second (ABBA, two
# minutes a round).
#
#   tests/bench/sampler.sh BUILD [MODEL [ROUNDS]]
set -euo pipefail
build=$(cd "${1:?build folder}" && pwd)
model=${2:+$(realpath "$2")} rounds=${3:-4}
cd "$(dirname "$0")/../.."
cmake --build "$build" --target bench_sampler >&2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

rate() { # what --power is; prints pp512 and tg128
    EDGEBENCH_POWER_FAKE="shape=constant,w=10;shape=ramp,w=5,to=15,s=1" "$build/edgebench" run \
        --suite speed -m "$model" --power "$1" --depths 0 --batches 1 \
        --no-requests --budget 40s --quiet --emit llama-bench >"$tmp/run.json"
    node -e 'const t = JSON.parse(require("fs").readFileSync(process.argv[1])),
      of = (p, n) => t.find(t => t.n_prompt == p && t.n_gen == n).avg_ts;
      console.log(of(512, 0), of(0, 128))' "$tmp/run.json"
}
ratios() {
    for i in $(seq "$rounds"); do
        if [ $((i % 2)) = 1 ]; then a=$(rate auto) b=$(rate off); else b=$(rate off) a=$(rate auto); fi
        echo "$a $b" | tee -a "$tmp/rounds" >&2
    done
    awk '{ pp[NR] = $1 / $3; tg[NR] = $2 / $4 }
    function show(name, x,   i, m, s) {
        for (i = 1; i <= NR; i++) m += x[i] / NR
        for (i = 1; i <= NR; i++) s += (x[i] - m) ^ 2
        s = sqrt(s / (NR - 1) / NR) * t[NR - 1]
        printf "| %s | %.4f | %.4f to %.4f |\n", name, m, m - s, m + s
    }
    BEGIN { split("12.71 4.30 3.18 2.78 2.57 2.45 2.36 2.31 2.26 2.23 2.20 2.18 2.16 2.14 2.13", t, " ") }
    END { show("pp512", pp); show("tg128", tg) }' "$tmp/rounds"
}
{
    echo "# What the power sampler costs"
    echo
    echo "$(date -u +%Y-%m-%d), \`tests/bench/sampler.sh BUILD\`, $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)."
    echo "Processor time of the sampler's thread, files of recorded trees on disk in place of sysfs"
    echo "(an ina3221 on I2C or NVML waits some milliseconds a read, mostly without computing)."
    echo
    "$build/tests/bench_sampler" .
    if [ -n "$model" ]; then
        echo
        echo "Tokens per second of $(basename "$model" .gguf) with two fake sensors over those with \`--power off\`,"
        echo "all cores, $rounds rounds ABBA, load $(cut -d' ' -f1 /proc/loadavg):"
        echo
        echo "| test | ratio | 95 % interval |"
        echo "| --- | --- | --- |"
        ratios
    fi
} >"$tmp/sampler.md"
cp "$tmp/sampler.md" tests/bench/sampler.md
