#!/usr/bin/env bash
# Ten runs of the speed suite in a row: does the interval of each run hold
# what the other runs say, as often as 95 % promises? Then one run beside a
# busy process, which takes one core, and must come out unstable.
#
#   tests/bench/repeat.sh BUILD MODEL [RUNS] [BUDGET]
set -euo pipefail
build=${1:?build folder} model=${2:?model} runs=${3:-10} budget=${4:-40s}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"; [ -z "${busy:-}" ] || kill "$busy" 2>/dev/null || true' EXIT

suite() { # file
    "$build/edgebench" run --suite speed -m "$model" --depths 0 --batches 1 \
        --no-requests --budget "$budget" --quiet --out "$1" >/dev/null
}
for i in $(seq "$runs"); do suite "$tmp/runs.jsonl"; done
(while :; do :; done) & busy=$!
suite "$tmp/busy.jsonl"
kill "$busy"
busy=

# Two means of the same thing, one of the other runs: the difference has
# sqrt(1 + 1/(k-1)) times the error of one, so a right 95 % interval holds
# the others' mean in 2*Phi(1.96/sqrt(k/(k-1)))-1 of the cases, 93.7 % of ten.
node -e '
const lines = f => require("fs").readFileSync(f, "utf8").trim().split("\n").map(l => JSON.parse(l).summary.speed);
const runs = lines(process.argv[1]), busy = lines(process.argv[2])[0];
console.log("| test | runs with an interval | mean of the runs, tokens/s | spread of the means, % | intervals that hold the mean of the others | overlapping pairs | disturbed run |");
console.log("|---|---|---|---|---|---|---|");
let held = 0, all = 0, overlap = 0, pairs = 0;
for (const { test } of runs[0]) {
  const s = runs.map(r => r.find(x => x.test === test)).filter(x => x.mean_tps !== null);
  const sum = s.reduce((a, x) => a + x.mean_tps, 0), mean = sum / s.length;
  const sd = Math.sqrt(s.reduce((a, x) => a + (x.mean_tps - mean) ** 2, 0) / (s.length - 1));
  const h = s.filter(x => { const m = (sum - x.mean_tps) / (s.length - 1); return m >= x.lo_tps && m <= x.hi_tps; }).length;
  let o = 0, p = 0;
  for (let i = 0; i < s.length; i++) for (let k = 0; k < i; k++) { p++; o += s[i].lo_tps <= s[k].hi_tps && s[k].lo_tps <= s[i].hi_tps; }
  held += h; all += s.length; overlap += o; pairs += p;
  const b = busy.find(x => x.test === test);
  console.log(`| ${test} | ${s.length} of ${runs.length} | ${mean.toFixed(1)} | ${(100 * sd / mean).toFixed(2)} | ${h} of ${s.length} | ${o} of ${p} | ${b.stable ? "NOT FLAGGED" : "unstable"} |`);
}
console.log(`\nHeld ${held} of ${all}, overlapping ${overlap} of ${pairs} pairs.`);
' "$tmp/runs.jsonl" "$tmp/busy.jsonl"
