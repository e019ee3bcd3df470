// A model, its loss and its optimizer as one list of operations, and epochs of training run on it
// without entering Python. Knows nothing of Python; bindings/bind_program.cpp brings the arrays.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "losses.h"
#include "operations.h"
#include "optimizer.h"

namespace fastnn {

// Where the batches of a run come from.
template <class T>
struct Data {
    Source<T> inputs;
    const int64_t* labels = nullptr;  // of all rows, or null
    Source<T> targets = {};           // data null where there are labels
    const T* weights = nullptr;       // of all rows, or null
};

// What a run goes through: rows `order[0 .. sum of sizes)`, cut into batches of these sizes, of
// which `accumulate` make one step of the optimizer.
struct Batches {
    const int64_t* order;
    const int64_t* sizes;
    const double* masses;  // what each counts; null: its rows
    int64_t count, accumulate;

    double mass(int64_t batch) const { return masses ? masses[batch] : double(sizes[batch]); }
};

enum class Accuracy { none, classes, bits };  // bits: output above a threshold against 0 or 1

enum class Ending { done, stopped, not_finite, invalid };

// What a run has measured, batch after batch; it goes on from what it is given.
struct Measured {
    double loss = 0, rows = 0, penalty = 0, right = 0, counted = 0;
    int64_t batches = 0, steps = 0;
    double last_loss = 0;
};

// What is done to gradients before a step, of these parameters in this order.
struct Adjustments {
    double l1 = 0, l2 = 0;         // the latter by the rows of the step
    double norm = -1, value = -1;  // negative: no limit
};

template <class T>
class Program {
  public:
    using Id = int;  // of a value

    explicit Program(int64_t max_rows) : max_rows_(max_rows) {}

    // --- what it is made of, in the order of the forward pass ---

    Id input(int64_t cols) { return add_value(cols, false); }
    // grad null: not trained; rows 0: no matrix
    Parameter<T> parameter(T* data, T* grad, int64_t size, int64_t rows);
    Id linear(Id x, int64_t out, Parameter<T> w, Parameter<T> b, bool relu);
    Id activation(const std::string& name, Id x, ActivationOptions<T> options);
    Id softmax(Id x, int64_t classes, bool log);
    Id dropout(Id x, double p);
    Id batch_norm(Id x, Parameter<T> w, Parameter<T> b, int64_t channels, T eps, bool batch,
                  const RunningStatistics<T>& running);
    Id layer_norm(Id x, Parameter<T> w, Parameter<T> b, int64_t cols, T eps);
    Id combine(Arithmetic kind, Id a, Id b);

    void cross_entropy(Id x, bool mean, const CrossEntropy<T>& rule);
    void soft_cross_entropy(Id x, bool mean, const CrossEntropy<T>& rule);
    void nll(Id x, bool mean, const CrossEntropy<T>& rule);
    void element_loss(Id x, bool mean, const ElementLoss<T>& rule);
    void give(Id x) { output_ = values_[size_t(x)]; }  // where there is no loss
    void weigh_rows(double factor, double limit) { loss_->weigh(factor, limit); }

    void optimize(std::unique_ptr<Optimizer<T>> optimizer) {
        optimizers_.push_back(std::move(optimizer));
    }
    void forget_optimizers() { optimizers_.clear(); }
    void adjust(const Adjustments& adjustments) { adjustments_ = adjustments; }
    void measure(Accuracy kind, T threshold, int64_t ignored) {
        accuracy_ = kind, threshold_ = threshold, ignored_ = ignored;
    }

    // --- running it ---

    // Trains on the batches until they end, `stop` says so (it is asked after a step every few
    // milliseconds, in the calling thread) or a loss is not finite; the weights are then those
    // before. `rates`, where given, holds kRates numbers for each step and optimizer.
    Ending run(const Data<T>& data, const Batches& batches, const double* rates, uint64_t seed,
               uint64_t draw, Measured& measured, const std::function<bool()>& stop);

    // out (rows, output_cols) = the outputs for these rows of the inputs, max_rows at a time.
    void predict(T* out, const Source<T>& inputs, int64_t rows);

    // Packs the weights for all predictions from now on, which do not see them change; or takes
    // what another frozen program of the same model has packed.
    void freeze(const Program* other);
    // Packs them anew if another table of kernels has been chosen: panels are as wide as its
    // vectors.
    void keep_frozen();

    // Whether all parameters are finite; false too where a square of theirs is not.
    bool finite() const;

    int masks() const { return masks_; }
    void profile(bool on) { profile_ = on ? std::make_unique<Profile>() : nullptr; }
    const Profile* profile() const { return profile_.get(); }
    const T* outputs() const { return output().data; }
    int64_t output_cols() const { return output().cols; }
    int64_t max_rows() const { return max_rows_; }
    int64_t input_cols() const { return values_[0].cols; }
    const std::vector<BatchNorm<T>*>& batch_norms() const { return batch_norms_; }
    const std::deque<std::unique_ptr<Optimizer<T>>>& optimizers() const { return optimizers_; }

  private:
    struct Run;  // one call of run
    struct Prediction;
    struct Unpacked;

    const Value<T>& output() const { return loss_ ? loss_->x : output_; }

    Id add_value(int64_t cols, bool wants_grad);
    bool wants_grad(Id x) const { return values_[size_t(x)].target->grad != nullptr; }
    bool trains(std::initializer_list<Parameter<T>> parameters) const;
    template <class Op, class... Args>
    Op& add(Args&&... args);
    void settle_masks();
    void pack(const KernelsOf<T>& k, const Batches& batches);
    bool can_pack(const Linear<T>& layer) const;
    const Optimizer<T>* optimizer_of(const Linear<T>& layer) const;
    void list_rest();
    const PackedWeights<T>* packed(const Parameter<T>& p) const;
    double l2_penalty(const KernelsOf<T>& k, double l2) const;
    void add_l2_gradient(const KernelsOf<T>& k, double l2);
    void adjust_gradients(const KernelsOf<T>& k);
    void clip_norm(const KernelsOf<T>& k);
    double norm(const KernelsOf<T>& k) const;
    void count_right(const Data<T>& data, int64_t rows, Measured& measured) const;
    int64_t work(int64_t rows) const;

    const int64_t max_rows_;
    std::deque<Target<T>> targets_;
    std::vector<Buffer<T>> buffers_;
    std::vector<Value<T>> values_;
    std::vector<Parameter<T>> parameters_;
    std::vector<std::unique_ptr<Operation<T>>> operations_;
    std::vector<Linear<T>*> linears_;
    std::vector<BatchNorm<T>*> batch_norms_;
    std::unique_ptr<Loss<T>> loss_;
    Value<T> output_{};
    std::deque<std::unique_ptr<Optimizer<T>>> optimizers_;
    struct Stretch {  // of an optimizer's parameters
        const Optimizer<T>* of;
        int64_t offset, size;
    };
    std::vector<Stretch> rest_;  // what is not packed
    Adjustments adjustments_;
    Accuracy accuracy_ = Accuracy::none;
    T threshold_ = 0;
    int64_t ignored_ = 0;
    int masks_ = 0;
    const KernelsOf<T>* frozen_ = nullptr;  // whose panels there are for good
    int64_t multiply_adds_ = 0;             // of a row, forward and backward
    int64_t updated_ = 0;                   // parameters
    std::vector<int64_t> labels_;
    Buffer<T> targets_of_batch_, weights_of_batch_;
    std::unique_ptr<Profile> profile_;
};

extern template class Program<float>;
extern template class Program<double>;

}  // namespace fastnn
