// Sums over rows.
#pragma once

#include "../parallel.h"
#include "simd.h"

namespace fastnn {
namespace {

// sum (cols) = sum over the rows of x (rows, cols), one chain a column in the order of the rows.
template <class T>
void column_sum(T* sum, const T* x, int64_t rows, int64_t cols) {
    parallel_for(cols, Simd<T>::width, rows * kElementCost, [&](int64_t begin, int64_t end) {
        for_vectors<T>(begin, end, [&](int64_t j, int64_t left) {
            Vec<T> s{};
            for (int64_t i = 0; i < rows; ++i) s += load_n(x + i * cols + j, left);
            store_n(sum + j, s, left);
        });
    });
}

}  // namespace
}  // namespace fastnn
