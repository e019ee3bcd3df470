// Losses of classes: softmax cross-entropy on logits, with integer labels or with a probability for
// each class, and negative log-likelihood; and what reduces the losses of a batch to one number.
#pragma once

#include <cmath>

#include "../kernels.h"
#include "../parallel.h"
#include "softmax.h"

namespace fastnn {
namespace {

// The smoothed, weighted target of the classes from j on: weight (keep t + share), 0 beyond the
// row. t may be null, which stands for zeros.
template <class T>
inline Vec<T> soft_target(const CrossEntropy<T>& rule, const T* t, int64_t j, int64_t left) {
    Vec<T> target = broadcast(rule.share);
    if (t) target += load_n(t + j, left) * rule.keep;
    if (rule.weight) target *= load_n(rule.weight + j, left);
    return pad<T>(target, left, T(0));
}

// sum_j of the soft target times -log softmax(z)_j.
template <class T>
inline T soft_loss(const CrossEntropy<T>& rule, const T* t, const T* z, T shift, T log_sum,
                   int64_t classes) {
    return sum_of<T>(classes, [&](int64_t j, int64_t left) {
        const Vec<T> shifted = pad<T>(load_n(z + j, left), left, shift) - shift;
        return soft_target(rule, t, j, left) * (log_sum - shifted);
    });
}

template <class T>
inline T soft_target_sum(const CrossEntropy<T>& rule, const T* t, int64_t classes) {
    return sum_of<T>(classes,
                     [&](int64_t j, int64_t left) { return soft_target(rule, t, j, left); });
}

// dz (classes) = (p total - soft target) dloss, with total the sum of the whole target.
template <class T>
inline void soft_backward(T* dz, const CrossEntropy<T>& rule, const T* t, const T* p, T total,
                          T dloss, int64_t classes) {
    for_vectors<T>(0, classes, [&](int64_t j, int64_t left) {
        const Vec<T> d = load_n(p + j, left) * total - soft_target(rule, t, j, left);
        store_n(dz + j, d * dloss, left);
    });
}

template <class T>
inline void fill_row(T* row, T value, int64_t n) {
    for_vectors<T>(0, n,
                   [&](int64_t j, int64_t left) { store_n(row + j, broadcast(value), left); });
}

// losses (rows) = log(sum_j exp(z_j)) - z_label, weighted and smoothed; probabilities (rows,
// classes) = softmax(logits). Labels lie in 0 .. classes - 1, or are the one to ignore: loss 0.
template <class T>
void softmax_cross_entropy_forward(T* losses, T* probabilities, const T* logits,
                                   const int64_t* labels, int64_t rows, int64_t classes,
                                   const CrossEntropy<T>& rule) {
    parallel_rows(rows, classes * 16, [&](int64_t begin, int64_t end) {
        const auto loss_of = [&](int64_t i, T shift, T log_sum) {
            if (labels[i] == rule.ignore_index) return T(0);
            const T* const z = logits + i * classes;
            T loss = log_sum + (shift - z[labels[i]]);
            if (rule.weight) loss *= rule.weight[labels[i]];
            if (rule.share > T(0))
                loss = loss * rule.keep + soft_loss<T>(rule, nullptr, z, shift, log_sum, classes);
            return loss;
        };
        softmax_rows(
            probabilities, logits, begin, end, classes,
            [&](int64_t i, T shift, T log_sum) { losses[i] = loss_of(i, shift, log_sum); });
    });
}

// dlogits (rows, classes) = (probabilities - one_hot(label)) dloss of the row, weighted and
// smoothed; 0 in rows to ignore. dlogits may be probabilities.
template <class T>
void softmax_cross_entropy_backward(T* dlogits, const LossGrad<T>& dlosses, const T* probabilities,
                                    const int64_t* labels, int64_t rows, int64_t classes,
                                    const CrossEntropy<T>& rule) {
    const T share_sum = rule.share > T(0) ? soft_target_sum<T>(rule, nullptr, classes) : T(0);
    parallel_rows(rows, classes, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const T* p = probabilities + i * classes;
            T* dz = dlogits + i * classes;
            const int64_t label = labels[i];
            if (label == rule.ignore_index) {
                fill_row(dz, T(0), classes);
                continue;
            }
            const T weight = rule.weight ? rule.weight[label] : T(1);
            const T dloss = dlosses.at(i);
            if (rule.share > T(0)) {
                const T hard = rule.keep * weight, total = hard + share_sum;
                const T at_label = (p[label] * total - hard - weight * rule.share) * dloss;
                soft_backward<T>(dz, rule, nullptr, p, total, dloss, classes);
                dz[label] = at_label;
                continue;
            }
            const T scaled = dloss * weight;
            const T at_label = (p[label] - T(1)) * scaled;  // before dz, which may be p
            for_vectors<T>(0, classes, [&](int64_t j, int64_t left) {
                store_n(dz + j, load_n(p + j, left) * scaled, left);
            });
            dz[label] = at_label;
        }
    });
}

// losses (rows) = -sum_j t_j log softmax(z)_j, weighted and smoothed, for targets t (rows,
// classes); probabilities as above.
template <class T>
void soft_cross_entropy_forward(T* losses, T* probabilities, const T* logits, const T* targets,
                                int64_t rows, int64_t classes, const CrossEntropy<T>& rule) {
    parallel_rows(rows, classes * 16, [&](int64_t begin, int64_t end) {
        softmax_rows(probabilities, logits, begin, end, classes,
                     [&](int64_t i, T shift, T log_sum) {
                         losses[i] = soft_loss(rule, targets + i * classes, logits + i * classes,
                                               shift, log_sum, classes);
                     });
    });
}

