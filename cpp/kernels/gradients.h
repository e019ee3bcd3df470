// What is done to gradients between backward and the optimizer's step: norms, clipping, penalties.
//
// Sums are taken in double, over parts that depend on n alone: neither their bits nor a gradient's
// overflow in float32 depend on the team.
#pragma once

#include "../kernels.h"
#include "../parallel.h"
#include "simd.h"
#include "transpose.h"

namespace fastnn {
namespace {

constexpr int64_t kGradientGrain = 1024;
constexpr int kSumParts = kSharedSums;

// A sum in double for each element of a vector of T. Kept by halves, each of which a float's
// vector becomes in one instruction: of a whole one the compiler converts element by element,
// which made a sum of squares 10 times slower.
template <class T>
class Sums {
  public:
    // + f(the values as doubles)
    template <class F>
    void add(Vec<T> v, F f) {
        if constexpr (sizeof(T) == sizeof(double))
            sums_[0] += f(v);
        else
            add_halves(v, f, std::make_integer_sequence<int, W>{});
    }

    double total() const {
        double all = 0;
        for (const Vec<double>& sum : sums_)
            for (int lane = 0; lane < W; ++lane) all += sum[lane];
        return all;
    }

  private:
    static constexpr int W = Simd<double>::width;

    template <class F, int... I>
    void add_halves(Vec<T> v, F f, std::integer_sequence<int, I...>) {
        sums_[0] += f(__builtin_convertvector(__builtin_shufflevector(v, v, I...), Vec<double>));
        sums_[1] +=
            f(__builtin_convertvector(__builtin_shufflevector(v, v, (W + I)...), Vec<double>));
    }

    Vec<double> sums_[sizeof(double) / sizeof(T)] = {};
};

inline Vec<double> squared(Vec<double> v) { return v * v; }

// The sum over 0 .. n - 1, cut at multiples of `grain`, of what add(sums, i, left) adds at i.
// `cost` is the work of one item.
template <class T, class Add>
double sum_in_parts(int64_t n, int64_t grain, int64_t cost, Add add) {
    double own[kSharedSums];
    double* const parts = shared_sums(own);
    parallel_for(kSumParts, 1, (n / kSumParts + 1) * cost, [&](int64_t first, int64_t last) {
        for (int64_t part = first; part < last; ++part) {
            const Range range = share(n, grain, int(part), kSumParts);
            Sums<T> sums;
            for_vectors<T>(range.begin, range.end,
                           [&](int64_t i, int64_t left) { add(sums, i, left); });
            parts[part] = sums.total();
        }
    });
    double total = 0;
    for (int part = 0; part < kSumParts; ++part) total += parts[part];
    return total;
}

template <class T, class Add>
double sum_of_elements(int64_t n, Add add) {
    return sum_in_parts<T>(n, kGradientGrain, kElementCost, add);
}

// *sum = the sum of (scale x)^2; a scale keeps huge and tiny values of float64 within range.
template <class T>
void squared_norm(double* sum, const T* x, double scale, int64_t n) {
    *sum = sum_of_elements<T>(n, [&](Sums<T>& sums, int64_t i, int64_t left) {
        sums.add(load_n(x + i, left), [&](Vec<double> v) { return squared(v * scale); });
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
    *sum = sum_of_elements<T>(n, [&](Sums<T>& sums, int64_t i, int64_t left) {
        const Vec<T> v = load_n(w + i, left);
        store_n(grad + i, load_n(grad + i, left) + (v > zero ? up : v < zero ? down : v), left);
        sums.add(v < zero ? -v : v, [](Vec<double> size) { return size; });
    });
}

// The gradient with that of the penalty l2 / 2 sum w^2.
template <class T>
inline Vec<T> with_l2(Vec<T> grad, Vec<T> l2, Vec<T> w) {
    return grad + l2 * w;
}

// grad (n) += l2 w
template <class T>
void l2_gradient(T* grad, const T* w, T l2, int64_t n) {
    const Vec<T> factor = broadcast(l2);
    parallel_for(n, kGradientGrain, kElementCost, [&](int64_t begin, int64_t end) {
        for_vectors<T>(begin, end, [&](int64_t i, int64_t left) {
            store_n(grad + i, with_l2<T>(load_n(grad + i, left), factor, load_n(w + i, left)),
                    left);
        });
    });
}

// sums += the squares of x (depth, one vector), whose rows are `stride` apart, one after another.
template <class T>
inline void add_squares(Sums<T>& sums, const T* x, int64_t stride, int64_t depth) {
    for (int64_t k = 0; k < depth; ++k) sums.add(load(x + k * stride), squared);
}

// *sum = the sum of w^2 over w (rows, cols), each row along itself: the order in which packed
// weights have them at hand, see packed_square_sum.
template <class T>
void square_sum(double* sum, const T* w, int64_t rows, int64_t cols) {
    constexpr int W = Simd<T>::width;
    const auto add = [&](Sums<T>& sums, int64_t i, int64_t left) {
        T block[W * W];
        for (int64_t j = 0; j < cols; j += W) {
            transpose(block, W, W, w + i * cols + j, cols, 1, left, cols - j);
            add_squares<T>(sums, block, W, smaller(W, cols - j));
        }
    };
    *sum = sum_in_parts<T>(rows, W, cols * kElementCost, add);
}

}  // namespace
}  // namespace fastnn
