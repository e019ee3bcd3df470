#!/usr/bin/env bash
# Tests what AVX-512's vectors do, of 64 bytes and with its tiles, on a CPU that has AVX2 alone:
# builds that table of kernels with AVX2's instructions and runs the tests that take kernels of all
# ISAs. What the compiler makes for AVX-512 itself is not seen.
#
#     tests/cpp/emulate.sh [folder to build in]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-$(mktemp -d)}
python3 -m venv "$build/venv"
"$build/venv/bin/pip" install --quiet '.[test]' \
    --config-settings=cmake.define.FASTNN_EMULATE_AVX512=ON
[ "$(cd "$build" && venv/bin/python -c 'import fastnn; print(fastnn.isa())')" = avx512 ]
"$build/venv/bin/pytest" -n 2 tests/kernels tests/test_gemm.py tests/test_compiled.py \
    tests/test_threads.py tests/test_inference.py tests/test_losses.py tests/test_activations.py \
    tests/test_norm.py tests/test_optim.py tests/test_random.py
