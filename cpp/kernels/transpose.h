// Transposition of small blocks, for packing.
#pragma once

#include <utility>

#include "simd.h"

namespace fastnn {
namespace {

template <class T, int Half, int... I>
inline Vec<T> zip(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    constexpr int W = Simd<T>::width;
    return __builtin_shufflevector(a, b, (Half * W / 2 + I / 2 + I % 2 * W)...);
}

// Zipping row i with row i + W/2 rotates the bits of (row, column) by one; log2(W) rounds of it
// swap row and column.
template <class T>
inline void transpose(Vec<T> (&rows)[Simd<T>::width]) {
    constexpr int W = Simd<T>::width;
    constexpr auto lanes = std::make_integer_sequence<int, W>{};
    FASTNN_UNROLL for (int round = 1; round < W; round *= 2) {
        Vec<T> next[W];
        FASTNN_UNROLL for (int i = 0; i < W / 2; ++i) {
            next[2 * i] = zip<T, 0>(rows[i], rows[i + W / 2], lanes);
            next[2 * i + 1] = zip<T, 1>(rows[i], rows[i + W / 2], lanes);
        }
        FASTNN_UNROLL for (int i = 0; i < W; ++i) rows[i] = next[i];
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
        FASTNN_UNROLL for (int i = 0; i < W; ++i) block[i] = load(from + i * row);
        transpose<T>(block);
        FASTNN_UNROLL for (int p = 0; p < W; ++p) store(to + p * to_stride, block[p]);
        return;
    }
    for (int i = 0; i < W; ++i) block[i] = i < rows ? load_n(from + i * row, depth) : Vec<T>{};
    transpose<T>(block);
    for (int p = 0; p < W && p < depth; ++p) store_n(to + p * to_stride, block[p], width);
}

}  // namespace
}  // namespace fastnn
