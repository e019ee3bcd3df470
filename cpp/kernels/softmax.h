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

// The largest of n values. NaN is passed over: in what a softmax does next it shows again.
template <class T>
inline T largest(const T* x, int64_t n) {
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    Vec<T> top = broadcast(lowest);
    for_vectors<T>(0, n, [&](int64_t i, int64_t left) {
        const Vec<T> v = pad<T>(load_n(x + i, left), left, lowest);
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
    return exp<T>(pad<T>(load_n(x, n), n, -std::numeric_limits<T>::infinity()) - shift);
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

template <class T, class Body>
inline void each_row(int64_t rows, int64_t cols, Body body) {
    parallel_rows(rows, cols * 4 * kElementCost, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) body(i * cols);
    });
}

// y (rows, cols) = softmax(x) of each row. y may be x.
template <class T>
void softmax_forward(T* y, const T* x, int64_t rows, int64_t cols) {
    each_row<T>(rows, cols, [&](int64_t row) { softmax_row(y + row, x + row, cols); });
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
