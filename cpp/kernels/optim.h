// Optimizer updates on flat blocks of parameters: a rule is what happens to one vector of them.
//
// Written on vectors of the ISA: 0.47 ns a parameter for Adam in the cache (AVX-512, one core),
// where Eigen expressions over fixed runs took 1.46.
#pragma once

#include "../kernels.h"
#include "../parallel.h"
#include "simd.h"

namespace fastnn {
namespace {

constexpr int64_t kUpdateGrain = 1024;

// The sign bit to flip in every gradient: of what is to grow, or none.
template <class T>
inline Vec<T> sign_of(bool maximize) {
    return broadcast(maximize ? T(-0.0) : T(0));
}

// The gradient to go down, with that of the L2 penalty. The sign is flipped bit by bit: a product
// or a choice between two sums would leave it open which product is fused with the sum, and an
// incomplete vector could get other bits than a whole one.
template <class T>
inline Vec<T> descent(Vec<T> grad, Vec<T> sign, Vec<T> decay, Vec<T> weights) {
    typedef int64_t Bits __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
    return (Vec<T>)((Bits)grad ^ (Bits)sign) + decay * weights;
}

// Asks for the cache line of a value that is to be changed soon.
template <class T>
inline void prefetch_for_change(const T* p) {
    __builtin_prefetch(p, 1);
}

// w -= lr d, with d the gradient or, where there is a velocity (it may be null), the momentum's
// direction.
template <class T>
struct SgdStep {
    T *w, *velocity;
    Vec<T> lr, momentum, share, decay, sign;
    bool first, nesterov;

    explicit SgdStep(const Update<T>& u)
        : w(u.w),
          velocity(u.state[0]),
          lr(broadcast(u.sgd.lr)),
          momentum(broadcast(u.sgd.momentum)),
          share(broadcast(u.sgd.share)),
          decay(broadcast(u.sgd.weight_decay)),
          sign(sign_of<T>(u.sgd.maximize)),
          first(u.sgd.first),
          nesterov(u.sgd.nesterov) {}

    void prefetch(int64_t i) const {
        prefetch_for_change(w + i);
        if (velocity) prefetch_for_change(velocity + i);
    }

    void operator()(Vec<T> grad, int64_t i, int64_t left) const {
        const Vec<T> weights = load_n(w + i, left);
        Vec<T> d = descent<T>(grad, sign, decay, weights);
        if (velocity) {
            const Vec<T> u = first ? d : momentum * load_n(velocity + i, left) + share * d;
            store_n(velocity + i, u, left);
            d = nesterov ? d + momentum * u : u;
        }
        store_n(w + i, weights - lr * d, left);
    }
};

// m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
// w = (1 - shrink) w - rate * m / (sqrt(u) * scale + eps), with u = v or the largest v so far.
// The decay of the decoupled form is subtracted: 1 - shrink in float32 would be off by up to 6e-8,
// which is much of a shrink of 1e-7.
template <class T, bool amsgrad>
struct AdamStep {
    T *w, *m, *v, *v_max;
    Vec<T> beta1, share1, beta2, share2, rate, scale, eps, decay, shrink, sign;

    explicit AdamStep(const Update<T>& u)
        : w(u.w),
          m(u.state[0]),
          v(u.state[1]),
          v_max(u.state[2]),
          beta1(broadcast(u.adam.beta1)),
          share1(broadcast(u.adam.share1)),
          beta2(broadcast(u.adam.beta2)),
          share2(broadcast(u.adam.share2)),
          rate(broadcast(u.adam.rate)),
          scale(broadcast(u.adam.scale)),
          eps(broadcast(u.adam.eps)),
          decay(broadcast(u.adam.weight_decay)),
          shrink(broadcast(u.adam.shrink)),
          sign(sign_of<T>(u.adam.maximize)) {}

    void prefetch(int64_t i) const {
        prefetch_for_change(w + i);
        prefetch_for_change(m + i);
        prefetch_for_change(v + i);
        if (v_max) prefetch_for_change(v_max + i);
    }

