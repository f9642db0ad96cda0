#!/usr/bin/env bash
# Trains the reference ladder again, smallest rung first; hours on one core
# each. Wants libopenblas-dev. Interrupted, it goes on from its checkpoints.
#
#   scripts/train_ladder.sh OUT [RUNG ...]     rungs: 0.3m 1m 4m 12m
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?folder for vocabulary, checkpoints and models}
shift
rungs=("$@")
[ ${#rungs[@]} -gt 0 ] || rungs=(0.3m 1m 4m 12m)
# Where an old OpenBLAS does not know the processor, it runs at a fifth.
export OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-SkylakeX}

cmake -S . -B build-train -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_BLAS=ON
cmake --build build-train --target edgebench-ladder
ladder=build-train/workloads/ladder/edgebench-ladder
mkdir -p "$out"
[ -s "$out/vocab.gguf" ] || "$ladder" tokenizer --vocab "$out/vocab.gguf"

train() { # rung, optimiser steps, steps with copying, rung that it grows from
    "$ladder" train --rung "ladder-$1" --vocab "$out/vocab.gguf" --steps "$2" \
        --copy-first "$3" --vague 93 --threads 1 --checkpoint "$out/$1.ckpt" \
        --log "$out/ladder-$1-q8_0.tsv" -o "$out/ladder-$1-q8_0.gguf" \
        ${4:+--grow "$out/$4.ckpt"}
}
for rung in "${rungs[@]}"; do
    case $rung in
    0.3m) train 0.3m 9500 1500 ;;
    1m) train 1m 13500 1500 ;;
    4m) train 4m 15400 1500 1m ;;
    12m) train 12m 1950 0 4m ;;
    *) echo "$rung is not 0.3m, 1m, 4m or 12m" >&2 && exit 2 ;;
    esac
done