// dlogits (rows, classes) = (p sum_j t_j - t) dloss of the row, with t weighted and smoothed.
// dlogits may be probabilities.
template <class T>
void soft_cross_entropy_backward(T* dlogits, const LossGrad<T>& dlosses, const T* probabilities,
                                 const T* targets, int64_t rows, int64_t classes,
                                 const CrossEntropy<T>& rule) {
    parallel_rows(rows, classes * 4, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const T* t = targets + i * classes;
            const T total = soft_target_sum(rule, t, classes);
            soft_backward(dlogits + i * classes, rule, t, probabilities + i * classes, total,
                          dlosses.at(i), classes);
        }
    });
}

// dtargets (rows, classes) = -log softmax(z) dloss of the row, weighted, times `keep`.
template <class T>
void soft_cross_entropy_backward_target(T* dtargets, const LossGrad<T>& dlosses, const T* logits,
                                        int64_t rows, int64_t classes,
                                        const CrossEntropy<T>& rule) {
    parallel_rows(rows, classes * 16, [&](int64_t begin, int64_t end) {
        const auto write = [&](int64_t i, T shift, T log_sum) {
            const T* const z = logits + i * classes;
            const T dloss = dlosses.at(i) * rule.keep;
            for_vectors<T>(0, classes, [&](int64_t j, int64_t left) {
                Vec<T> d = (log_sum - (load_n(z + j, left) - shift)) * dloss;
                if (rule.weight) d *= load_n(rule.weight + j, left);
                store_n(dtargets + i * classes + j, d, left);
            });
        };
        softmax_rows(dtargets, logits, begin, end, classes, write);  // softmax: scratch
    });
}

// losses (rows) = -x_label, weighted, for log-probabilities x (rows, classes); 0 in rows to ignore.
template <class T>
void nll_forward(T* losses, const T* x, const int64_t* labels, int64_t rows, int64_t classes,
                 const CrossEntropy<T>& rule) {
    parallel_rows(rows, kElementCost, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t label = labels[i];
            const bool ignored = label == rule.ignore_index;
            const T weight = rule.weight && !ignored ? rule.weight[label] : T(1);
            losses[i] = ignored ? T(0) : -x[i * classes + label] * weight;
        }
    });
}

// dx (rows, classes) = -weight dloss of the row at its label, else 0.
template <class T>
void nll_backward(T* dx, const LossGrad<T>& dlosses, const int64_t* labels, int64_t rows,
                  int64_t classes, const CrossEntropy<T>& rule) {
    parallel_rows(rows, classes, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t label = labels[i];
            fill_row(dx + i * classes, T(0), classes);
            if (label == rule.ignore_index) continue;
            const T weight = rule.weight ? rule.weight[label] : T(1);
            dx[i * classes + label] = -(weight * dlosses.at(i));
        }
    });
}

// total = the weights of the labels (rows) summed, those to ignore left out: what a mean of losses
// divides by.
template <class T>
void label_weight(double* total, const int64_t* labels, int64_t rows, const CrossEntropy<T>& rule) {
    double sum = 0;
    for (int64_t i = 0; i < rows; ++i) {
        if (labels[i] == rule.ignore_index) continue;
        sum += rule.weight ? double(rule.weight[labels[i]]) : 1.0;
    }
    *total = sum;
}

// total = sum of losses (n) / divisor, added in float64 and in an order that depends on n alone.
template <class T>
void loss_total(T* total, const T* losses, int64_t n, double divisor) {
    constexpr int kSums = 16;
    double sums[kSums] = {};
    int64_t i = 0;
    for (; i + kSums <= n; i += kSums)
        for (int k = 0; k < kSums; ++k) sums[k] += double(losses[i + k]);
    for (; i < n; ++i) sums[i % kSums] += double(losses[i]);
    double sum = 0;
    for (double s : sums) sum += s;
    *total = T(sum / divisor);
}

// mean = sum_i weight_i sum_j x_ij / divisor with divisor = sum_i weight_i / factor, for x (rows,
// cols) and weights (rows), or null for ones, which give the same bits. No finite x counts for more
// than `limit`. Added in float64, in an order that depends on the shape alone.
template <class T>
void weighted_mean_forward(T* mean, double* divisor, const T* x, const T* weight, int64_t rows,
                           int64_t cols, double factor, double limit) {
    constexpr int kSums = 8;
    // infinity and NaN stay what they are: a training that diverges must show
    const auto counted = [&](double value) {
        return value > limit && value < HUGE_VAL ? limit : value;
    };
    double sums[kSums] = {}, total = 0;
    for (int64_t i = 0; i < rows; ++i) {
        double row = 0;
        for (int64_t j = 0; j < cols; ++j) row += counted(double(x[i * cols + j]));
        const double w = weight ? double(weight[i]) : 1.0;
        sums[i % kSums] += w * row;
        total += w;
    }
    double sum = 0;
    for (double s : sums) sum += s;
    *divisor = total / factor;
    *mean = T(sum / *divisor);
}

// dx (rows, cols) = dmean weight_i / divisor, whatever the limit was.
template <class T>
void weighted_mean_backward(T* dx, const T* dmean, const T* weight, int64_t rows, int64_t cols,
                            double divisor) {
    const T scale = *dmean * T(1 / divisor);
    for (int64_t i = 0; i < rows; ++i)
        fill_row(dx + i * cols, weight ? weight[i] * scale : scale, cols);
}

}  // namespace
}  // namespace fastnn
