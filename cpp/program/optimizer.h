// The optimizers of a program: what makes the rule of a step out of options and the step's number.
#pragma once

#include <array>

#include "../optimizers.h"
#include "value.h"

namespace fastnn {

// What a schedule may change before every step, in this order; see Optimizer::set_rates.
constexpr int kRates = 3;  // lr, momentum or beta1, beta2

// One optimizer on one run of parameters that lie together and have come equally far.
template <class T>
class Optimizer {
  public:
    Optimizer(UpdateKind kind, T* w, std::array<T*, 3> state, T* grad, int64_t size, int64_t steps)
        : size(size),
          steps(steps),
          grad(grad),
          current{kind, w, {state[0], state[1], state[2]}},
          update_(current) {}
    virtual ~Optimizer() = default;

    // The rule of step number `step`, from 1.
    virtual Update<T> rule(int64_t step) const = 0;
    virtual void set_rates(const double* rates) = 0;

    T* w() const { return update_.w; }
    bool has(const T* p) const { return p >= update_.w && p < update_.w + size; }

    const int64_t size;
    int64_t steps;  // done so far
    T* const grad;
    Update<T> current;  // the rule of the step that is being made

  protected:
    Update<T> update_;
};

template <class T>
class SgdOptimizer : public Optimizer<T> {
  public:
    template <class... Args>
    explicit SgdOptimizer(const SgdOptions& options, Args&&... args)
        : Optimizer<T>(UpdateKind::sgd, std::forward<Args>(args)...), options_(options) {}
    Update<T> rule(int64_t step) const override {
        Update<T> u = this->update_;
        u.sgd = options_.rule<T>(step == 1);
        return u;
    }
    void set_rates(const double* rates) override {
        options_.lr = rates[0], options_.momentum = rates[1];
    }

  private:
    SgdOptions options_;
};

template <class T>
class AdamOptimizer : public Optimizer<T> {
  public:
    // plain_root: eps stands beside the root before that is corrected for its start.
    template <class... Args>
    AdamOptimizer(const AdamOptions& options, bool plain_root, Args&&... args)
        : Optimizer<T>(UpdateKind::adam, std::forward<Args>(args)...),
          options_(options),
          plain_root_(plain_root) {}
    Update<T> rule(int64_t step) const override {
        Update<T> u = this->update_;
        AdamOptions now = options_;
        const double correction2 = 1 - std::pow(options_.beta2, double(step));
        if (plain_root_) now.eps /= std::sqrt(correction2);
        u.adam = now.rule<T>(1 - std::pow(options_.beta1, double(step)), correction2);
        return u;
    }
    void set_rates(const double* rates) override {
        options_.lr = rates[0], options_.beta1 = rates[1], options_.beta2 = rates[2];
    }

  private:
    AdamOptions options_;
    bool plain_root_;
};

template <class T>
class AdagradOptimizer : public Optimizer<T> {
  public:
    template <class... Args>
    AdagradOptimizer(const AdagradOptions& options, double lr_decay, Args&&... args)
        : Optimizer<T>(UpdateKind::adagrad, std::forward<Args>(args)...),
          options_(options),
          lr_(options.rate),
          lr_decay_(lr_decay) {}
    Update<T> rule(int64_t step) const override {
        Update<T> u = this->update_;
        AdagradOptions now = options_;
        now.rate = lr_ / (1 + double(step - 1) * lr_decay_);
        u.adagrad = now.rule<T>();
        return u;
    }
    void set_rates(const double* rates) override { lr_ = rates[0]; }

  private:
    AdagradOptions options_;
    double lr_, lr_decay_;
};

template <class T>
class RmspropOptimizer : public Optimizer<T> {
  public:
    template <class... Args>
    explicit RmspropOptimizer(const RmspropOptions& options, Args&&... args)
        : Optimizer<T>(UpdateKind::rmsprop, std::forward<Args>(args)...), options_(options) {}
    Update<T> rule(int64_t) const override {
        Update<T> u = this->update_;
        u.rmsprop = options_.rule<T>();
        return u;
    }
    void set_rates(const double* rates) override {
        options_.lr = rates[0], options_.momentum = rates[1];
    }

  private:
    RmspropOptions options_;
};

}  // namespace fastnn
