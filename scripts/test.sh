#!/usr/bin/env bash
# Every test, from a clean clone: packages, build, unit tests, end-to-end
# test, then the same under AddressSanitizer and UBSan; a build without the
# engine.
#
#   scripts/test.sh [--no-install]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh

while [ $# -gt 0 ]; do
    case $1 in
    --no-install) EBS_INSTALL=0 ;;
    *) ebs_die "unknown option $1" ;;
    esac
    shift
done

ebs_packages
tests/check_includes.sh
ebs_say "tests, release build"
ebs_build build-test
ctest --test-dir build-test --output-on-failure --timeout 600
ebs_say "tests, AddressSanitizer and UBSan"
ebs_build build-asan -DEDGEBENCH_SANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo
ctest --test-dir build-asan --output-on-failure --timeout 1200
ebs_say "build without llama.cpp"
ebs_build build-off -DEDGEBENCH_LLAMA=OFF
ctest --test-dir build-off --output-on-failure --timeout 600 \
    -R '^test_(run|doctor|engine_slots|engine_llama)$'
