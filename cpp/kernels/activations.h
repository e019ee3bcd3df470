// Activations, element by element over n values.
#pragma once

#include "../parallel.h"
#include "simd.h"

namespace fastnn {
namespace {

constexpr int64_t kElementGrain = 4096;

// y (n) = max(x, 0); NaN stays NaN.
template <class T>
void relu_forward(T* y, const T* x, int64_t n) {
    parallel_for(n, kElementGrain, kElementCost, [&](int64_t begin, int64_t end) {
        for_vectors<T>(begin, end, [&](int64_t i, int64_t left) {
            store_n(y + i, relu<T>(load_n(x + i, left)), left);
        });
    });
}

// dx (n) = dy where y > 0, else 0. dx may be dy.
template <class T>
void relu_backward(T* dx, const T* dy, const T* y, int64_t n) {
    parallel_for(n, kElementGrain, kElementCost, [&](int64_t begin, int64_t end) {
        for_vectors<T>(begin, end, [&](int64_t i, int64_t left) {
            store_n(dx + i, relu_mask<T>(load_n(dy + i, left), load_n(y + i, left)), left);
        });
    });
}

}  // namespace
}  // namespace fastnn
