#!/usr/bin/env bash
# Items a second of `edgebench run --mode throughput` against llama-server of
# the same llama.cpp tree, asked over HTTP by the same program (a) one item
# after another and (b) in the server's own parallel slots. Same items, model,
# threads, context a slot, batch and flash attention; the runs take turns and
# each gets a server of its own, so that no prompt is left from the run before.
#
#   tests/bench/evalspeed.sh BUILD LLAMA_SERVER MODEL [ROUNDS]
#
# ITEMS (64) pairs a level, SLOTS (8), THREADS (all), CTX (4096), LEVELS
# (triage,act,answer), FLASH_ATTN (off), SERVER_ARGS (more for the server),
# NOTE (printed with the result). ITEMS well above SLOTS: each slot of the
# server reads the shared beginning itself, once a level and language.
# LLAMA_SERVER as LLAMA_BENCH in parity.sh, target llama-server.
set -euo pipefail
build=$(cd "${1:?build folder}" && pwd) server_program=${2:?llama-server} model=${3:?model} rounds=${4:-5}
items=${ITEMS:-64} slots=${SLOTS:-8} threads=${THREADS:-$(nproc)} ctx=${CTX:-4096}
levels=${LEVELS:-triage,act,answer} fa=${FLASH_ATTN:-off}
tmp=$(mktemp -d)
export EDGEBENCH_SPOOL=$tmp/spool
unset EDGEBENCH_OPENAI_KEY
server=
stop_server() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    server=
}
trap 'stop_server; rm -rf "$tmp"' EXIT

die() {
    echo "evalspeed: $*" >&2
    exit 1
}
run() { # name, slots, model path
    local rc=0
    "$build/edgebench" run --suite custsvc --levels "$levels" --limit "$items" --full \
        --stop never --mode throughput --slots "$2" --latency-items 0 --no-speed --threads "$threads" \
        --ctx "$ctx" --flash-attn "$fa" --item-timeout 3600 --quiet -m "$3" --out "$tmp/$1.jsonl" \
        >"$tmp/out" 2>"$tmp/err" || rc=$?
    [[ " 0 3 4 " == *" $rc "* ]] || die "$1: exit $rc: $(cat "$tmp/err")"
}
# The server splits its context among the slots; a taken port ends it, then
# the next is tried.
start_server() { # slots; sets url
    local port
    # shellcheck disable=SC2086
    for port in 18811 18923 19037 19141; do
        "$server_program" -m "$model" --host 127.0.0.1 --port "$port" -t "$threads" -tb "$threads" \
            -c $((ctx * $1)) -np "$1" -b 2048 -ub 512 -fa "$fa" ${SERVER_ARGS:-} >"$tmp/server" 2>&1 &
        server=$!
        url=openai:http://127.0.0.1:$port/v1
        until curl -fs "http://127.0.0.1:$port/health" >/dev/null; do
            kill -0 "$server" 2>/dev/null || break
            sleep 0.1
        done
        kill -0 "$server" 2>/dev/null && return
    done
    die "llama-server does not start: $(tail -n 3 "$tmp/server")"
}
one() { # ours, sequential or parallel
    case $1 in
    ours) run ours "$slots" "$model" ;;
    sequential) start_server 1 && run sequential 1 "$url" ;;
    parallel) start_server "$slots" && run parallel "$slots" "$url" ;;
    esac
    stop_server
}

# Each comes first, second and last equally often: drift falls on all alike.
order=(ours sequential parallel)
for ((i = 0; i < rounds; i++)); do
    for ((k = 0; k < 3; k++)); do
        one "${order[(i + k) % 3]}"
    done
    echo "evalspeed: round $((i + 1)) of $rounds" >&2
done

cat >"$tmp/show.js" <<'JS'
const fs = require("fs"), tmp = process.argv[2];
const t95 = [0, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23];
const read = n => fs.readFileSync(`${tmp}/${n}.jsonl`, "utf8").trim().split("\n").map(l => JSON.parse(l));
const sum = (v, k) => v.reduce((a, x) => a + x[k], 0);
const rate = r => sum(r.throughput, "items") / sum(r.throughput, "wall_ns") * 1e9;
const mean = v => v.reduce((a, x) => a + x, 0) / v.length;
// Mean and 95 % interval over the rounds; of ratios, of their logarithms.
function interval(v) {
  if (v.length < 2) return [mean(v), NaN, NaN];
  const m = mean(v), d = (t95[v.length - 1] || 2.2) * Math.sqrt(v.reduce((a, x) => a + (x - m) ** 2, 0) / (v.length - 1) / v.length);
  return [m, m - d, m + d];
}
const say = (name, v, digits) => console.log(`${name} ${v[0].toFixed(digits)} (95 % interval ${v[1].toFixed(digits)} to ${v[2].toFixed(digits)})`);
const ours = read("ours"), runs = { sequential: read("sequential"), parallel: read("parallel") };
const n = sum(ours[0].throughput, "items");
console.log(`${n} items, ${ours.length} rounds, ${process.argv[3]}`);
say("edgebench:                items/s", interval(ours.map(rate)), 2);
for (const [name, other] of Object.entries(runs)) {
  const pad = " ".repeat(10 - name.length);
  say(`llama-server, ${name}: ${pad} items/s`, interval(other.map(rate)), 2);
  say(`edgebench / ${name}:   ${pad} ratio`, interval(ours.map((r, i) => Math.log(rate(r) / rate(other[i])))).map(Math.exp), 2);
  let texts = 0, classes = 0, errors = 0;
  ours.forEach((r, i) => {
    const by = new Map(other[i].items.map(x => [x.level + x.id, x]));
    if (by.size != r.items.length) throw Error("not the same items");
    for (const x of r.items) {
      const y = by.get(x.level + x.id);
      texts += x.output != y.output;
      classes += x.class != y.class;
      errors += y.class == "harness_error" || x.class == "harness_error";
    }
  });
  console.log(`  of ${n * ours.length} pairs of answers ${texts} differ in text, ${classes} in outcome; ${errors} errors of the harness`);
}
for (const [name, r] of Object.entries({ edgebench: ours[0], sequential: runs.sequential[0], parallel: runs.parallel[0] })) {
  const t = r.throughput, p = sum(t, "prompt_tokens");
  console.log(`  ${name}: ${t[0].slots} slots, ${p} prompt tokens, ${p - sum(t, "cached_tokens")} of them computed, ${sum(t, "output_tokens")} written`);
}
JS
node "$tmp/show.js" "$tmp" "$(basename "$model"), $threads threads, $slots slots, flash attention $fa, load now $(cut -d' ' -f1 /proc/loadavg)${NOTE:+; $NOTE}"
