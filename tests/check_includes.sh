#!/usr/bin/env bash
# The include direction: common <- workloads <- agent and
# common <- reports <- agent, collector. Third-party headers stay in the
# files that are named for them.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
forbid() { # folder pattern
    if grep -nE "#include \"($2)/" "$1"/*.[ch]; then
        echo "$1/ must not include $2/" >&2
        bad=1
    fi
}
fence() { # header pattern, allowed files pattern
    local hits
    hits=$(grep -lE "#include [<\"]$1" {common,workloads,workloads/import,workloads/ladder,agent,collector,reports}/*.[ch] |
        grep -vE "$2" || true)
    if [ -n "$hits" ]; then
        echo "$1 is included by $hits" >&2
        bad=1
    fi
}
forbid common 'workloads|agent|collector|reports'
forbid workloads 'agent|collector|reports'
forbid workloads/import 'agent|collector|reports'
forbid workloads/ladder 'agent|collector|reports'
forbid reports 'workloads|agent|collector'
forbid collector 'workloads|agent'
forbid agent 'collector'
fence 'llama\.h' 'agent/engine_llama|workloads/ladder/'
fence 'curl/curl\.h' 'agent/(upload\.c|engine_openai|power_meter\.c)'
fence 'hwloc\.h' 'agent/device.*\.c'
fence 'papi\.h' 'agent/counters_papi\.c'
fence 'sqlite3\.h' 'collector/store_sqlite\.c'
fence 'microhttpd\.h' 'collector/server\.c'
exit $bad
