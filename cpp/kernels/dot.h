// Products with at most four columns: vectors along the columns would be nearly empty.
//
// From two vectors of k on, vectors run along k: each element is `width` interleaved chains of
// multiply-adds, added in a fixed order at the end. Below, it is one chain, as in gemm.h. Which of
// the two depends on the shape of B alone, so the bits of a row do not depend on the other rows.
#pragma once

#include "../kernels.h"
#include "../parallel.h"
#include "../workspace.h"
#include "simd.h"
#include "transpose.h"

namespace fastnn {
namespace {

constexpr int kDotColumns = 4;
constexpr int kDotRows = 4;

template <class T>
inline T sum_lanes(Vec<T> v) {
    T lane[Simd<T>::width];
    store(lane, v);
    for (int half = Simd<T>::width / 2; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
    return lane[0];
}

// One finished element, with bias, ReLU and mask.
template <class T>
inline void store_element(const Gemm<T>& g, T s, int64_t i, int64_t j) {
    if (g.bias) s += g.bias[j];
    if (g.relu) s = s > T(0) || s != s ? s : T(0);
    if (g.mask) s = g.mask[i * g.c_row + j] > T(0) ? s : T(0);
    g.c[i * g.c_row + j * g.c_col] = s;
}

// Rows i.. of A (k contiguous) against all columns of B, given as N rows of k.
template <class T, int MR, int N>
void dot_tile(const Gemm<T>& g, const T* b, int64_t b_stride, int64_t i) {
    constexpr int W = Simd<T>::width;
    Vec<T> sum[MR][N];
    FASTNN_UNROLL for (int r = 0; r < MR; ++r) FASTNN_UNROLL for (int j = 0; j < N; ++j) sum[r][j] =
        Vec<T>{};
    const T* a = g.a + i * g.a_row;
    const int64_t whole = g.k / W * W;
    const auto step = [&](int64_t p, int64_t n) {
        FASTNN_UNROLL for (int r = 0; r < MR; ++r) {
            const Vec<T> x = load_n(a + r * g.a_row + p, n);
            FASTNN_UNROLL for (int j = 0; j < N; ++j) sum[r][j] +=
                x * load_n(b + j * b_stride + p, n);
        }
    };
    for (int64_t p = 0; p < whole; p += W) step(p, W);
    if (whole < g.k) step(whole, g.k - whole);
    for (int r = 0; r < MR; ++r) {
        for (int j = 0; j < N; ++j) {
            store_element(g, sum_lanes<T>(sum[r][j]), i + r, j);
        }
    }
}

template <class T, int N>
void dot_rows(const Gemm<T>& g, const T* b, int64_t b_stride, int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kDotRows <= end; i += kDotRows) dot_tile<T, kDotRows, N>(g, b, b_stride, i);
    for (; i < end; ++i) dot_tile<T, 1, N>(g, b, b_stride, i);
}

// k too short for vectors: packing and adding lanes would cost more than the product.
template <class T>
void short_products(const Gemm<T>& g) {
    parallel_for(g.m, kDotRows, g.n * (g.k + kElementCost), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            for (int64_t j = 0; j < g.n; ++j) {
                T s = 0;
                for (int64_t p = 0; p < g.k; ++p)
                    s += g.a[i * g.a_row + p] * g.b[p * g.b_row + j * g.b_col];
                store_element(g, s, i, j);
            }
        }
    });
}

template <class T>
void dot_products(const Gemm<T>& g) {
    if (g.k < 2 * Simd<T>::width) return short_products(g);
    using Fn = void (*)(const Gemm<T>&, const T*, int64_t, int64_t, int64_t);
    static constexpr Fn by_columns[kDotColumns] = {&dot_rows<T, 1>, &dot_rows<T, 2>,
                                                   &dot_rows<T, 3>, &dot_rows<T, 4>};
    const bool in_place = g.b_row == 1;
    parallel_for(g.m, kDotRows, g.n * g.k, [&](int64_t begin, int64_t end) {
        const T* b = g.b;
        int64_t stride = g.b_col;
        if (!in_place) {
            T* const packed = static_cast<T*>(workspace(size_t(g.n * g.k) * sizeof(T)));
            for (int64_t p = 0; p < g.k; ++p)
                for (int64_t j = 0; j < g.n; ++j)
                    packed[j * g.k + p] = g.b[p * g.b_row + j * g.b_col];
            b = packed, stride = g.k;
        }
        by_columns[g.n - 1](g, b, stride, begin, end);
    });
}

}  // namespace
}  // namespace fastnn
