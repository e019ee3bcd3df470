// Softmax cross-entropy on logits with integer labels.
#pragma once

#include <cmath>
#include <limits>

#include "../parallel.h"
#include "lanes.h"

namespace fastnn {
namespace {

// losses (rows) = log(sum_j exp(z_j)) - z_label, probabilities (rows, classes) = softmax(logits).
// Shifted by the row's maximum, so no logit overflows. Labels lie in 0 .. classes - 1.
template <class T>
void softmax_cross_entropy_forward(T* losses, T* probabilities, const T* logits,
                                   const int64_t* labels, int64_t rows, int64_t classes) {
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    parallel_for(rows, 1, classes * 16, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const T* z = logits + i * classes;
            T* p = probabilities + i * classes;
            Lanes<T> top = Lanes<T>::Constant(lowest);
            for_lanes<T>(0, classes, [&](int64_t j, int64_t left) {
                top = top.template max<Eigen::PropagateNaN>(load_lanes(z + j, left, lowest));
            });
            const T shift = top.template maxCoeff<Eigen::PropagateNaN>();
            Lanes<T> sums = Lanes<T>::Zero();
            for_lanes<T>(0, classes, [&](int64_t j, int64_t left) {
                const Lanes<T> e = (load_lanes(z + j, left, lowest) - shift).exp();
                sums += e;
                store_lanes(p + j, e, left);
            });
            const T sum = sums.sum();
            for_lanes<T>(0, classes, [&](int64_t j, int64_t left) {
                store_lanes(p + j, Lanes<T>(load_lanes(p + j, left) / sum), left);
            });
            losses[i] = std::log(sum) + (shift - z[labels[i]]);
        }
    });
}

// dlogits (rows, classes) = (probabilities - one_hot(label)) dloss of the row.
template <class T>
void softmax_cross_entropy_backward(T* dlogits, const T* dlosses, int64_t dlosses_stride,
                                    const T* probabilities, const int64_t* labels, int64_t rows,
                                    int64_t classes) {
    parallel_for(rows, 1, classes, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const T* p = probabilities + i * classes;
            T* dz = dlogits + i * classes;
            const T dloss = dlosses[i * dlosses_stride];
            const T at_label = (p[labels[i]] - T(1)) * dloss;  // before dz, which may be p
            for_lanes<T>(0, classes, [&](int64_t j, int64_t left) {
                store_lanes(dz + j, Lanes<T>(load_lanes(p + j, left) * dloss), left);
            });
            dz[labels[i]] = at_label;
        }
    });
}

}  // namespace
}  // namespace fastnn
