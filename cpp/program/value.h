// What flows through a program: matrices of one row a sample, parameters, and their gradients.
#pragma once

#include <cstdint>
#include <memory>

#include "../aligned.h"
#include "../dispatch.h"
#include "../parallel.h"
#include "profile.h"

namespace fastnn {

// Memory of its own, 64-byte aligned, zero at first.
template <class T>
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(int64_t n) : data_(static_cast<T*>(aligned_new(size_t(n) * sizeof(T)))) {
        for (int64_t i = 0; i < n; ++i) data_.get()[i] = T(0);
    }
    T* get() const { return data_.get(); }

  private:
    struct Free {
        void operator()(T* p) const { aligned_delete(p); }
    };
    std::unique_ptr<T, Free> data_;
};

// What an operation is told of the step it is in.
template <class T>
struct Step {
    const KernelsOf<T>& k;
    int64_t rows;      // of the batch
    bool adds;         // the gradients of parameters, to those of a batch before
    double l2;         // of the penalty l2 / 2 sum w^2 over the matrices
    uint64_t seed;     // of masks
    uint64_t draw;     // number of the batch's first mask
    int64_t number;    // batches before this one in the run
    Profile* profile;  // null: nobody asked

    void lap(Part part) const {
        if (profile) profile->lap(part);
    }
};

template <class T>
class Gradient;

// A value or parameter of `size` elements at most whose gradient may be asked for.
template <class T>
struct Target {
    int64_t size = 0;
    T* grad = nullptr;  // null: nobody asks for it
    bool parameter = false;
    int64_t rows = 0;              // of a parameter that is a matrix; 0: it is none
    Gradient<T>* first = nullptr;  // of its uses, in the order of the backward pass
    int uses = 0;
};

// The gradient of one use of a target. The backward pass meets the uses last to first; the first
// it meets is written, others are computed beside and added, as the tape does.
template <class T>
class Gradient {
  public:
    // Uses are made in the order of the forward pass; those of one operation last to first.
    explicit Gradient(Target<T>* target) : target_(target) {
        if (!target) return;
        if (target->first) target->first->adds_ = true;
        target->first = this;
        ++target->uses;
    }
    Gradient(const Gradient&) = delete;

    explicit operator bool() const { return target_ && target_->grad; }

    // Where the gradient is to be written; to be followed by `arrived`.
    T* place(const Step<T>& step) {
        if (!*this) return nullptr;
        if (!adds(step)) return target_->grad;
        single([&] {
            if (!beside_.get()) beside_ = Buffer<T>(target_->size);
        });
        return beside_.get();
    }

    void arrived(const Step<T>& step, int64_t n) {
        if (*this && adds(step)) step.k.add_values(target_->grad, target_->grad, beside_.get(), n);
    }

    // compute(place) of n values, unless nobody asks for them.
    template <class Compute>
    void write(const Step<T>& step, int64_t n, Compute compute) {
        if (!*this) return;
        compute(place(step));
        arrived(step, n);
    }

  private:
    bool adds(const Step<T>& step) const { return adds_ || (target_->parameter && step.adds); }

    Target<T>* target_;
    bool adds_ = false;
    Buffer<T> beside_;  // made when first needed
};

// A matrix (rows, cols) of the batch.
template <class T>
struct Value {
    int64_t cols;
    T* data;
    Target<T>* target;
};

}  // namespace fastnn
