// Activations, element by element over n values. A formula is two lines: y of x, and dx of dy and
// the saved x or y. At a kink the gradient is PyTorch's: that of the left side.
#pragma once

#include "../kernels.h"
#include "../parallel.h"
#include "maths.h"

namespace fastnn {
namespace {

constexpr int64_t kElementGrain = 4096;

// What an element counts for: one with exp in it takes 0.4 to 1.1 ns in the cache (float32,
// AVX-512), so it is worth a second thread earlier than a pass over memory is.
struct Simple {
    static constexpr int64_t cost = kElementCost;
};
struct Elementary {
    static constexpr int64_t cost = 4 * kElementCost;
};

// max(x, 0); NaN stays NaN.
template <class T>
struct Relu : Simple {
    static Vec<T> forward(Vec<T> x, ActivationOptions<T>) { return relu<T>(x); }
    static Vec<T> backward(Vec<T> dy, Vec<T> y, ActivationOptions<T>) {
        return relu_mask<T>(dy, y);
    }
};

// x where positive, else slope x.
template <class T>
struct LeakyRelu : Simple {
    static Vec<T> forward(Vec<T> x, ActivationOptions<T> slope) {
        return x > Vec<T>{} ? x : x * slope.first;
    }
    static Vec<T> backward(Vec<T> dy, Vec<T> x, ActivationOptions<T> slope) {
        return x > Vec<T>{} ? dy : dy * slope.first;
    }
};

// x where positive, else alpha (exp(x) - 1).
template <class T>
struct Elu : Elementary {
    static Vec<T> forward(Vec<T> x, ActivationOptions<T> alpha) {
        return x > Vec<T>{} ? x : expm1<T>(x) * alpha.first;
    }
    static Vec<T> backward(Vec<T> dy, Vec<T> x, ActivationOptions<T> alpha) {
        return x > Vec<T>{} ? dy : dy * (exp<T>(x) * alpha.first);
    }
};

// In the next three an infinite x would meet a factor of 0. Beyond these bounds that factor is 0
// in float64 already, and x may stand for every farther one.
template <class T>
constexpr T kFar = 1000;

template <class T>
inline Vec<T> not_below(Vec<T> x) {
    return x < broadcast(-kFar<T>) ? broadcast(-kFar<T>) : x;
}

template <class T>
inline Vec<T> bounded(Vec<T> x) {
    return clamp<T>(x, -kFar<T>, kFar<T>);
}

// x times the part of the normal distribution below x.
template <class T>
struct Gelu : Elementary {
    static Vec<T> forward(Vec<T> x, ActivationOptions<T>) {
        const Vec<T> b = not_below<T>(x);
        return b * normal<T>(b).below;
    }
    static Vec<T> backward(Vec<T> dy, Vec<T> x, ActivationOptions<T>) {
        const Vec<T> b = bounded<T>(x);
        const Normal<T> n = normal<T>(b);
        return dy * (n.below + b * n.density);
    }
};

// x (1 + tanh(z / 2)) / 2 with z = sqrt(8 / pi) (x + 0.044715 x^3), which is x logistic(z).
template <class T>
struct GeluTanh : Elementary {
    static constexpr T linear = T(1.5957691216057308), cubic = T(0.071354816272600240);
    static Logistic<T> gate(Vec<T> b) { return logistic<T>((b * b * cubic + linear) * b); }
    static Vec<T> forward(Vec<T> x, ActivationOptions<T>) {
        const Vec<T> b = bounded<T>(x);
        return (x < b ? b : x) * gate(b).at;
    }
    static Vec<T> backward(Vec<T> dy, Vec<T> x, ActivationOptions<T>) {
        const Vec<T> b = bounded<T>(x), dz = b * b * (3 * cubic) + linear;
        const Logistic<T> g = gate(b);
        return dy * (g.at * (b * g.rest * dz + T(1)));
    }
};

// x logistic(x).
template <class T>
struct Silu : Elementary {
    static Vec<T> forward(Vec<T> x, ActivationOptions<T>) {
        const Vec<T> b = not_below<T>(x);
        return b * logistic<T>(b).at;
    }
    static Vec<T> backward(Vec<T> dy, Vec<T> x, ActivationOptions<T>) {
        const Vec<T> b = bounded<T>(x);
        const Logistic<T> g = logistic<T>(b);
        return dy * (g.at * (b * g.rest + T(1)));
    }
};

// 1 / (1 + exp(-x)).
template <class T>
struct Sigmoid : Elementary {
    static Vec<T> forward(Vec<T> x, ActivationOptions<T>) { return logistic<T>(x).at; }
    static Vec<T> backward(Vec<T> dy, Vec<T> y, ActivationOptions<T>) {
        return dy * (y * (T(1) - y));
    }
};

template <class T>
struct Tanh : Elementary {
    static Vec<T> forward(Vec<T> x, ActivationOptions<T>) { return tanh<T>(x); }
    static Vec<T> backward(Vec<T> dy, Vec<T> y, ActivationOptions<T>) {
        return dy * ((T(1) - y) * (T(1) + y));
    }
};

// log(1 + exp(z)) / beta with z = beta x; x itself where z > threshold.
template <class T>
struct Softplus : Elementary {
    static Vec<T> forward(Vec<T> x, ActivationOptions<T> o) {
        const Vec<T> z = x * o.first, bend = log1p<T>(exp<T>(-abs<T>(z))) / o.first;
        const Vec<T> y = (z > Vec<T>{} ? x : Vec<T>{}) + bend;
        return z > broadcast(o.second) ? x : y;
    }
    static Vec<T> backward(Vec<T> dy, Vec<T> x, ActivationOptions<T> o) {
        const Vec<T> z = x * o.first;
        return z > broadcast(o.second) ? dy : dy * logistic<T>(z).at;
    }
};

template <class T, class Value>
inline void each_element(T* out, int64_t n, int64_t cost, Value value) {
    parallel_for(n, kElementGrain, cost, [&](int64_t begin, int64_t end) {
        for_vectors<T>(begin, end,
                       [&](int64_t i, int64_t left) { store_n(out + i, value(i, left), left); });
    });
}

// y (n) of x (n), and dx (n), which may be dy, of dy (n) and the saved x or y (n).
#define FASTNN_ACTIVATION(name, Formula, saved_name, ...)                                        \
    template <class T>                                                                           \
    void name##_forward(T* y, const T* x, int64_t n, ActivationOptions<T> options) {             \
        each_element<T>(y, n, Formula<T>::cost, [&](int64_t i, int64_t left) {                   \
            return Formula<T>::forward(load_n(x + i, left), options);                            \
        });                                                                                      \
    }                                                                                            \
    template <class T>                                                                           \
    void name##_backward(T* dx, const T* dy, const T* saved, int64_t n,                          \
                         ActivationOptions<T> options) {                                         \
        each_element<T>(dx, n, Formula<T>::cost, [&](int64_t i, int64_t left) {                  \
            return Formula<T>::backward(load_n(dy + i, left), load_n(saved + i, left), options); \
        });                                                                                      \
    }
#include "../activations.def"
#undef FASTNN_ACTIVATION

}  // namespace
}  // namespace fastnn