    void operator()(Vec<T> grad, int64_t i, int64_t left) const {
        const Vec<T> weights = load_n(w + i, left);
        const Vec<T> g = descent<T>(grad, sign, decay, weights);
        const Vec<T> mean = beta1 * load_n(m + i, left) + share1 * g;
        Vec<T> square = beta2 * load_n(v + i, left) + share2 * g * g;
        store_n(m + i, mean, left);
        store_n(v + i, square, left);
        if constexpr (amsgrad) {
            const Vec<T> before = load_n(v_max + i, left);
            square = square > before ? square : square != square ? square : before;
            store_n(v_max + i, square, left);
        }
        const Vec<T> kept = weights - shrink * weights;
        store_n(w + i, kept - rate * mean / (sqrt<T>(square) * scale + eps), left);
    }
};

// sum += g^2, w -= rate g / (sqrt(sum) + eps).
template <class T>
struct AdagradStep {
    T *w, *sum;
    Vec<T> rate, eps, decay, sign;

    explicit AdagradStep(const Update<T>& u)
        : w(u.w),
          sum(u.state[0]),
          rate(broadcast(u.adagrad.rate)),
          eps(broadcast(u.adagrad.eps)),
          decay(broadcast(u.adagrad.weight_decay)),
          sign(sign_of<T>(u.adagrad.maximize)) {}

    void prefetch(int64_t i) const {
        prefetch_for_change(w + i);
        prefetch_for_change(sum + i);
    }

    void operator()(Vec<T> grad, int64_t i, int64_t left) const {
        const Vec<T> weights = load_n(w + i, left);
        const Vec<T> g = descent<T>(grad, sign, decay, weights);
        const Vec<T> total = load_n(sum + i, left) + g * g;
        store_n(sum + i, total, left);
        store_n(w + i, weights - rate * g / (sqrt<T>(total) + eps), left);
    }
};

// square = a square + (1 - a) g^2, mean = a mean + (1 - a) g (null unless centered),
// d = g / (sqrt(square - mean^2) + eps), velocity = momentum velocity + d (null without one),
// w -= lr d or lr velocity. A variance below zero is rounding: PyTorch takes its root, a NaN.
template <class T>
struct RmspropStep {
    T *w, *square, *mean, *velocity;
    Vec<T> lr, alpha, share, eps, decay, momentum, sign;

    explicit RmspropStep(const Update<T>& u)
        : w(u.w),
          square(u.state[0]),
          mean(u.state[1]),
          velocity(u.state[2]),
          lr(broadcast(u.rmsprop.lr)),
          alpha(broadcast(u.rmsprop.alpha)),
          share(broadcast(u.rmsprop.share)),
          eps(broadcast(u.rmsprop.eps)),
          decay(broadcast(u.rmsprop.weight_decay)),
          momentum(broadcast(u.rmsprop.momentum)),
          sign(sign_of<T>(u.rmsprop.maximize)) {}

    void prefetch(int64_t i) const {
        prefetch_for_change(w + i);
        prefetch_for_change(square + i);
        if (mean) prefetch_for_change(mean + i);
        if (velocity) prefetch_for_change(velocity + i);
    }

    void operator()(Vec<T> grad, int64_t i, int64_t left) const {
        const Vec<T> weights = load_n(w + i, left);
        const Vec<T> g = descent<T>(grad, sign, decay, weights);
        Vec<T> power = alpha * load_n(square + i, left) + share * g * g;
        store_n(square + i, power, left);
        if (mean) {
            const Vec<T> average = alpha * load_n(mean + i, left) + share * g;
            store_n(mean + i, average, left);
            power = relu<T>(power - average * average);
        }
        Vec<T> d = g / (sqrt<T>(power) + eps);
        if (velocity) {
            d = momentum * load_n(velocity + i, left) + d;
            store_n(velocity + i, d, left);
        }
        store_n(w + i, weights - lr * d, left);
    }
};

// Calls body(step) with the rule of an update.
template <class T, class Body>
inline void with_step(const Update<T>& u, Body&& body) {
    switch (u.kind) {
        case UpdateKind::sgd:
            return body(SgdStep<T>(u));
        case UpdateKind::adam:
            if (u.state[2]) return body(AdamStep<T, true>(u));
            return body(AdamStep<T, false>(u));
        case UpdateKind::adagrad:
            return body(AdagradStep<T>(u));
        case UpdateKind::rmsprop:
            return body(RmspropStep<T>(u));
    }
}

// One step of n parameters, given their gradients.
template <class T>
void update(const Update<T>& rule, const T* grad, int64_t n) {
    with_step(rule, [&](const auto& step) {
        parallel_for(n, kUpdateGrain, kElementCost, [&](int64_t begin, int64_t end) {
            for_vectors<T>(begin, end,
                           [&](int64_t i, int64_t left) { step(load_n(grad + i, left), i, left); });
        });
    });
}

}  // namespace
}  // namespace fastnn
