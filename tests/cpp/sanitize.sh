#!/usr/bin/env bash
# Runs the driver under ThreadSanitizer, and under AddressSanitizer with leaks, and sees that each
# finds what is wrong on purpose. Needs a C++ compiler with sanitizers (GCC's will do; CXX may name
# another) and `pip install .[dev]` for cmake, ninja, pybind11 and Eigen.
#
#     tests/cpp/sanitize.sh [folder to build in]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-$(mktemp -d)}
mkdir -p "$build"
export TSAN_OPTIONS=halt_on_error=1:exitcode=66

make() {  # make FOLDER SANITIZERS
    cmake -S . -B "$build/$1" -G Ninja -DFASTNN_SANITIZE="$2" \
        -Dpybind11_DIR="$(python3 -m pybind11 --cmakedir)" -DFASTNN_DRIVER=ON > "$build/$1.log"
    cmake --build "$build/$1" --target driver >> "$build/$1.log"
}
must_fail() {
    if "$@" > "$build/log" 2>&1; then echo "not found: $*"; exit 1; fi
    grep -m1 -E "WARNING|ERROR" "$build/log"
}

make thread thread
"$build/thread/driver"
must_fail "$build/thread/driver" race
make address address,undefined
ASAN_OPTIONS=detect_leaks=1 "$build/address/driver"
must_fail "$build/address/driver" overflow
echo "no report, and both planted faults found"
