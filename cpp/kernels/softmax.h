// Softmax and its logarithm over the rows of a matrix, and the passes over a row they are made of.
#pragma once

#include <limits>

#include "../parallel.h"
#include "maths.h"

namespace fastnn {
namespace {

// v with `padding` in the lanes from n on.
template <class T>
inline Vec<T> pad(Vec<T> v, int64_t n, T padding) {
    if (n >= Simd<T>::width) return v;
    Vec<T> lane{};
    for (int i = 0; i < Simd<T>::width; ++i) lane[i] = T(i);
    return lane < broadcast(T(n)) ? v : broadcast(padding);
}

template <class T>
constexpr T kLowest = -std::numeric_limits<T>::infinity();

// The largest of n values. NaN is passed over: in what a softmax does next it shows again.
template <class T>
inline T largest(const T* x, int64_t n) {
    Vec<T> top = broadcast(kLowest<T>);
    for_vectors<T>(0, n, [&](int64_t i, int64_t left) {
        const Vec<T> v = pad<T>(load_n(x + i, left), left, kLowest<T>);
        top = v > top ? v : top;
    });
    return fold_lanes<T>(top, [](Vec<T> a, Vec<T> b) { return b > a ? b : a; });
}

// The sum of term(i, left) for i = 0, width, ... < n; lanes beyond n must be 0.
template <class T, class Term>
inline T sum_of(int64_t n, Term term) {
    Vec<T> sum{};
    for_vectors<T>(0, n, [&](int64_t i, int64_t left) { sum += term(i, left); });
    return sum_lanes<T>(sum);
}

// exp(x - shift) of the vector at x, 0 in the lanes from n on.
template <class T>
inline Vec<T> shifted_exp(const T* x, int64_t n, T shift) {
    return exp<T>(pad<T>(load_n(x, n), n, kLowest<T>) - shift);
}

// A row x as its softmax sees it: its largest value, and the sum of exp(x - shift).
template <class T>
struct Normalizer {
    T shift, sum;
};

// y = exp(x) / sum of exp(x) over a row of n, shifted by its largest value, so nothing overflows.
// y may be x.
template <class T>
inline Normalizer<T> softmax_row(T* y, const T* x, int64_t n) {
    const T shift = largest(x, n);
    const T sum = sum_of<T>(n, [&](int64_t j, int64_t left) {
        const Vec<T> e = shifted_exp(x + j, left, shift);
        store_n(y + j, e, left);
        return e;
    });
    for_vectors<T>(
        0, n, [&](int64_t j, int64_t left) { store_n(y + j, load_n(y + j, left) / sum, left); });
    return {shift, sum};
}

// Rows of at most so many values are taken a vector of rows at a time, a row in each lane: 200 rows
// of 10 floats take 5.4 us on AVX2, along their values, row after row, 12.1; of 26 10.2 and 12.3.
constexpr int64_t kNarrowRow = 32;

// softmax_row of `count` narrow rows, at most a vector of them, with its bits: a row is summed in
// the order of sum_of. What lanes beyond them hold is that of the first.
template <class T>
inline Normalizer<Vec<T>> softmax_narrow_rows(T* y, const T* x, int count, int64_t cols) {
    constexpr int W = Simd<T>::width;
    Vec<T> e[kNarrowRow], parts[W] = {}, shift = broadcast(kLowest<T>);
    int64_t place[W];
    for (int r = 0; r < W; ++r) place[r] = r < count ? r * cols : 0;
    for (int64_t j = 0; j < cols; ++j) {
        FASTNN_UNROLL for (int r = 0; r < W; ++r) e[j][r] = x[place[r] + j];
        shift = e[j] > shift ? e[j] : shift;
    }
    for (int64_t j = 0; j < cols; ++j) e[j] = exp<T>(e[j] - shift);
    FASTNN_UNROLL for (int l = 0; l < W; ++l) {
        for (int64_t j = l; j < cols; j += W) parts[l] += e[j];
    }
    FASTNN_UNROLL for (int half = W / 2; half > 0; half /= 2)
        FASTNN_UNROLL for (int l = 0; l < half; ++l) parts[l] += parts[l + half];
    const Vec<T> sum = parts[0];
    for (int64_t j = 0; j < cols; ++j) {
        const Vec<T> p = e[j] / sum;
        FASTNN_UNROLL for (int r = 0; r < W; ++r) if (r < count) y[place[r] + j] = p[r];
    }
    return {shift, sum};
}

// softmax_row of several rows, and body(row, its largest value, the log of its sum) of each.
template <class T, class Body>
inline void softmax_rows(T* y, const T* x, int64_t begin, int64_t end, int64_t cols, Body body) {
    for_vectors<T>(begin, end, [&](int64_t first, int64_t left) {
        const int count = int(smaller(Simd<T>::width, left));
        Normalizer<Vec<T>> of{Vec<T>{}, broadcast(T(1))};
        if (cols <= kNarrowRow) {
            of = softmax_narrow_rows(y + first * cols, x + first * cols, count, cols);
        } else {
            for (int r = 0; r < count; ++r) {
                const int64_t place = (first + r) * cols;
                const Normalizer<T> row = softmax_row(y + place, x + place, cols);
                of.shift[r] = row.shift, of.sum[r] = row.sum;
            }
        }
        const Vec<T> logs = log<T>(of.sum);
        for (int r = 0; r < count; ++r) body(first + r, of.shift[r], logs[r]);
    });
}

template <class T, class Body>
inline void each_row(int64_t rows, int64_t cols, Body body) {
    parallel_rows(rows, cols * 4 * kElementCost, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) body(i * cols);
    });
}

