// The roof that bench/ measures everything against.
#pragma once

#include "simd.h"

namespace fastnn {
namespace {

constexpr int kSpinChains = 12;  // two FMA ports of latency 4 need 8; some more for slack

// iterations x 12 vectors of multiply-adds in registers.
template <class T>
void fma_spin(T* sink, int64_t iterations) {
    Vec<T> sum[kSpinChains];
    FASTNN_UNROLL for (int i = 0; i < kSpinChains; ++i) sum[i] = broadcast(T(i));
    const Vec<T> x = broadcast(T(0.999)), y = broadcast(T(0.001));
    for (int64_t n = 0; n < iterations; ++n) {
        FASTNN_UNROLL for (int i = 0; i < kSpinChains; ++i) sum[i] = sum[i] * x + y;
    }
    Vec<T> total{};
    FASTNN_UNROLL for (int i = 0; i < kSpinChains; ++i) total += sum[i];
    *sink = total[0];
}

}  // namespace
}  // namespace fastnn
