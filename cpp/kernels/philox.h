// Random bits by counting: Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3" (SC 2011). Block b of draw d under a seed is four words, a function
// of the three numbers alone, so a mask is the same on every ISA and at any number of threads, and
// can be made again instead of being kept.
#pragma once

#include "../parallel.h"
#include "simd.h"

#if defined(__SSE2__) && !defined(__AVX2__)
#include <emmintrin.h>
#endif

namespace fastnn {
namespace {

// A block's words lie each in the low half of a 64-bit lane; what is in the high half means
// nothing.
typedef Simd<double> WideLanes;
typedef uint64_t Wide __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
constexpr uint64_t kLowHalf = 0xFFFFFFFF;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the words of a lane would be stored the wrong way round"
#endif

// The 64-bit products of the low halves. The compiler does not see that one instruction does it.
inline Wide multiply_low_halves(Wide a, Wide b) {
#if defined(__AVX512F__)
    return Wide(_mm512_mul_epu32(__m512i(a), __m512i(b)));
#elif FASTNN_VECTOR_BYTES == 32
    return Wide(_mm256_mul_epu32(__m256i(a), __m256i(b)));
#elif FASTNN_VECTOR_BYTES == 16 && defined(__SSE2__)
    return Wide(_mm_mul_epu32(__m128i(a), __m128i(b)));
#else
    return (a & kLowHalf) * (b & kLowHalf);
#endif
}

// a0 b0 a1 b1 ... of the lanes of a and b, in two vectors. Lane by lane it would be stored in small
// pieces, which a wide load cannot be served from.
inline void store_interleaved(uint32_t* p, Wide a, Wide b) {
#if FASTNN_VECTOR_BYTES == 64
    const Wide front = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    const Wide back = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif FASTNN_VECTOR_BYTES == 32
    const Wide front = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const Wide back = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
    const Wide front = __builtin_shufflevector(a, b, 0, 2);
    const Wide back = __builtin_shufflevector(a, b, 1, 3);
#endif
    std::memcpy(p, &front, sizeof front);
    std::memcpy(p + sizeof front / sizeof *p, &back, sizeof back);
}

// A run of blocks: 64 words, a multiple of what any ISA's vectors make at once.
constexpr int64_t kRunBlocks = 16, kRunWords = 4 * kRunBlocks;

// words (64) = blocks `block` .. `block` + 15 of a draw; the block's number wraps at 2^64.
inline void philox_run(uint32_t* words, uint64_t seed, uint64_t draw, uint64_t block) {
    constexpr int kWidth = WideLanes::width, kChains = 2;  // two hide each other's latency
    const Wide zero{};
    const Wide multiplier0 = 0xD2511F53 - zero, multiplier1 = 0xCD9E8D57 - zero;
    for (int64_t first = 0; first < kRunBlocks; first += kChains * kWidth) {
        Wide c0[kChains], c1[kChains], c2[kChains], c3[kChains];
        FASTNN_UNROLL for (int k = 0; k < kChains; ++k) {
            Wide number;
            for (int i = 0; i < kWidth; ++i) number[i] = block + uint64_t(first + k * kWidth + i);
            c0[k] = number;
            c1[k] = number >> 32;
            c2[k] = draw - zero;
            c3[k] = (draw >> 32) - zero;
        }
        uint32_t key0 = uint32_t(seed), key1 = uint32_t(seed >> 32);
        FASTNN_UNROLL for (int round = 0; round < 10; ++round) {
            const Wide k0 = uint64_t(key0) - zero, k1 = uint64_t(key1) - zero;
            FASTNN_UNROLL for (int k = 0; k < kChains; ++k) {
                const Wide p0 = multiply_low_halves(multiplier0, c0[k]);
                const Wide p1 = multiply_low_halves(multiplier1, c2[k]);
                c0[k] = (p1 >> 32) ^ c1[k] ^ k0;
                c2[k] = (p0 >> 32) ^ c3[k] ^ k1;
                c1[k] = p1;
                c3[k] = p0;
            }
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }
        FASTNN_UNROLL for (int k = 0; k < kChains; ++k) {
            // words 0 and 1 of a block in one lane, 2 and 3 in another (the low one first in
            // memory)
            store_interleaved(words + 4 * (first + k * kWidth), (c0[k] & kLowHalf) | (c1[k] << 32),
                              (c2[k] & kLowHalf) | (c3[k] << 32));
        }
    }
}

// words (n) of a draw, beginning with those of `block`. The type T means nothing.
template <class T>
void philox(uint32_t* words, int64_t n, uint64_t seed, uint64_t draw, uint64_t block) {
    uint32_t run[kRunWords];
    for (int64_t i = 0; i < n; i += kRunWords) {
        philox_run(run, seed, draw, block + uint64_t(i) / 4);
        std::memcpy(words + i, run, size_t(smaller(n - i, kRunWords)) * sizeof(uint32_t));
    }
}

}  // namespace
}  // namespace fastnn
