// Dropout: a mask that is made again in the backward instead of being kept.
#pragma once

#include "../parallel.h"
#include "philox.h"
#include "simd.h"

namespace fastnn {
namespace {

// Integers beside a vector of T, and as many 32-bit words.
template <class T>
struct MaskLanes;
template <>
struct MaskLanes<float> {
    typedef uint32_t Bits __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
    typedef Bits Words;
};
template <>
struct MaskLanes<double> {
    typedef uint64_t Bits __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
    typedef uint32_t Words __attribute__((vector_size(FASTNN_VECTOR_BYTES / 2)));
};

// y (n) = x mask / (1 - p): element i is kept where word i of the draw is below (1 - p) 2^32, so
// the rate is exact to 2^-32. dx is the same function of dy. A dropped NaN stays NaN. y may be x.
template <class T>
void dropout(T* y, const T* x, int64_t n, double p, uint64_t seed, uint64_t draw) {
    typedef typename MaskLanes<T>::Bits Bits;
    typedef typename MaskLanes<T>::Words Words;
    const uint64_t kept = uint64_t((1 - p) * 0x1p32 + 0.5);
    const uint32_t most = kept ? uint32_t(kept - 1) : 0;
    const Bits last = most - Bits{};
    const Vec<T> scale = broadcast(kept ? T(1 / (1 - p)) : T(0));
    parallel_for(n, 64 * kRunWords, kElementCost, [&](int64_t begin, int64_t end) {
        alignas(64) uint32_t run[kRunWords];
        for (int64_t at = begin; at < end; at += kRunWords) {
            philox_run(run, seed, draw, uint64_t(at) / 4);
            for_vectors<T>(at, smaller(at + kRunWords, end), [&](int64_t i, int64_t) {
                Words words;
                std::memcpy(&words, run + (i - at), sizeof words);
                const auto keep = __builtin_convertvector(words, Bits) <= last;
                const Vec<T> factor = keep ? scale : Vec<T>{};
                store_n(y + i, load_n(x + i, n - i) * factor, n - i);
            });
        }
    });
}

}  // namespace
}  // namespace fastnn
