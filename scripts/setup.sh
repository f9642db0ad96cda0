# Sourced by quickstart.sh and test.sh: Debian packages and the build.
#   ebs_packages   installs what is missing unless EBS_INSTALL=0
#   ebs_build DIR [cmake options]

ebs_say() {
    printf '== %s\n' "$*" >&2
}

ebs_die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 2
}

EBS_PACKAGES="cmake ninja-build gcc g++ git pkg-config libcurl4-openssl-dev
libcjson-dev libhwloc-dev libpapi-dev libcmocka-dev libmicrohttpd-dev
libsqlite3-dev libssl-dev"

ebs_packages() {
    local missing="" p
    for p in $EBS_PACKAGES; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null |
            grep -q 'install ok installed' || missing="$missing $p"
    done
    # Node.js from elsewhere brings npm with it and conflicts with Debian's.
    command -v npm >/dev/null || missing="$missing npm"
    [ -n "$missing" ] || return 0
    if [ "${EBS_INSTALL:-1}" = 0 ]; then
        ebs_say "missing packages, not installed (--no-install):$missing"
        return 0
    fi
    ebs_say "installing Debian packages:$missing"
    local sudo=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            ebs_die "not root and no sudo: ask for 'apt-get install$missing'"
        sudo=sudo
    fi
    $sudo apt-get update -qq
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends $missing >&2
}

ebs_build() {
    local dir=$1
    shift
    local launcher=""
    command -v ccache >/dev/null && launcher="-DCMAKE_C_COMPILER_LAUNCHER=ccache"
    # shellcheck disable=SC2086
    cmake -S . -B "$dir" -G Ninja $launcher "$@" >&2 &&
        cmake --build "$dir" --parallel "$(nproc)" >&2
}
