// What is done to gradients between backward and the optimizer's step: norms, clipping, penalties.
//
// Sums are taken in double, over parts that depend on n alone: neither their bits nor a gradient's
// overflow in float32 depend on the team.
#pragma once

#include "../kernels.h"
#include "../parallel.h"
#include "simd.h"

namespace fastnn {
namespace {

constexpr int64_t kGradientGrain = 1024;
constexpr int kSumParts = kSharedSums;

// As many doubles as a vector of T has elements.
template <class T>
struct Sums {
    typedef double Vec __attribute__((vector_size(Simd<T>::width * sizeof(double))));
};

// The sum over 0 .. n - 1 of the vectors of doubles that add(sum, i, left) adds at i.
template <class T, class Add>
double sum_in_parts(int64_t n, Add add) {
    double own[kSharedSums];
    double* const parts = shared_sums(own);
    const int64_t cost = (n / kSumParts + 1) * kElementCost;
    parallel_for(kSumParts, 1, cost, [&](int64_t first, int64_t last) {
        for (int64_t part = first; part < last; ++part) {
            const Range range = share(n, kGradientGrain, int(part), kSumParts);
            typename Sums<T>::Vec sum{};
            for_vectors<T>(range.begin, range.end,
                           [&](int64_t i, int64_t left) { add(sum, i, left); });
            double total = 0;
            for (int lane = 0; lane < Simd<T>::width; ++lane) total += sum[lane];
            parts[part] = total;
        }
    });
    double total = 0;
    for (int part = 0; part < kSumParts; ++part) total += parts[part];
    return total;
}

// *sum = the sum of (scale x)^2; a scale keeps huge and tiny values of float64 within range.
template <class T>
void squared_norm(double* sum, const T* x, double scale, int64_t n) {
    *sum = sum_in_parts<T>(n, [&](typename Sums<T>::Vec& s, int64_t i, int64_t left) {
        const auto v = __builtin_convertvector(load_n(x + i, left), typename Sums<T>::Vec) * scale;
        s += v * v;
    });
}

// x (n) *= factor
template <class T>
void scale_values(T* x, T factor, int64_t n) {
    const Vec<T> times = broadcast(factor);
    parallel_for(n, kGradientGrain, kElementCost, [&](int64_t begin, int64_t end) {
        for_vectors<T>(begin, end, [&](int64_t i, int64_t left) {
            store_n(x + i, load_n(x + i, left) * times, left);
        });
    });
}

// x (n) into [-limit, limit]; NaN stays NaN.
template <class T>
void clip_values(T* x, T limit, int64_t n) {
    const Vec<T> high = broadcast(limit), low = -high;
    parallel_for(n, kGradientGrain, kElementCost, [&](int64_t begin, int64_t end) {
        for_vectors<T>(begin, end, [&](int64_t i, int64_t left) {
            const Vec<T> v = load_n(x + i, left);
            store_n(x + i, v > high ? high : v < low ? low : v, left);
        });
    });
}

// grad (n) += l1 sign(w), which is 0 at 0 and NaN at NaN; *sum = the sum of |w|.
template <class T>
void l1_gradient(double* sum, T* grad, const T* w, T l1, int64_t n) {
    const Vec<T> up = broadcast(l1), down = -up, zero{};
    *sum = sum_in_parts<T>(n, [&](typename Sums<T>::Vec& s, int64_t i, int64_t left) {
        const Vec<T> v = load_n(w + i, left);
        store_n(grad + i, load_n(grad + i, left) + (v > zero ? up : v < zero ? down : v), left);
        const Vec<T> size = v < zero ? -v : v;
        s += __builtin_convertvector(size, typename Sums<T>::Vec);
    });
}

// grad (n) += l2 w; *sum = the sum of w^2.
template <class T>
void l2_gradient(double* sum, T* grad, const T* w, T l2, int64_t n) {
    const Vec<T> factor = broadcast(l2);
    *sum = sum_in_parts<T>(n, [&](typename Sums<T>::Vec& s, int64_t i, int64_t left) {
        const Vec<T> v = load_n(w + i, left);
        store_n(grad + i, load_n(grad + i, left) + factor * v, left);
        const auto wide = __builtin_convertvector(v, typename Sums<T>::Vec);
        s += wide * wide;
    });
}

}  // namespace
}  // namespace fastnn
