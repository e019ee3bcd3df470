// The losses of a program: the mean or the sum over the batch, and its gradient.
#pragma once

#include "value.h"

namespace fastnn {

// The targets of the batch: labels (rows), or values (rows, cols) as the loss takes them, and how
// much each row counts, or null.
template <class T>
struct Targets {
    const int64_t* labels;
    const T *values, *weights;
};

template <class T>
class Loss {
  public:
    Loss(Value<T> x, bool mean, int64_t max_losses)
        : x(x), mean_(mean), losses_(max_losses), dx_(x.target) {}
    virtual ~Loss() = default;

    // then(valid) is called in one thread; not valid are outputs that have no loss, such as
    // probabilities beyond 1.
    template <class Then>
    void forward(const Step<T>& step, const Targets<T>& targets, Then then) {
        compute(step, targets, losses_.get());
        single([&] {
            if (factor_ > 0) {
                step.k.weighted_mean_forward(&total, &divisor_, losses_.get(), targets.weights,
                                             step.rows, losses(step) / step.rows, factor_, limit_);
            } else {
                divisor_ = mean_ ? count(step, targets) : 1;
                step.k.loss_total(&total, losses_.get(), losses(step), divisor_);
            }
            then(valid(step));
        });
    }

    // The gradient of `share` times the loss.
    void backward(const Step<T>& step, const Targets<T>& targets, const T& share) {
        dx_.write(step, step.rows * x.cols, [&](T* to) {
            if (!(factor_ > 0)) return gradient(step, targets, {&share, 0, T(1 / divisor_)}, to);
            single([&] {  // the losses themselves are no longer needed
                step.k.weighted_mean_backward(losses_.get(), &share, targets.weights, step.rows,
                                              losses(step) / step.rows, divisor_);
            });
            gradient(step, targets, {losses_.get(), 1, T(1)}, to);
        });
    }

    // The mean is taken of rows that count differently, times a factor, and of no loss more than
    // the limit; gradients know of none.
    void weigh(double factor, double limit) { factor_ = factor, limit_ = limit; }

    const Value<T> x;
    T total = 0;

  protected:
    virtual void compute(const Step<T>& step, const Targets<T>& targets, T* losses) = 0;
    virtual int64_t losses(const Step<T>& step) const = 0;
    virtual double count(const Step<T>& step, const Targets<T>& targets) const = 0;
    virtual void gradient(const Step<T>& step, const Targets<T>& targets, const LossGrad<T>& dloss,
                          T* dx) = 0;
    virtual bool valid(const Step<T>&) const { return true; }

  private:
    bool mean_;
    double divisor_ = 1, factor_ = 0, limit_ = 0;
    Buffer<T> losses_;
    Gradient<T> dx_;
};

// Softmax cross-entropy on logits with labels.
template <class T>
class CrossEntropyLoss : public Loss<T> {
  public:
    CrossEntropyLoss(Value<T> x, bool mean, int64_t max_rows, const CrossEntropy<T>& rule)
        : Loss<T>(x, mean, max_rows), rule_(rule), p_(max_rows * x.cols) {}

  protected:
    void compute(const Step<T>& step, const Targets<T>& t, T* losses) override {
        step.k.softmax_cross_entropy_forward(losses, p_.get(), this->x.data, t.labels, step.rows,
                                             this->x.cols, rule_);
    }
    int64_t losses(const Step<T>& step) const override { return step.rows; }
    double count(const Step<T>& step, const Targets<T>& t) const override {
        double total = 0;
        step.k.label_weight(&total, t.labels, step.rows, rule_);
        return total;
    }
    void gradient(const Step<T>& step, const Targets<T>& t, const LossGrad<T>& dloss,
                  T* dx) override {
        step.k.softmax_cross_entropy_backward(dx, dloss, p_.get(), t.labels, step.rows,
                                              this->x.cols, rule_);
    }

  private:
    CrossEntropy<T> rule_;
    Buffer<T> p_;
};

// The same with a probability for each class.
template <class T>
class SoftCrossEntropyLoss : public Loss<T> {
  public:
    SoftCrossEntropyLoss(Value<T> x, bool mean, int64_t max_rows, const CrossEntropy<T>& rule)
        : Loss<T>(x, mean, max_rows), rule_(rule), p_(max_rows * x.cols) {}

  protected:
    void compute(const Step<T>& step, const Targets<T>& t, T* losses) override {
        step.k.soft_cross_entropy_forward(losses, p_.get(), this->x.data, t.values, step.rows,
                                          this->x.cols, rule_);
    }
    int64_t losses(const Step<T>& step) const override { return step.rows; }
    double count(const Step<T>& step, const Targets<T>&) const override {
        return double(step.rows);
    }
    void gradient(const Step<T>& step, const Targets<T>& t, const LossGrad<T>& dloss,
                  T* dx) override {
        step.k.soft_cross_entropy_backward(dx, dloss, p_.get(), t.values, step.rows, this->x.cols,
                                           rule_);
    }

  private:
    CrossEntropy<T> rule_;
    Buffer<T> p_;
};

// Negative log-likelihood of log-probabilities with labels.
template <class T>
class NllLoss : public Loss<T> {
  public:
    NllLoss(Value<T> x, bool mean, int64_t max_rows, const CrossEntropy<T>& rule)
        : Loss<T>(x, mean, max_rows), rule_(rule) {}

  protected:
    void compute(const Step<T>& step, const Targets<T>& t, T* losses) override {
        step.k.nll_forward(losses, this->x.data, t.labels, step.rows, this->x.cols, rule_);
    }
    int64_t losses(const Step<T>& step) const override { return step.rows; }
    double count(const Step<T>& step, const Targets<T>& t) const override {
        double total = 0;
        step.k.label_weight(&total, t.labels, step.rows, rule_);
        return total;
    }
    void gradient(const Step<T>& step, const Targets<T>& t, const LossGrad<T>& dloss,
                  T* dx) override {
        step.k.nll_backward(dx, dloss, t.labels, step.rows, this->x.cols, rule_);
    }

  private:
    CrossEntropy<T> rule_;
};

// A loss element by element.
template <class T>
class ElementwiseLoss : public Loss<T> {
  public:
    ElementwiseLoss(Value<T> x, bool mean, int64_t max_rows, const ElementLoss<T>& rule)
        : Loss<T>(x, mean, max_rows * x.cols), rule_(rule) {}

  protected:
    void compute(const Step<T>& step, const Targets<T>& t, T* losses) override {
        step.k.element_loss_forward(losses, this->x.data, t.values, this->losses(step), rule_);
    }
    int64_t losses(const Step<T>& step) const override { return step.rows * this->x.cols; }
    double count(const Step<T>& step, const Targets<T>&) const override {
        return double(losses(step));
    }
    void gradient(const Step<T>& step, const Targets<T>& t, const LossGrad<T>& dloss,
                  T* dx) override {
        step.k.element_loss_backward(dx, nullptr, dloss, this->x.data, t.values, losses(step),
                                     rule_);
    }
    bool valid(const Step<T>& step) const override {
        if (rule_.kind != ElementLossKind::bce) return true;
        for (int64_t i = 0; i < losses(step); ++i)
            if (this->x.data[i] < T(0) || this->x.data[i] > T(1)) return false;
        return true;
    }

  private:
    ElementLoss<T> rule_;
};

}  // namespace fastnn
