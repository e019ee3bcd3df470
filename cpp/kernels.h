// The table of kernels an ISA fills, and the arguments that are too many for a list.
#pragma once

#include <cstdint>

namespace fastnn {

// C (m, n) = A (m, k) B (k, n); strides in elements. Then, in this order and where given:
// + bias (n), ReLU, and zero where mask (laid out as C) is not positive. The three need c_col = 1.
template <class T>
struct Gemm {
    int64_t m, n, k;
    const T* a;
    int64_t a_row, a_col;
    const T* b;
    int64_t b_row, b_col;
    T* c;
    int64_t c_row, c_col = 1;
    const T* bias = nullptr;
    const T* mask = nullptr;
    bool relu = false;
};

// What an activation is told beside its input, in the order of activations.def.
template <class T>
struct ActivationOptions {
    T first = 0, second = 0;
};

// https://pytorch.org/docs/stable/generated/torch.optim.SGD.html; share = 1 - dampening
template <class T>
struct Sgd {
    T lr, momentum, share, weight_decay;
    bool nesterov, first;  // first: the velocity starts as the gradient
    bool maximize;
};

// https://pytorch.org/docs/stable/generated/torch.optim.Adam.html; share_i = 1 - beta_i,
// rate = lr / (1 - beta1^t), scale = 1 / sqrt(1 - beta2^t): differences that float32 would lose
// digits of, so the caller takes them in double. Of weight_decay (L2) and shrink (decoupled,
// lr times the decay) one is 0.
template <class T>
struct Adam {
    T beta1, share1, beta2, share2, rate, scale, eps, weight_decay, shrink;
    bool maximize;
};

// https://pytorch.org/docs/stable/generated/torch.optim.Adagrad.html; rate is lr, decayed
template <class T>
struct Adagrad {
    T rate, eps, weight_decay;
    bool maximize;
};

// https://pytorch.org/docs/stable/generated/torch.optim.RMSprop.html; share = 1 - alpha
template <class T>
struct Rmsprop {
    T lr, alpha, share, eps, weight_decay, momentum;
    bool maximize;
};

enum class UpdateKind { sgd, adam, adagrad, rmsprop };

// One step of an optimizer on weights w and what it remembers of each: sgd the velocity; adam m, v
// and the largest v; adagrad the sum; rmsprop the square, the mean and the velocity. Null where an
// option does without.
template <class T>
struct Update {
    UpdateKind kind;
    T* w;
    T* state[3];
    Sgd<T> sgd = {};
    Adam<T> adam = {};
    Adagrad<T> adagrad = {};
    Rmsprop<T> rmsprop = {};

    // The same step, of the weights from `offset` on.
    Update from(int64_t offset) const {
        Update u = *this;
        u.w += offset;
        for (T*& s : u.state) s = s ? s + offset : nullptr;
        return u;
    }
};

// A step of the weights (out, in) of a linear layer, packed, and of its biases, given x (rows, in)
// and dy (rows, out).
template <class T>
struct PackedUpdate {
    const T *x, *dy;
    int64_t rows, in, out;
    Update<T> weights;  // packed, as is the state
    Update<T> bias;     // as they are; of the same kind; w null where there are none
    T l2;               // of a penalty on the weights, whose gradient is added to theirs
};

// Where the rows of a batch come from: a table (n, cols) of one type, as it is or
// (x - shift) / divisor + offset column by column in double, rounded once; bytes as values[byte].
enum class SourceType { f32, f64, i8, i16, i32, i64, u8, u16, u32, u64 };

template <class T>
struct Source {
    SourceType type;
    const void* data;
    int64_t cols;
    const T* values = nullptr;
    const double *shift = nullptr, *divisor = nullptr, *offset = nullptr;
};

// The gradient of losses: data[i] of each row or element, or with stride 0 one for all of them;
// scale = 1 / what a mean divided by.
template <class T>
struct LossGrad {
    const T* data;
    int64_t stride;
    T scale;

    T at(int64_t i) const { return data[i * stride] * scale; }
};

// A loss of classes: target t, one at the label or given as it is, counts as keep t + share, with
// keep = 1 - smoothing and share = smoothing / classes; class j counts weight[j] times.
// https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
template <class T>
struct CrossEntropy {
    const T* weight;  // (classes) or null
    T keep, share;
    int64_t ignore_index;  // rows of this label count for nothing
};

// Poisson's inputs are rates or, _log, their logarithms; _full adds Stirling's approximation.
enum class ElementLossKind {
    mse,
    l1,
    smooth_l1,
    huber,
    quantile,
    poisson,
    poisson_full,
    poisson_log,
    poisson_log_full,
    bce,
    bce_with_logits
};

// A loss element by element; the weights (n) may be null. parameter is beta, delta, the quantile,
// or what is added to a rate.
template <class T>
struct ElementLoss {
    ElementLossKind kind;
    T parameter;
    const T *weight, *pos_weight;
};

template <class T>
struct KernelsOf {
#define FASTNN_KERNEL(name, arguments) void(*name) arguments;
#include "kernels.def"
#undef FASTNN_KERNEL
};

struct Kernels {
    const char* isa;
    int vector_bytes;
    KernelsOf<float> f32;
    KernelsOf<double> f64;

    template <class T>
    const KernelsOf<T>& of() const {
        if constexpr (sizeof(T) == sizeof(float))
            return f32;
        else
            return f64;
    }
};

}  // namespace fastnn
