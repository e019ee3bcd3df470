// Transposition of small blocks, for packing.
#pragma once

#include <utility>

#include "simd.h"

namespace fastnn {
namespace {

// A vector is made of lanes of 16 bytes, and only within them are shuffles cheap.
constexpr int kLaneBytes = 16;
template <class T>
constexpr int kLane = kLaneBytes / int(sizeof(T));

// Lanes at p, p + stride, ..., as many as a vector has. By intrinsics, which move bits of any type:
// an insertion from memory is then one instruction and no shuffle, where the compiler makes two
// instructions of __builtin_shufflevector, one of them a shuffle.
template <class T>
inline Vec<T> join_lanes(const T* p, int64_t stride) {
#if FASTNN_VECTOR_BYTES == 32 || defined(__AVX512F__)
    const auto lane = [=](int i) {
        return _mm_loadu_ps(reinterpret_cast<const float*>(p + i * stride));
    };
#endif
#if defined(__AVX512F__)
    __m512 v = _mm512_castps128_ps512(lane(0));
    v = _mm512_insertf32x4(v, lane(1), 1);
    v = _mm512_insertf32x4(v, lane(2), 2);
    return Vec<T>(_mm512_insertf32x4(v, lane(3), 3));
#elif FASTNN_VECTOR_BYTES == 32
    return Vec<T>(_mm256_insertf128_ps(_mm256_castps128_ps256(lane(0)), lane(1), 1));
#else
    Vec<T> v;
    for (int i = 0; i < FASTNN_VECTOR_BYTES / kLaneBytes; ++i)
        std::memcpy(reinterpret_cast<char*>(&v) + i * kLaneBytes, p + i * stride, kLaneBytes);
    return v;
#endif
}

// In each lane the low (Half = 0) or high halves of a's and b's, value by value in turns.
template <class T, int Half, int... I>
inline Vec<T> zip(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    constexpr int W = Simd<T>::width, Q = kLane<T>;
    return __builtin_shufflevector(a, b, (I / Q * Q + Half * Q / 2 + I % Q / 2 + I % 2 * W)...);
}

// block[p][i] = from[i * row + p], of W rows and as many values as a lane has. Lanes are put in
// their places as they are loaded, and transposed within: zipping row i with row i + Q/2 rotates
// the bits of (row, column) by one, and log2(Q) rounds of it swap them.
template <class T>
inline void load_transposed(Vec<T> (&block)[kLane<T>], const T* from, int64_t row) {
    constexpr int W = Simd<T>::width, Q = kLane<T>;
    constexpr auto lanes = std::make_integer_sequence<int, W>{};
    FASTNN_UNROLL for (int i = 0; i < Q; ++i) block[i] = join_lanes(from + i * row, Q * row);
    FASTNN_UNROLL for (int round = 1; round < Q; round *= 2) {
        Vec<T> next[Q];
        FASTNN_UNROLL for (int i = 0; i < Q / 2; ++i) {
            next[2 * i] = zip<T, 0>(block[i], block[i + Q / 2], lanes);
            next[2 * i + 1] = zip<T, 1>(block[i], block[i + Q / 2], lanes);
        }
        FASTNN_UNROLL for (int i = 0; i < Q; ++i) block[i] = next[i];
    }
}

// W x W values: to[p * to_stride + i] = from[i * row + p].
template <class T>
inline void transpose_block(T* to, int64_t to_stride, const T* from, int64_t row) {
    constexpr int W = Simd<T>::width, Q = kLane<T>;
    FASTNN_UNROLL for (int p = 0; p < W; p += Q) {
        Vec<T> block[Q];
        load_transposed<T>(block, from + p, row);
        FASTNN_UNROLL for (int i = 0; i < Q; ++i) store(to + (p + i) * to_stride, block[i]);
    }
}

// to[p * to_stride + i] = from[i * row + p * col] for i < width, p < depth (at most one vector
// each way); zero where i >= rows.
template <class T>
inline void transpose(T* to, int64_t to_stride, int64_t width, const T* from, int64_t row,
                      int64_t col, int64_t rows, int64_t depth) {
    constexpr int W = Simd<T>::width;
    if (col != 1) {  // neither rows nor columns lie together: one by one
        for (int64_t p = 0; p < depth && p < W; ++p)
            for (int64_t i = 0; i < width; ++i)
                to[p * to_stride + i] = i < rows ? from[i * row + p * col] : T(0);
        return;
    }
    if (rows >= W && depth >= W && width >= W) return transpose_block(to, to_stride, from, row);
    T whole[W * W], turned[W * W];
    for (int i = 0; i < W; ++i)
        store(whole + i * W, i < rows ? load_n(from + i * row, depth) : Vec<T>{});
    transpose_block(turned, W, whole, W);
    for (int p = 0; p < W && p < depth; ++p)
        store_n(to + p * to_stride, load(turned + p * W), width);
}

}  // namespace
}  // namespace fastnn
