// The operations of a program: each runs the kernels that the eager path calls, in the same order,
// so both have the same bits. An operation added here needs a method of Program that makes it.
#pragma once

#include "packed_weights.h"

namespace fastnn {

template <class T>
class Operation {
  public:
    virtual ~Operation() = default;
    virtual void forward(const Step<T>& step) = 0;
    virtual void backward(const Step<T>& step) = 0;
    virtual int masks() const { return 0; }  // how many a batch draws
};

template <class T>
struct Parameter {
    T* data = nullptr;  // null: there is none
    Target<T>* target = nullptr;
};

// y (rows, out) = x (rows, in) w^T + b, and ReLU of it where that follows.
template <class T>
class Linear : public Operation<T> {
  public:
    Linear(Value<T> x, Value<T> y, Parameter<T> w, Parameter<T> b, bool relu)
        : x(x), y(y), w(w), b(b), relu(relu), dx(x.target), db(b.target), dw(w.target) {}

    Packed<T> pack(const KernelsOf<T>& k, const Optimizer<T>* optimizer, bool both) const {
        const auto weights =
            std::make_shared<PackedWeights<T>>(optimizer, w.data, b.data, y.cols, x.cols, both);
        weights->pack(k);
        return weights;
    }

    void forward(const Step<T>& step) override {
        step.lap(Part::other);
        Gemm<T> g{step.rows, y.cols, x.cols, x.data, x.cols, 1, w.data, 1, x.cols, y.data, y.cols};
        g.bias = b.data;
        g.relu = relu;
        packed ? step.k.packed_product(g, packed->by_outputs(), packed->settled()) : step.k.gemm(g);
        step.lap(Part::forward);
    }

    void backward(const Step<T>& step) override {
        const int64_t rows = step.rows, in = x.cols, out = y.cols;
        T* const dy = y.target->grad;
        step.lap(Part::other);
        if (relu && !masked) step.k.relu_backward(dy, dy, y.data, rows * out, {});
        dx.write(step, rows * in, [&](T* to) {
            Gemm<T> g{rows, in, out, dy, out, 1, w.data, in, 1, to, in};
            g.mask = masks_input ? x.data : nullptr;
            packed ? step.k.packed_product(g, packed->by_inputs(), packed->settled())
                   : step.k.gemm(g);
        });
        step.lap(Part::input_gradient);
        if (packed) return packed->update(step, x.data, dy);
        dw.write(step, out * in,
                 [&](T* to) { step.k.gemm({out, in, rows, dy, 1, out, x.data, in, 1, to, in}); });
        db.write(step, out, [&](T* to) { step.k.column_sum(to, dy, rows, out); });
        step.lap(Part::update);
    }

    Value<T> x, y;
    Parameter<T> w, b;
    const bool relu;
    // the ReLU's gradient is in the product of the only operation that takes y; or in ours
    bool masked = false, masks_input = false;
    // for the time of a run or a prediction; of frozen programs, for good, and theirs together
    Packed<T> packed;

  private:
    Gradient<T> dx, db, dw;
};

// An activation element by element.
template <class T>
class Activation : public Operation<T> {
  public:
    using Forward = void (*)(T*, const T*, int64_t, ActivationOptions<T>);
    using Backward = void (*)(T*, const T*, const T*, int64_t, ActivationOptions<T>);

    // The kernels are looked up by place, in whichever table is chosen when the step runs.
    Activation(Value<T> x, Value<T> y, Forward KernelsOf<T>::* forward,
               Backward KernelsOf<T>::* backward, bool saves_output, ActivationOptions<T> options)
        : x_(x),
          y_(y),
          forward_(forward),
          backward_(backward),
          saved_(saves_output ? y.data : x.data),
          options_(options),
          dx_(x.target) {}

    void forward(const Step<T>& step) override {
        (step.k.*forward_)(y_.data, x_.data, step.rows * x_.cols, options_);
    }
    void backward(const Step<T>& step) override {
        const int64_t n = step.rows * x_.cols;
        dx_.write(step, n,
                  [&](T* to) { (step.k.*backward_)(to, y_.target->grad, saved_, n, options_); });
    }

