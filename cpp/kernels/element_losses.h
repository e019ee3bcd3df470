// Losses of an input and a target element by element. A loss is a row of functors; the loop over
// the elements is written once, below them.
#pragma once

#include "../kernels.h"
#include "../parallel.h"
#include "lanes.h"

namespace fastnn {
namespace {

// What a rule gets besides x and y.
template <class T>
struct LossOptions {
    Lanes<T> pos_weight;
    T parameter;  // beta, delta, the quantile, or what is added to a rate
};

// sign(0) = 0: the gradient of |d| at its kink. NaN stays NaN.
template <class T>
Lanes<T> sign_of(const Lanes<T>& d) {
    const Lanes<T> one = Lanes<T>::Constant(1);
    return (d > T(0)).select(one, (d < T(0)).select(-one, d));
}

// log(1 + e) with all its digits near e = 0 (Kahan), from the vectorised logarithm; Eigen's own is
// a call for each double on some ISAs.
template <class T>
Lanes<T> log_of_1p(const Lanes<T>& e) {
    const Lanes<T> u = e + T(1);
    return (u == T(1)).select(e, u.log() * (e / (u - T(1))));
}

template <class T>
Lanes<T> at_most(const Lanes<T>& x, T bound) {
    return x.template min<Eigen::PropagateNaN>(bound);
}

// --- of the difference d = x - y ---

struct Mse {
    template <class T>
    static Lanes<T> value(const Lanes<T>& d, T) {
        return d * d;
    }
    template <class T>
    static Lanes<T> slope(const Lanes<T>& d, T) {
        return d * T(2);
    }
};

struct L1 {
    template <class T>
    static Lanes<T> value(const Lanes<T>& d, T) {
        return d.abs();
    }
    template <class T>
    static Lanes<T> slope(const Lanes<T>& d, T) {
        return sign_of<T>(d);
    }
};

// A parabola within beta, beyond it |d|; with beta = 0 the L1 loss.
struct SmoothL1 {
    template <class T>
    static Lanes<T> value(const Lanes<T>& d, T beta) {
        const Lanes<T> size = d.abs();
        return (size < beta).select(d * (d / beta) * T(0.5), size - T(0.5) * beta);
    }
    template <class T>
    static Lanes<T> slope(const Lanes<T>& d, T beta) {
        return (d.abs() < beta).select(d / beta, sign_of<T>(d));
    }
};

// delta times SmoothL1 of beta = delta.
struct Huber {
    template <class T>
    static Lanes<T> value(const Lanes<T>& d, T delta) {
        const Lanes<T> size = d.abs();
        return (size <= delta).select(d * d * T(0.5), delta * (size - T(0.5) * delta));
    }
    template <class T>
    static Lanes<T> slope(const Lanes<T>& d, T delta) {
        return (d.abs() <= delta).select(d, sign_of<T>(d) * delta);
    }
};

// (1 - q) d above the target, -q d below it: least where a share q of the targets lies below x.
struct Quantile {
    template <class T>
    static Lanes<T> value(const Lanes<T>& d, T q) {
        return (d < T(0)).select(d * -q, d * (T(1) - q));
    }
    template <class T>
    static Lanes<T> slope(const Lanes<T>& d, T q) {
        const Lanes<T> below = Lanes<T>::Constant(-q), above = Lanes<T>::Constant(T(1) - q);
        return (d > T(0)).select(above, (d < T(0)).select(below, d));
    }
};

template <class Rule>
struct OfDifference {
    template <class T>
    static Lanes<T> value(const Lanes<T>& x, const Lanes<T>& y, const LossOptions<T>& with) {
        return Rule::template value<T>(x - y, with.parameter);
    }
    template <class T>
    static Lanes<T> dx(const Lanes<T>& x, const Lanes<T>& y, const LossOptions<T>& with) {
        return Rule::template slope<T>(x - y, with.parameter);
    }
    template <class T>
    static Lanes<T> dy(const Lanes<T>& x, const Lanes<T>& y, const LossOptions<T>& with) {
        return -Rule::template slope<T>(x - y, with.parameter);
    }
};

// --- of rates ---

// x - y log(x + eps) of a rate x, or exp(x) - y x of its logarithm; `full` adds what log(y!) is by
// Stirling, y log y - y + log(2 pi y) / 2, where y > 1 (torch.nn.PoissonNLLLoss).
template <bool log_input, bool full>
struct Poisson {
    template <class T>
    static Lanes<T> log_rate(const Lanes<T>& x, T eps) {
        if constexpr (log_input) return x;
        return (x + eps).log();
    }
    template <class T>
    static Lanes<T> value(const Lanes<T>& x, const Lanes<T>& y, const LossOptions<T>& with) {
        const Lanes<T> rate = log_input ? Lanes<T>(x.exp()) : x;
        const Lanes<T> loss = rate - y * log_rate<T>(x, with.parameter);
        if constexpr (!full) return loss;
        const Lanes<T> stirling = y * y.log() - y + (y * T(6.283185307179586)).log() * T(0.5);
        return (y > T(1)).select(loss + stirling, loss);
    }
    template <class T>
    static Lanes<T> dx(const Lanes<T>& x, const Lanes<T>& y, const LossOptions<T>& with) {
        if constexpr (log_input) return x.exp() - y;
        return T(1) - y / (x + with.parameter);
    }
    template <class T>
    static Lanes<T> dy(const Lanes<T>& x, const Lanes<T>& y, const LossOptions<T>& with) {
        const Lanes<T> d = -log_rate<T>(x, with.parameter);
        if constexpr (!full) return d;
        return (y > T(1)).select(d + y.log() + T(0.5) / y, d);
    }
};

// --- of probabilities ---

// -(y log x + (1 - y) log(1 - x)); no logarithm counts for more than 100, and the gradient divides
// by no less than 1e-12 (torch.nn.BCELoss).
struct Bce {
    template <class T>
    static Lanes<T> cost(const Lanes<T>& log_x) {
        return at_most<T>(-log_x, T(100));
    }
    template <class T>
    static Lanes<T> value(const Lanes<T>& x, const Lanes<T>& y, const LossOptions<T>&) {
        return y * cost<T>(x.log()) + (T(1) - y) * cost<T>(log_of_1p<T>(-x));
    }
    template <class T>
    static Lanes<T> dx(const Lanes<T>& x, const Lanes<T>& y, const LossOptions<T>&) {
        const Lanes<T> spread = x * (T(1) - x);
        return (x - y) / spread.template max<Eigen::PropagateNaN>(T(1e-12));
    }
    template <class T>
    static Lanes<T> dy(const Lanes<T>& x, const Lanes<T>&, const LossOptions<T>&) {
        return cost<T>(x.log()) - cost<T>(log_of_1p<T>(-x));
    }
};

// pos_weight y softplus(-z) + (1 - y) softplus(z): nothing cancels, nothing overflows.
struct BceWithLogits {
    template <class T>
    struct Parts {
        Lanes<T> z, e;  // e = exp(-|z|)
        explicit Parts(const Lanes<T>& logits) : z(logits), e((-logits.abs()).exp()) {}

