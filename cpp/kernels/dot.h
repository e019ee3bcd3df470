// Products with few columns: vectors along the columns would be nearly empty.
//
// Vectors run along k instead: each element is `width` interleaved chains of multiply-adds, added
// in a fixed order at the end. Whether it is that or one chain, as in tile.h, depends on the shape
// of B alone, so the bits of a row do not depend on the other rows.
#pragma once

#include "../kernels.h"
#include "../parallel.h"
#include "../workspace.h"
#include "simd.h"
#include "transpose.h"

namespace fastnn {
namespace {

constexpr int kDotColumns = 8;

// Where adding lanes, 2 shuffles a sum, costs less than the empty lanes of a tile would.
template <class T>
inline bool is_dot(const Gemm<T>& g) {
    return g.n <= kDotColumns && g.a_col == 1 && g.k >= 4 * (g.n - 1);
}

// Adds the lanes of each of Count = 2, 4, ... W vectors, all at once: `sums[0]` then holds their
// sums, in order, with W / Count of each. Per sum it costs 2 shuffles and an addition, where a
// vector alone costs 20 cycles and more. The additions are those of sum_lanes.
template <class T, int Count, int Parts = 1>
inline void sum_lanes_of(Vec<T>* sums) {
    if constexpr (Count > 1) {
        constexpr auto lanes = std::make_integer_sequence<int, Simd<T>::width>{};
        FASTNN_UNROLL for (int i = 0; i < Count / 2; ++i) {
            const Vec<T> a = sums[2 * i], b = sums[2 * i + 1];
            sums[i] = halves<T, Parts, 0>(a, b, lanes) + halves<T, Parts, 1>(a, b, lanes);
        }
        sum_lanes_of<T, Count / 2, 2 * Parts>(sums);
    }
}

// One finished element, with bias, ReLU and mask.
template <class T>
inline void store_element(const Gemm<T>& g, T s, int64_t i, int64_t j) {
    if (g.bias) s += g.bias[j];
    if (g.relu) s = s > T(0) || s != s ? s : T(0);
    if (g.mask) s = g.mask[i * g.c_row + j] > T(0) ? s : T(0);
    g.c[i * g.c_row + j * g.c_col] = s;
}

// As many rows as give one vector of sums; and as few as make a tile of their own, whose sums only
// wait for each other: 1 x 2048 x 1 takes 0.8 us, and took 1.5 as one row of a whole tile.
template <class T, int N>
constexpr int kDotRows = N < Simd<T>::width ? Simd<T>::width / N : 1;
template <class T, int N>
constexpr int kFewDotRows = kDotRows<T, N> > 4 ? kDotRows<T, N> / 4 : 1;

// `rows` rows from i on of A (k contiguous) against all columns of B, given as N rows of k. Of less
// than a whole tile, rows beyond are computed as the last one again.
template <class T, int N, int MR, bool Whole>
void dot_tile(const Gemm<T>& g, const T* b, int64_t b_stride, int64_t i, int64_t rows) {
    constexpr int W = Simd<T>::width, Sums = MR * N > W ? MR * N : W;
    Vec<T> sum[Sums] = {};
    const T* a[MR];
    FASTNN_UNROLL for (int r = 0; r < MR; ++r) a[r] =
        g.a + (i + (Whole ? r : smaller(r, rows - 1))) * g.a_row;
    const auto step = [&](int64_t p, int64_t n) {
        Vec<T> y[N];
        FASTNN_UNROLL for (int j = 0; j < N; ++j) y[j] = load_n(b + j * b_stride + p, n);
        FASTNN_UNROLL for (int r = 0; r < MR; ++r) {
            const Vec<T> x = load_n(a[r] + p, n);
            FASTNN_UNROLL for (int j = 0; j < N; ++j) sum[r * N + j] += x * y[j];
        }
    };
    const int64_t whole = g.k / W * W;
    for (int64_t p = 0; p < whole; p += W) step(p, W);
    if (whole < g.k) step(whole, g.k - whole);
    T sums[Sums];
    if constexpr (Sums == W) {
        sum_lanes_of<T, W>(sum);
        if (g.c_col == 1 && g.c_row == N && !(g.bias || g.relu || g.mask))
            return store_n(g.c + i * N, sum[0], rows * N);
        store(sums, sum[0]);
    } else {
        for (int s = 0; s < Sums; ++s) sums[s] = sum_lanes<T>(sum[s]);
    }
    for (int r = 0; r < rows; ++r)
        for (int j = 0; j < N; ++j) store_element(g, sums[r * N + j], i + r, j);
}

template <class T, int N>
void dot_rows(const Gemm<T>& g, const T* b, int64_t b_stride, int64_t begin, int64_t end) {
    constexpr int MR = kDotRows<T, N>, few = kFewDotRows<T, N>;
    int64_t i = begin;
    for (; i + MR <= end; i += MR) dot_tile<T, N, MR, true>(g, b, b_stride, i, MR);
    if (i == end) return;
    if (end - i <= few) return dot_tile<T, N, few, false>(g, b, b_stride, i, end - i);
    dot_tile<T, N, MR, false>(g, b, b_stride, i, end - i);
}

// B as g.n rows of k. Where B's rows lie together, lanes of them are turned as they are loaded,
// what lies beside the columns too, as long as it is B's own memory: 1 x 1024 x 2 takes 0.9 us, and
// took 2.1 column by column.
template <class T>
void pack_columns(T* to, const Gemm<T>& g) {
    constexpr int W = Simd<T>::width, Q = kLane<T>;
    const int64_t end = (g.k - 1) * g.b_row + g.n;
    for (int64_t p = 0; p < g.k; p += W) {
        for (int64_t j = 0; j < g.n; j += Q) {
            const T* const from = g.b + p * g.b_row + j * g.b_col;
            T* const place = to + j * g.k + p;
            if (g.b_col == 1 && p + W <= g.k && (p + W - 1) * g.b_row + j + Q <= end) {
                Vec<T> columns[Q];
                load_transposed<T>(columns, from, g.b_row);
                for (int64_t q = 0; q < smaller(Q, g.n - j); ++q)
                    store(place + q * g.k, columns[q]);
            } else {
                for (int64_t q = 0; q < smaller(Q, g.n - j); ++q)
                    for (int64_t r = 0; r < smaller(W, g.k - p); ++r)
                        place[q * g.k + r] = from[r * g.b_row + q * g.b_col];
            }
        }
    }
}

template <class T, int... Before>
void dot_products(const Gemm<T>& g, std::integer_sequence<int, Before...>) {
    using Fn = void (*)(const Gemm<T>&, const T*, int64_t, int64_t, int64_t);
    static constexpr Fn by_columns[] = {&dot_rows<T, Before + 1>...};
    parallel_for(g.m, Simd<T>::width, g.n * (g.k + kElementCost), [&](int64_t begin, int64_t end) {
        if (g.b_row == 1) return by_columns[g.n - 1](g, g.b, g.b_col, begin, end);
        T* const packed = static_cast<T*>(workspace(size_t(g.n * g.k) * sizeof(T)));
        pack_columns(packed, g);
        by_columns[g.n - 1](g, packed, g.k, begin, end);
    });
}

template <class T>
void dot_products(const Gemm<T>& g) {
    dot_products(g, std::make_integer_sequence<int, kDotColumns>{});
}

}  // namespace
}  // namespace fastnn