  private:
    Value<T> x_, y_;
    Forward KernelsOf<T>::* forward_;
    Backward KernelsOf<T>::* backward_;
    const T* saved_;
    ActivationOptions<T> options_;
    Gradient<T> dx_;
};

// Softmax or its logarithm over runs of `classes`.
template <class T>
class Softmax : public Operation<T> {
  public:
    Softmax(Value<T> x, Value<T> y, int64_t classes, bool log)
        : x_(x), y_(y), classes_(classes), log_(log), dx_(x.target) {}

    void forward(const Step<T>& step) override {
        const auto kernel = log_ ? step.k.log_softmax_forward : step.k.softmax_forward;
        kernel(y_.data, x_.data, runs(step), classes_);
    }
    void backward(const Step<T>& step) override {
        const auto kernel = log_ ? step.k.log_softmax_backward : step.k.softmax_backward;
        dx_.write(step, step.rows * x_.cols,
                  [&](T* to) { kernel(to, y_.target->grad, y_.data, runs(step), classes_); });
    }

  private:
    int64_t runs(const Step<T>& step) const { return step.rows * (x_.cols / classes_); }
    Value<T> x_, y_;
    int64_t classes_;
    bool log_;
    Gradient<T> dx_;
};

template <class T>
class Dropout : public Operation<T> {
  public:
    Dropout(Value<T> x, Value<T> y, double p, int mask)
        : x_(x), y_(y), p_(p), mask_(mask), dx_(x.target) {}

    void forward(const Step<T>& step) override { apply(step, y_.data, x_.data); }
    void backward(const Step<T>& step) override {
        dx_.write(step, step.rows * x_.cols, [&](T* to) { apply(step, to, y_.target->grad); });
    }
    int masks() const override { return 1; }

  private:
    void apply(const Step<T>& step, T* to, const T* from) const {
        step.k.dropout(to, from, step.rows * x_.cols, p_, step.seed, step.draw + uint64_t(mask_));
    }
    Value<T> x_, y_;
    double p_;
    int mask_;  // number among the batch's masks
    Gradient<T> dx_;
};

// What moves a running mean and variance, each (channels) or null.
template <class T>
struct RunningStatistics {
    T *mean, *variance;
    double momentum;  // NaN: every batch has the same share
    int64_t seen;     // batches before the run
};

// x as (rows, channels, length).
template <class T>
class BatchNorm : public Operation<T> {
  public:
    BatchNorm(Value<T> x, Value<T> y, Parameter<T> w, Parameter<T> b, int64_t channels, T eps,
              bool batch, const RunningStatistics<T>& running)
        : x_(x),
          y_(y),
          w_(w),
          channels_(channels),
          eps_(eps),
          batch_(batch),
          running(running),
          bias_(b.data),
          mean_(batch ? channels : 0),
          variance_(batch ? channels : 0),
          dx_(x.target),
          db_(b.target),
          dw_(w.target) {}

    void forward(const Step<T>& step) override {
        const int64_t length = x_.cols / channels_;
        if (!batch_)
            return step.k.batch_norm_forward(y_.data, x_.data, running.mean, running.variance,
                                             w_.data, bias_, step.rows, channels_, length, eps_);
        step.k.batch_norm_train(y_.data, mean_.get(), variance_.get(), running.mean,
                                running.variance, x_.data, w_.data, bias_, step.rows, channels_,
                                length, eps_, momentum(step));
    }
    void backward(const Step<T>& step) override {
        const T* const mean = batch_ ? mean_.get() : running.mean;
        const T* const variance = batch_ ? variance_.get() : running.variance;
        step.k.batch_norm_backward(dx_.place(step), dw_.place(step), db_.place(step),
                                   y_.target->grad, x_.data, mean, variance, w_.data, step.rows,
                                   channels_, x_.cols / channels_, eps_, batch_);
        dw_.arrived(step, channels_);
        db_.arrived(step, channels_);
        dx_.arrived(step, step.rows * x_.cols);
    }

