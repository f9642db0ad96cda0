# Sourced by the benches that compare two rates, run in turn.
#   ratios_rate FILE PROMPT GEN     mean tokens/s of a test in llama-bench's JSON
#   ratios_run ROUNDS FILE A B      FILE gets a line "pp tg pp tg" a round of what
#                                   the commands A and B print
#   ratios_show FILE FORMAT         for pp512 and tg128: printf of name, mean of
#                                   A / B, 95 % interval from, to, rounds

ratios_rate() {
    node -e 'const [f, p, n] = process.argv.slice(1);
      const t = JSON.parse(require("fs").readFileSync(f)).find(t =>
        t.n_prompt == p && t.n_gen == n && !(t.n_depth > 0));
      console.log(t.avg_ts)' "$1" "$2" "$3"
}

ratios_run() {
    local i a b
    for i in $(seq "$1"); do
        # ABBA: drift of the machine falls on both alike.
        if [ $((i % 2)) = 1 ]; then a=$($3) b=$($4); else b=$($4) a=$($3); fi
        echo "$a $b" | tee -a "$2" >&2
    done
}

ratios_show() {
    awk -v format="$2" '{ pp[NR] = $1 / $3; tg[NR] = $2 / $4 }
    function show(name, x,   i, m, s) {
        for (i = 1; i <= NR; i++) m += x[i] / NR
        if (NR < 2) { printf "  %s %.4f, no interval of one round\n", name, m; return }
        for (i = 1; i <= NR; i++) s += (x[i] - m) ^ 2
        s = sqrt(s / (NR - 1) / NR) * t[NR > 16 ? 15 : NR - 1]
        printf format "\n", name, m, m - s, m + s, NR
    }
    BEGIN { split("12.71 4.30 3.18 2.78 2.57 2.45 2.36 2.31 2.26 2.23 2.20 2.18 2.16 2.14 2.13", t, " ") }
    END { show("pp512", pp); show("tg128", tg) }' "$1"
}
