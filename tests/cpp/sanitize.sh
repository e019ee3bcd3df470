#!/usr/bin/env bash
# Runs the driver under ThreadSanitizer, and under AddressSanitizer with leaks, and sees that each
# finds what is wrong on purpose. Needs clang with libomp and archer, which tells TSan of OpenMP's
# barriers (Debian: clang-16 libomp-16-dev libclang-rt-16-dev, of which libomp-14-dev removes the
# second), and `pip install .[dev]` for cmake, ninja, pybind11 and Eigen.
#
#     tests/cpp/sanitize.sh [folder to build in]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-$(mktemp -d)}
mkdir -p "$build"
clang=$(command -v clang++-16 || command -v clang++-14 || command -v clang++)
archer=$(dirname "$(dirname "$(readlink -f "$clang")")")/lib/libarcher.so
export TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:exitcode=66

make() {  # make FOLDER SANITIZERS
    cmake -S . -B "$build/$1" -G Ninja -DCMAKE_CXX_COMPILER="$clang" -DFASTNN_SANITIZE="$2" \
        -Dpybind11_DIR="$(python3 -m pybind11 --cmakedir)" -DFASTNN_DRIVER=ON > "$build/$1.log"
    cmake --build "$build/$1" --target driver >> "$build/$1.log"
}
must_fail() {
    if "$@" > "$build/log" 2>&1; then echo "not found: $*"; exit 1; fi
    grep -m1 -E "WARNING|ERROR" "$build/log"
}

make thread thread
OMP_TOOL_LIBRARIES=$archer "$build/thread/driver"
OMP_TOOL_LIBRARIES=$archer must_fail "$build/thread/driver" race
make address address,undefined
ASAN_OPTIONS=detect_leaks=1 "$build/address/driver"
must_fail "$build/address/driver" overflow
echo "no report, and both planted faults found"