  private:
    double momentum(const Step<T>& step) const {
        const bool given = running.momentum == running.momentum;
        return given ? running.momentum : 1 / double(running.seen + step.number + 1);
    }
    Value<T> x_, y_;
    Parameter<T> w_;
    int64_t channels_;
    T eps_;
    bool batch_;

  public:
    RunningStatistics<T> running;

  private:
    const T* bias_;
    Buffer<T> mean_, variance_;
    Gradient<T> dx_, db_, dw_;
};

// Over runs of `cols` values; (rows, k cols).
template <class T>
class LayerNorm : public Operation<T> {
  public:
    LayerNorm(Value<T> x, Value<T> y, Parameter<T> w, Parameter<T> b, int64_t cols, T eps,
              int64_t max_rows)
        : x_(x),
          y_(y),
          w_(w),
          bias_(b.data),
          cols_(cols),
          eps_(eps),
          mean_(max_rows * (x.cols / cols)),
          inverse_(max_rows * (x.cols / cols)),
          dx_(x.target),
          db_(b.target),
          dw_(w.target) {}

    void forward(const Step<T>& step) override {
        step.k.layer_norm_forward(y_.data, mean_.get(), inverse_.get(), x_.data, w_.data, bias_,
                                  runs(step), cols_, eps_);
    }
    void backward(const Step<T>& step) override {
        const T* const dy = y_.target->grad;
        dx_.write(step, step.rows * x_.cols, [&](T* to) {
            step.k.layer_norm_backward(to, dy, x_.data, mean_.get(), inverse_.get(), w_.data,
                                       runs(step), cols_);
        });
        if (!dw_ && !db_) return;
        step.k.layer_norm_backward_weight(dw_.place(step), db_.place(step), dy, x_.data,
                                          mean_.get(), inverse_.get(), runs(step), cols_);
        dw_.arrived(step, cols_);
        db_.arrived(step, cols_);
    }

  private:
    int64_t runs(const Step<T>& step) const { return step.rows * (x_.cols / cols_); }
    Value<T> x_, y_;
    Parameter<T> w_;
    const T* bias_;
    int64_t cols_;
    T eps_;
    Buffer<T> mean_, inverse_;
    Gradient<T> dx_, db_, dw_;
};

enum class Arithmetic { add, subtract, multiply };

// Of two values of one shape.
template <class T>
class Combination : public Operation<T> {
  public:
    Combination(Arithmetic kind, Value<T> a, Value<T> b, Value<T> y)
        : kind_(kind), a_(a), b_(b), y_(y), db_(b.target), da_(a.target) {}

    void forward(const Step<T>& step) override {
        const auto kernel = kind_ == Arithmetic::add        ? step.k.add_values
                            : kind_ == Arithmetic::subtract ? step.k.subtract_values
                                                            : step.k.multiply_values;
        kernel(y_.data, a_.data, b_.data, step.rows * y_.cols);
    }
    void backward(const Step<T>& step) override {
        write(step, da_, T(1), b_.data);
        write(step, db_, kind_ == Arithmetic::subtract ? T(-1) : T(1), a_.data);
    }

  private:
    // d = dy times the other operand or, of a sum, times a sign.
    void write(const Step<T>& step, Gradient<T>& d, T sign, const T* other) {
        const int64_t n = step.rows * y_.cols;
        const T* const dy = y_.target->grad;
        d.write(step, n, [&](T* to) {
            if (kind_ == Arithmetic::multiply) return step.k.multiply_values(to, dy, other, n);
            // copied: dy may be written on as the gradient of another use
            parallel_for(n, 4096, kElementCost, [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; ++i) to[i] = sign < 0 ? -dy[i] : dy[i];
            });
        });
    }
    Arithmetic kind_;
    Value<T> a_, b_, y_;
    Gradient<T> db_, da_;
};

}  // namespace fastnn
