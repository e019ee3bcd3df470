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

// Values i, i + stride, ... of as many lanes as a vector has, side by side.
template <class T, int Lanes, int... I>
inline auto join_lanes(const T* p, int64_t stride, std::integer_sequence<int, I...>) {
    if constexpr (Lanes == 1) {
        typedef T Lane __attribute__((vector_size(kLaneBytes), aligned(alignof(T)), may_alias));
        typedef T Value __attribute__((vector_size(kLaneBytes)));
        return Value(*reinterpret_cast<const Lane*>(p));
    } else {
        constexpr auto half = std::make_integer_sequence<int, int(sizeof...(I)) / 2>{};
        const auto low = join_lanes<T, Lanes / 2>(p, stride, half);
        const auto high = join_lanes<T, Lanes / 2>(p + Lanes / 2 * stride, stride, half);
        return __builtin_shufflevector(low, high, I...);
    }
}

// In each lane the low (Half = 0) or high halves of a's and b's, value by value in turns.
template <class T, int Half, int... I>
inline Vec<T> zip(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    constexpr int W = Simd<T>::width, Q = kLane<T>;
    return __builtin_shufflevector(a, b, (I / Q * Q + Half * Q / 2 + I % Q / 2 + I % 2 * W)...);
}

// block[p][i] = from[i * row + p], of W x W values. Lanes are put in their places as they are
// loaded, and transposed within: zipping row i with row i + Q/2 rotates the bits of (row, column)
// by one, and log2(Q) rounds of it swap them.
template <class T>
inline void load_transposed(Vec<T> (&block)[Simd<T>::width], const T* from, int64_t row) {
    constexpr int W = Simd<T>::width, Q = kLane<T>;
    constexpr auto lanes = std::make_integer_sequence<int, W>{};
    FASTNN_UNROLL for (int p = 0; p < W; p += Q) {
        Vec<T> rows[Q];
        FASTNN_UNROLL for (int i = 0; i < Q; ++i) rows[i] =
            join_lanes<T, W / Q>(from + i * row + p, Q * row, lanes);
        FASTNN_UNROLL for (int round = 1; round < Q; round *= 2) {
            Vec<T> next[Q];
            FASTNN_UNROLL for (int i = 0; i < Q / 2; ++i) {
                next[2 * i] = zip<T, 0>(rows[i], rows[i + Q / 2], lanes);
                next[2 * i + 1] = zip<T, 1>(rows[i], rows[i + Q / 2], lanes);
            }
            FASTNN_UNROLL for (int i = 0; i < Q; ++i) rows[i] = next[i];
        }
        FASTNN_UNROLL for (int i = 0; i < Q; ++i) block[p + i] = rows[i];
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
    Vec<T> block[W];
    if (rows >= W && depth >= W && width >= W) {
        load_transposed<T>(block, from, row);
        FASTNN_UNROLL for (int p = 0; p < W; ++p) store(to + p * to_stride, block[p]);
        return;
    }
    T whole[W * W];
    for (int i = 0; i < W; ++i)
        store(whole + i * W, i < rows ? load_n(from + i * row, depth) : Vec<T>{});
    load_transposed<T>(block, whole, W);
    for (int p = 0; p < W && p < depth; ++p) store_n(to + p * to_stride, block[p], width);
}

}  // namespace
}  // namespace fastnn