// y (rows, cols) = softmax(x) of each row. y may be x.
template <class T>
void softmax_forward(T* y, const T* x, int64_t rows, int64_t cols) {
    parallel_rows(rows, cols * 4 * kElementCost, [&](int64_t begin, int64_t end) {
        softmax_rows(y, x, begin, end, cols, [](int64_t, T, T) {});
    });
}

// dx (rows, cols) = y (dy - sum of dy y over the row). dx may be dy or y.
template <class T>
void softmax_backward(T* dx, const T* dy, const T* y, int64_t rows, int64_t cols) {
    each_row<T>(rows, cols, [&](int64_t row) {
        const T sum = sum_of<T>(cols, [&](int64_t j, int64_t left) {
            return load_n(dy + row + j, left) * load_n(y + row + j, left);
        });
        for_vectors<T>(0, cols, [&](int64_t j, int64_t left) {
            const Vec<T> d = load_n(dy + row + j, left) - sum;
            store_n(dx + row + j, load_n(y + row + j, left) * d, left);
        });
    });
}

// y (rows, cols) = x - log of the sum of exp(x) over the row. y may be x.
template <class T>
void log_softmax_forward(T* y, const T* x, int64_t rows, int64_t cols) {
    each_row<T>(rows, cols, [&](int64_t row) {
        const T shift = largest(x + row, cols);
        const T sum = sum_of<T>(
            cols, [&](int64_t j, int64_t left) { return shifted_exp(x + row + j, left, shift); });
        const T log_sum = std::log(sum);
        for_vectors<T>(0, cols, [&](int64_t j, int64_t left) {
            store_n(y + row + j, (load_n(x + row + j, left) - shift) - log_sum, left);
        });
    });
}

// dx (rows, cols) = dy - exp(y) times the sum of dy over the row. dx may be dy or y.
template <class T>
void log_softmax_backward(T* dx, const T* dy, const T* y, int64_t rows, int64_t cols) {
    each_row<T>(rows, cols, [&](int64_t row) {
        const T sum =
            sum_of<T>(cols, [&](int64_t j, int64_t left) { return load_n(dy + row + j, left); });
        for_vectors<T>(0, cols, [&](int64_t j, int64_t left) {
            const Vec<T> p = exp<T>(load_n(y + row + j, left));
            store_n(dx + row + j, load_n(dy + row + j, left) - p * sum, left);
        });
    });
}

}  // namespace
}  // namespace fastnn