        Lanes<T> softplus(T sign) const {
            return (z * sign).template max<Eigen::PropagateNaN>(T(0)) + log_of_1p<T>(e);
        }
        Lanes<T> sigmoid(T sign) const {
            const Lanes<T> near = T(1) / (e + T(1));
            return (z * sign >= T(0)).select(near, e * near);
        }
    };
    template <class T>
    static Lanes<T> value(const Lanes<T>& z, const Lanes<T>& y, const LossOptions<T>& with) {
        const Parts<T> of(z);
        return with.pos_weight * y * of.softplus(T(-1)) + (T(1) - y) * of.softplus(T(1));
    }
    template <class T>
    static Lanes<T> dx(const Lanes<T>& z, const Lanes<T>& y, const LossOptions<T>& with) {
        const Parts<T> of(z);
        return (T(1) - y) * of.sigmoid(T(1)) - with.pos_weight * y * of.sigmoid(T(-1));
    }
    template <class T>
    static Lanes<T> dy(const Lanes<T>& z, const Lanes<T>&, const LossOptions<T>& with) {
        const Parts<T> of(z);
        return with.pos_weight * of.softplus(T(-1)) - of.softplus(T(1));
    }
};

// Calls body(rule) with the functors of a kind of loss.
template <class Body>
void with_loss(ElementLossKind kind, Body&& body) {
    switch (kind) {
        case ElementLossKind::mse:
            return body(OfDifference<Mse>{});
        case ElementLossKind::l1:
            return body(OfDifference<L1>{});
        case ElementLossKind::smooth_l1:
            return body(OfDifference<SmoothL1>{});
        case ElementLossKind::huber:
            return body(OfDifference<Huber>{});
        case ElementLossKind::quantile:
            return body(OfDifference<Quantile>{});
        case ElementLossKind::poisson:
            return body(Poisson<false, false>{});
        case ElementLossKind::poisson_full:
            return body(Poisson<false, true>{});
        case ElementLossKind::poisson_log:
            return body(Poisson<true, false>{});
        case ElementLossKind::poisson_log_full:
            return body(Poisson<true, true>{});
        case ElementLossKind::bce:
            return body(Bce{});
        case ElementLossKind::bce_with_logits:
            return body(BceWithLogits{});
    }
}

// A run of elements: what the functors are called with, and a weight for each loss.
template <class T>
struct LossRun {
    Lanes<T> x, y, weight;
    LossOptions<T> with;
};

// Calls body(i, left, run) for each run of the n elements.
template <class T, class Body>
void for_loss_runs(const T* x, const T* y, int64_t n, const ElementLoss<T>& loss, Body&& body) {
    constexpr int64_t grain = 4096, cost = 4 * kElementCost;
    const Lanes<T> ones = Lanes<T>::Constant(1);
    const auto or_ones = [&](const T* weight, int64_t i, int64_t left) {
        return weight ? load_lanes(weight + i, left) : ones;
    };
    parallel_for(n, grain, cost, [&](int64_t begin, int64_t end) {
        for_lanes<T>(begin, end, [&](int64_t i, int64_t left) {
            body(i, left,
                 LossRun<T>{load_lanes(x + i, left),
                            load_lanes(y + i, left),
                            or_ones(loss.weight, i, left),
                            {or_ones(loss.pos_weight, i, left), loss.parameter}});
        });
    });
}

template <class T>
Lanes<T> load_grad(const LossGrad<T>& dlosses, int64_t i, int64_t left) {
    if (!dlosses.stride) return Lanes<T>::Constant(dlosses.at(0));
    return load_lanes(dlosses.data + i, left) * dlosses.scale;
}

// losses (n) of inputs x and targets y, each times its weight.
template <class T>
void element_loss_forward(T* losses, const T* x, const T* y, int64_t n,
                          const ElementLoss<T>& loss) {
    with_loss(loss.kind, [&](auto rule) {
        for_loss_runs(x, y, n, loss, [&](int64_t i, int64_t left, const LossRun<T>& run) {
            const Lanes<T> value = rule.template value<T>(run.x, run.y, run.with);
            store_lanes(losses + i, Lanes<T>(value * run.weight), left);
        });
    });
}

// dx and dy (n), either of which may be null.
template <class T>
void element_loss_backward(T* dx, T* dy, const LossGrad<T>& dlosses, const T* x, const T* y,
                           int64_t n, const ElementLoss<T>& loss) {
    with_loss(loss.kind, [&](auto rule) {
        for_loss_runs(x, y, n, loss, [&](int64_t i, int64_t left, const LossRun<T>& run) {
            const Lanes<T> dloss = run.weight * load_grad(dlosses, i, left);
            if (dx) {
                const Lanes<T> d = rule.template dx<T>(run.x, run.y, run.with);
                store_lanes(dx + i, Lanes<T>(d * dloss), left);
            }
            if (dy) {
                const Lanes<T> d = rule.template dy<T>(run.x, run.y, run.with);
                store_lanes(dy + i, Lanes<T>(d * dloss), left);
            }
        });
    });
}

}  // namespace
}  // namespace fastnn
