// From an optimizer's options, as Python knows them, to the rule of one step. Differences that
// float32 would lose digits of are taken in double, before anything is rounded.
#pragma once

#include <cmath>

#include "kernels.h"

namespace fastnn {

struct SgdOptions {
    double lr, momentum, dampening, weight_decay;
    bool nesterov, maximize;

    template <class T>
    Sgd<T> rule(bool first) const {
        return {T(lr), T(momentum), T(1 - dampening), T(weight_decay), nesterov, first, maximize};
    }
};

struct AdamOptions {
    double lr, beta1, beta2, eps, weight_decay;
    bool decoupled, maximize;

    // correction_i = 1 - beta_i^step
    template <class T>
    Adam<T> rule(double correction1, double correction2) const {
        return {T(beta1),
                T(1 - beta1),
                T(beta2),
                T(1 - beta2),
                T(lr / correction1),
                T(1 / std::sqrt(correction2)),
                T(eps),
                T(decoupled ? 0 : weight_decay),
                T(decoupled ? lr * weight_decay : 0),
                maximize};
    }
};

struct AdagradOptions {
    double rate, eps, weight_decay;
    bool maximize;

    template <class T>
    Adagrad<T> rule() const {
        return {T(rate), T(eps), T(weight_decay), maximize};
    }
};

struct RmspropOptions {
    double lr, alpha, eps, weight_decay, momentum;
    bool maximize;

    template <class T>
    Rmsprop<T> rule() const {
        return {T(lr), T(alpha), T(1 - alpha), T(eps), T(weight_decay), T(momentum), maximize};
    }
};

}  // namespace fastnn
