// The weights of a linear layer as a run keeps them: packed, with the optimizer's state beside. A
// prediction of many rows reads them packed, too, and changes nothing.
#pragma once

#include <memory>

#include "optimizer.h"

namespace fastnn {

template <class T>
class PackedWeights {
  public:
    // w (out, in) and b (out) or null lie at these places of the optimizer's parameters.
    // optimizer null: they are not trained.
    PackedWeights(const Optimizer<T>* optimizer, T* w, T* b, int64_t out, int64_t in, bool both)
        : optimizer_(optimizer), w_(w), b_(b), out_(out), in_(in), both_(both) {}

    // Into panels, at the start of a run.
    void pack(const KernelsOf<T>& k) {
        int64_t size, other;
        k.packed_size(&size, out_, in_);
        k.packed_size(&other, in_, out_);
        packed_ = Buffer<T>(size);
        k.pack_panels(packed_.get(), w_, in_, out_, 1, in_);
        if (optimizer_) pack_state(k, size);
        if (!both_) return;
        by_inputs_ = Buffer<T>(other);
        k.pack_panels(by_inputs_.get(), w_, out_, in_, in_, 1);
    }

    // Back to where they came from, at its end.
    void unpack(const KernelsOf<T>& k) const {
        k.unpack_panels(w_, packed_.get(), in_, out_);
        const Update<T> flat = optimizer_->rule(1);
        for (int i = 0; i < 3; ++i)
            if (flat.state[i])
                k.unpack_panels(flat.state[i] + offset(w_), state_[i].get(), in_, out_);
    }

    double square_sum(const KernelsOf<T>& k) const {
        double sum;
        k.packed_square_sum(&sum, packed_.get(), in_, out_);
        return sum;
    }

    // A step with the gradients dy^T x, with that of the step's penalty, and the column sums of dy.
    void update(const Step<T>& step, const T* x, const T* dy) const {
        PackedUpdate<T> u{
            x, dy, step.rows, in_, out_, optimizer_->current, optimizer_->current, T(step.l2)};
        u.weights.w = packed_.get();
        for (int i = 0; i < 3; ++i) u.weights.state[i] = state_[i].get();
        u.bias = b_ ? optimizer_->current.from(offset(b_)) : u.bias;
        if (!b_) u.bias.w = nullptr;
        step.k.packed_update(u);
        step.lap(Part::update);
        if (both_) step.k.transpose_panels(by_inputs_.get(), packed_.get(), in_, out_);
        step.lap(Part::repack);
    }

    bool settled() const { return !optimizer_; }
    const T* by_outputs() const { return packed_.get(); }
    const T* by_inputs() const { return by_inputs_.get(); }

  private:
    void pack_state(const KernelsOf<T>& k, int64_t size) {
        const Update<T> flat = optimizer_->rule(1);
        for (int i = 0; i < 3; ++i) {
            if (!flat.state[i]) continue;
            state_[i] = Buffer<T>(size);
            k.pack_panels(state_[i].get(), flat.state[i] + offset(w_), in_, out_, 1, in_);
        }
    }
    int64_t offset(const T* p) const { return p - optimizer_->w(); }

    const Optimizer<T>* optimizer_;
    T *w_, *b_;
    int64_t out_, in_;
    bool both_;  // whether the gradient of the input is asked for
    Buffer<T> packed_, by_inputs_, state_[3];
};

// Shared by frozen programs of one model; null: not packed.
template <class T>
using Packed = std::shared_ptr<const PackedWeights<T>>;

}  // namespace fastnn
