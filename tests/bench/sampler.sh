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
. tests/bench/ratios.sh
cmake --build "$build" --target bench_sampler >&2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

rate() { # what --power is
    EDGEBENCH_POWER_FAKE="shape=constant,w=10;shape=ramp,w=5,to=15,s=1" "$build/edgebench" run \
        --suite speed -m "$model" --power "$1" --depths 0 --batches 1 \
        --no-requests --budget 40s --quiet --emit llama-bench >"$tmp/run.json"
    echo "$(ratios_rate "$tmp/run.json" 512 0) $(ratios_rate "$tmp/run.json" 0 128)"
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
        ratios_run "$rounds" "$tmp/rounds" "rate auto" "rate off"
        ratios_show "$tmp/rounds" "| %s | %.4f | %.4f to %.4f |"
    fi
} >"$tmp/sampler.md"
cp "$tmp/sampler.md" tests/bench/sampler.md
