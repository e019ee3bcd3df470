#include "program.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace fastnn {
namespace {

// A step meets at 10 to 20 barriers, so it runs on one core below 20 times the work of one team:
// 2.6 million multiply-adds of AVX2. 20-128-256-4 has 1.1 million on 8 rows, where one core of AVX2
// takes 67 us and two 65, 2 million on 16 rows, 96 and 94, and 3.7 million on 32 rows, 167 and 115.
// AVX-512 makes twice as many meanwhile: 32 rows take one core of it 75 to 96 us and two 75 to 117.
int64_t teams_of_step() { return 20 * kernels().vector_bytes / 32; }

constexpr auto kAskEvery = std::chrono::milliseconds(5);

// What an activation is, by its name in activations.def.
template <class T>
struct ActivationRow {
    const char* name;
    typename Activation<T>::Forward KernelsOf<T>::* forward;
    typename Activation<T>::Backward KernelsOf<T>::* backward;
    bool saves_output;
};

template <class T>
constexpr ActivationRow<T> kActivations[] = {
#define FASTNN_ACTIVATION(name, Formula, saved, ...) \
    {#name, &KernelsOf<T>::name##_forward, &KernelsOf<T>::name##_backward, saved[0] == 'y'},
#include "../activations.def"
#undef FASTNN_ACTIVATION
};

}  // namespace

// --- what it is made of ---

template <class T>
auto Program<T>::add_value(int64_t cols, bool wants_grad) -> Id {
    buffers_.emplace_back(max_rows_ * cols);
    T* const data = buffers_.back().get();
    targets_.push_back({max_rows_ * cols});
    if (wants_grad) {
        buffers_.emplace_back(max_rows_ * cols);
        targets_.back().grad = buffers_.back().get();
    }
    values_.push_back({cols, data, &targets_.back()});
    return Id(values_.size() - 1);
}

template <class T>
bool Program<T>::trains(std::initializer_list<Parameter<T>> parameters) const {
    for (const auto& p : parameters)
        if (p.target && p.target->grad) return true;
    return false;
}

template <class T>
template <class Op, class... Args>
Op& Program<T>::add(Args&&... args) {
    auto op = std::make_unique<Op>(std::forward<Args>(args)...);
    Op& made = *op;
    masks_ += op->masks();
    operations_.push_back(std::move(op));
    return made;
}

template <class T>
Parameter<T> Program<T>::parameter(T* data, T* grad, int64_t size, int64_t rows) {
    for (const auto& p : parameters_)
        if (p.data == data) return p;
    targets_.push_back({size, grad, true, rows});
    parameters_.push_back({data, &targets_.back()});
    return parameters_.back();
}

template <class T>
auto Program<T>::linear(Id x, int64_t out, Parameter<T> w, Parameter<T> b, bool relu) -> Id {
    const Id y = add_value(out, wants_grad(x) || trains({w, b}));
    linears_.push_back(&add<Linear<T>>(values_[size_t(x)], values_[size_t(y)], w, b, relu));
    multiply_adds_ += values_[size_t(x)].cols * out * (1 + wants_grad(x) + trains({w}));
    return y;
}

template <class T>
auto Program<T>::activation(const std::string& name, Id x, ActivationOptions<T> options) -> Id {
    for (const auto& row : kActivations<T>) {
        if (name != row.name) continue;
        const Id y = add_value(values_[size_t(x)].cols, wants_grad(x));
        add<Activation<T>>(values_[size_t(x)], values_[size_t(y)], row.forward, row.backward,
                           row.saves_output, options);
        return y;
    }
    throw std::invalid_argument("Program: there is no activation " + name);
}

template <class T>
auto Program<T>::softmax(Id x, int64_t classes, bool log) -> Id {
    const Id y = add_value(values_[size_t(x)].cols, wants_grad(x));
    add<Softmax<T>>(values_[size_t(x)], values_[size_t(y)], classes, log);
    return y;
}

template <class T>
auto Program<T>::dropout(Id x, double p) -> Id {
    const Id y = add_value(values_[size_t(x)].cols, wants_grad(x));
    add<Dropout<T>>(values_[size_t(x)], values_[size_t(y)], p, masks_);
    return y;
}

template <class T>
auto Program<T>::batch_norm(Id x, Parameter<T> w, Parameter<T> b, int64_t channels, T eps,
                            bool batch, const RunningStatistics<T>& running) -> Id {
    const Id y = add_value(values_[size_t(x)].cols, wants_grad(x) || trains({w, b}));
    batch_norms_.push_back(&add<BatchNorm<T>>(values_[size_t(x)], values_[size_t(y)], w, b,
                                              channels, eps, batch, running));
    return y;
}

template <class T>
auto Program<T>::layer_norm(Id x, Parameter<T> w, Parameter<T> b, int64_t cols, T eps) -> Id {
    const Id y = add_value(values_[size_t(x)].cols, wants_grad(x) || trains({w, b}));
    add<LayerNorm<T>>(values_[size_t(x)], values_[size_t(y)], w, b, cols, eps, max_rows_);
    return y;
}

template <class T>
auto Program<T>::combine(Arithmetic kind, Id a, Id b) -> Id {
    const Id y = add_value(values_[size_t(a)].cols, wants_grad(a) || wants_grad(b));
    add<Combination<T>>(kind, values_[size_t(a)], values_[size_t(b)], values_[size_t(y)]);
    return y;
}

template <class T>
void Program<T>::cross_entropy(Id x, bool mean, const CrossEntropy<T>& rule) {
    loss_ = std::make_unique<CrossEntropyLoss<T>>(values_[size_t(x)], mean, max_rows_, rule);
}

template <class T>
void Program<T>::soft_cross_entropy(Id x, bool mean, const CrossEntropy<T>& rule) {
    loss_ = std::make_unique<SoftCrossEntropyLoss<T>>(values_[size_t(x)], mean, max_rows_, rule);
}

template <class T>
void Program<T>::nll(Id x, bool mean, const CrossEntropy<T>& rule) {
    loss_ = std::make_unique<NllLoss<T>>(values_[size_t(x)], mean, max_rows_, rule);
}

template <class T>
void Program<T>::element_loss(Id x, bool mean, const ElementLoss<T>& rule) {
    loss_ = std::make_unique<ElementwiseLoss<T>>(values_[size_t(x)], mean, max_rows_, rule);
}

// Where a ReLU's output has one use, a product, its gradient is masked as that product stores it.
template <class T>
void Program<T>::settle_masks() {
    for (Linear<T>* to : linears_)
        for (Linear<T>* from : linears_)
            if (from->relu && from->y.data == to->x.data && from->y.target->uses == 1)
                to->masks_input = from->masked = true;
}

// --- packed weights ---

// Fewer steps would not win back the packing of weights and state, before and after the run.
constexpr int64_t kStepsWorthPacking = 4;

template <class T>
const Optimizer<T>* Program<T>::optimizer_of(const Linear<T>& layer) const {
    for (const auto& optimizer : optimizers_)
        if (optimizer->has(layer.w.data)) return optimizer.get();
    return nullptr;
}

// Whether all products of a layer are those of tiles; narrow ones are others, see kernels/dot.h.
template <class T>
bool has_tiles(const Linear<T>& layer) {
    constexpr int64_t narrow = 8;
    return layer.y.cols > narrow && layer.x.cols > narrow;
}

// Whether a layer's weights may stay packed in a run: the gradient goes into the step at once.
template <class T>
bool Program<T>::can_pack(const Linear<T>& layer) const {
    const Optimizer<T>* optimizer = optimizer_of(layer);
    const auto once = [](const Parameter<T>& p) { return p.target->grad && p.target->uses == 1; };
    if (!optimizer || !once(layer.w) || !has_tiles(layer)) return false;
    return !layer.b.data || (once(layer.b) && optimizer->has(layer.b.data));
}

template <class T>
void Program<T>::pack(const KernelsOf<T>& k, const Batches& batches) {
    const bool plain = adjustments_.l1 > 0 || adjustments_.norm >= 0 || adjustments_.value >= 0;
    const bool worth = batches.accumulate == 1 && batches.count >= kStepsWorthPacking;
    for (Linear<T>* layer : linears_) {
        layer->packed = nullptr;
        if (plain || !worth || !can_pack(*layer)) continue;
        layer->packed = layer->pack(k, optimizer_of(*layer), layer->x.target->grad != nullptr);
    }
    list_rest();
}

template <class T>
void Program<T>::freeze(const Program* other) {
    const KernelsOf<T>& k = kernels().of<T>();
    const bool takes = other && other->frozen_ == &k;
    std::vector<Packed<T>> panels(linears_.size());  // all of one table, or memory ends before
    for (size_t i = 0; i < linears_.size(); ++i) {
        if (takes)
            panels[i] = other->linears_[i]->packed;
        else if (has_tiles(*linears_[i]))
            panels[i] = linears_[i]->pack(k, nullptr, false);
    }
    for (size_t i = 0; i < linears_.size(); ++i) linears_[i]->packed = std::move(panels[i]);
    frozen_ = &k;
}

template <class T>
void Program<T>::keep_frozen() {
    if (frozen_ && frozen_ != &kernels().of<T>()) freeze(nullptr);
}

// At the end of a prediction, however it ends.
template <class T>
struct Program<T>::Unpacked {
    Program& program;
    ~Unpacked() {
        if (program.frozen_) return;
        for (Linear<T>* layer : program.linears_) layer->packed = nullptr;
    }
};

template <class T>
const PackedWeights<T>* Program<T>::packed(const Parameter<T>& p) const {
    for (const Linear<T>* layer : linears_)
        if (layer->w.data == p.data) return layer->packed.get();
    return nullptr;
}

template <class T>
void Program<T>::list_rest() {
    rest_.clear();
    for (const auto& optimizer : optimizers_) {
        std::vector<std::pair<int64_t, int64_t>> taken;  // begin and end, in order
        for (const Linear<T>* layer : linears_) {
            if (!layer->packed || !optimizer->has(layer->w.data)) continue;
            for (const auto& p : {layer->w, layer->b})
                if (p.data)
                    taken.push_back(
                        {p.data - optimizer->w(), p.data - optimizer->w() + p.target->size});
        }
        taken.push_back({optimizer->size, optimizer->size});
        std::sort(taken.begin(), taken.end());
        int64_t at = 0;
        for (const auto& [begin, end] : taken) {
            if (begin > at) rest_.push_back({optimizer.get(), at, begin - at});
            at = end;
        }
    }
}

// --- running it ---

template <class T>
double Program<T>::norm(const KernelsOf<T>& k) const {
    const auto powers = [&](double scale) {
        double total = 0;
        for (const auto& p : parameters_) {
            double sum;
            if (!p.target->grad) continue;
            k.squared_norm(&sum, p.target->grad, scale, p.target->size);
            total += sum;
        }
        return total;
    };
    constexpr double tiny = 1e-280;  // as in nn.utils.clip_grad: squares may be lost below
    const double total = powers(1);
    if (total > tiny && total < std::numeric_limits<double>::infinity())
        return std::pow(total, 0.5);
    double largest = 0;
    for (const auto& p : parameters_)
        for (int64_t i = 0; p.target->grad && i < p.target->size; ++i) {
            const double size = std::fabs(double(p.target->grad[i]));
            if (!(size <= largest)) largest = size;  // NaN too, and for good
            if (largest != largest) return largest;
        }
    if (largest == 0 || largest > std::numeric_limits<double>::max()) return largest;
    int exponent;
    std::frexp(largest, &exponent);
    const double scale = std::ldexp(1.0, -exponent);
    return std::pow(powers(scale), 0.5) / scale;
}

template <class T>
void Program<T>::clip_norm(const KernelsOf<T>& k) {
    const double size = double(T(norm(k))) + 1e-6, factor = adjustments_.norm / size;
    if (factor >= 1 || (std::isinf(size) && std::isnan(factor))) return;
    for (const auto& p : parameters_)
        if (p.target->grad) k.scale_values(p.target->grad, T(factor), p.target->size);
}

// The penalty l2 / 2 sum w^2 over the matrices.
template <class T>
double Program<T>::l2_penalty(const KernelsOf<T>& k, double l2) const {
    double penalty = 0;
    for (const auto& p : parameters_) {
        const int64_t rows = p.target->rows;
        if (!p.target->grad || !rows) continue;
        double sum;
        if (const auto* weights = packed(p))
            sum = weights->square_sum(k);
        else
            k.square_sum(&sum, p.data, rows, p.target->size / rows);
        penalty += l2 / 2 * sum;
    }
    return penalty;
}

// Its gradient, to those that have not gone into a step yet, as those of packed weights have.
template <class T>
void Program<T>::add_l2_gradient(const KernelsOf<T>& k, double l2) {
    for (const auto& p : parameters_)
        if (p.target->grad && p.target->rows && !packed(p))
            k.l2_gradient(p.target->grad, p.data, T(l2), p.target->size);
}

template <class T>
void Program<T>::adjust_gradients(const KernelsOf<T>& k) {
    if (adjustments_.l1 > 0) {
        for (const auto& p : parameters_) {
            double penalty;
            if (p.target->grad)
                k.l1_gradient(&penalty, p.target->grad, p.data, T(adjustments_.l1), p.target->size);
        }
    }
    if (adjustments_.norm >= 0) clip_norm(k);
    if (adjustments_.value >= 0) {
        for (const auto& p : parameters_)
            if (p.target->grad)
                k.clip_values(p.target->grad, T(adjustments_.value), p.target->size);
    }
}

template <class T>
void Program<T>::count_right(const Data<T>& data, int64_t rows, Measured& measured) const {
    const T* const out = outputs();
    const int64_t cols = output_cols();
    if (accuracy_ == Accuracy::bits) {
        const T* const targets = targets_of_batch_.get();
        int64_t right = 0;
        for (int64_t i = 0; i < rows * cols; ++i)
            right += (out[i] > threshold_) == (targets[i] != T(0));
        measured.right += double(right);
        measured.counted += double(rows * cols);
    } else if (accuracy_ == Accuracy::classes && data.labels) {
        int64_t right = 0, counted = 0;
        for (int64_t i = 0; i < rows; ++i) {
            const T* const row = out + i * cols;
            int64_t top = 0;  // as NumPy's argmax: the first of the largest, or the first NaN
            for (int64_t j = 1; j < cols; ++j)
                if (row[j] > row[top] || (row[j] != row[j] && row[top] == row[top])) top = j;
            const bool ignored = labels_[size_t(i)] == ignored_;
            counted += !ignored;
            right += !ignored && top == labels_[size_t(i)];
        }
        measured.right += double(right);
        measured.counted += double(counted);
    }
}

template <class T>
int64_t Program<T>::work(int64_t rows) const {
    return rows * multiply_adds_ + updated_ * kElementCost;
}

// One call of run, as each thread of the team goes through it. What the threads share is changed
// by one of them while the others wait.
template <class T>
struct Program<T>::Run {
    Program& program;
    const Data<T>& data;
    const Batches& batches;
    const double* rates;
    uint64_t seed, draw;
    Measured& measured;
    const std::function<bool()>& stop;
    Ending ending = Ending::done;
    std::chrono::steady_clock::time_point asked = std::chrono::steady_clock::now();

    void operator()() {
        const KernelsOf<T>& k = kernels().of<T>();
        const int64_t* order = batches.order;
        Profile* const profile = first_of_team() ? program.profile_.get() : nullptr;
        if (profile) profile->start();
        for (int64_t first = 0; first < batches.count; first += batches.accumulate) {
            const int64_t last = std::min(first + batches.accumulate, batches.count);
            double mass = 0;
            int64_t rows = 0;
            for (int64_t b = first; b < last; ++b)
                mass += batches.mass(b), rows += batches.sizes[b];
            const double l2 = program.adjustments_.l2 / mass;
            const double penalty = l2 > 0 ? program.l2_penalty(k, l2) : 0;
            if (profile) profile->lap(Part::penalty);
            by_first([&] { begin_step(); });
            for (int64_t b = first; b < last; ++b) {
                if (!gradient(k, order, b, b > first, mass, l2, profile)) return;
                order += batches.sizes[b];
            }
            if (l2 > 0) {
                program.add_l2_gradient(k, l2);
                by_first([&] { measured.penalty += penalty * double(rows); });
            }
            program.adjust_gradients(k);
            update(k);
            single([&] { finish_step(last); });
            if (profile) profile->lap(Part::other);
            if (ending != Ending::done) return;
        }
    }

    // The gradient of batch b, one of a step of so many rows; false ends the run.
    bool gradient(const KernelsOf<T>& k, const int64_t* order, int64_t b, bool adds, double all,
                  double l2, Profile* profile) {
        const int64_t rows = batches.sizes[b];
        const uint64_t mask = draw + uint64_t(b * program.masks_);
        const Step<T> step{k, rows, adds, l2, seed, mask, b, profile};
        step.lap(Part::other);
        const Targets<T> targets = gather(k, order, rows);
        step.lap(Part::gather);
        for (auto& op : program.operations_) op->forward(step);
        Loss<T>& loss = *program.loss_;
        step.lap(Part::other);
        loss.forward(step, targets, [&](bool valid) { measure(rows, valid); });
        if (ending != Ending::done) return false;
        const T share = T(batches.mass(b) / all);
        loss.backward(step, targets, share);
        step.lap(Part::loss);
        for (auto op = program.operations_.rbegin(); op != program.operations_.rend(); ++op)
            (*op)->backward(step);
        return true;
    }

    Targets<T> gather(const KernelsOf<T>& k, const int64_t* order, int64_t rows) {
        parallel_rows(rows, kElementCost, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                if (data.labels) program.labels_[size_t(i)] = data.labels[order[i]];
                if (data.weights) program.weights_of_batch_.get()[i] = data.weights[order[i]];
            }
        });
        if (!data.labels) k.gather(program.targets_of_batch_.get(), data.targets, order, rows);
        k.gather(program.values_[0].data, data.inputs, order, rows);
        return {program.labels_.data(), program.targets_of_batch_.get(),
                data.weights ? program.weights_of_batch_.get() : nullptr};
    }

    void measure(int64_t rows, bool valid) {
        const double loss = double(program.loss_->total);
        measured.last_loss = loss;
        if (!valid || !std::isfinite(loss)) {
            ending = valid ? Ending::not_finite : Ending::invalid;
            return;
        }
        measured.loss += loss * double(rows);
        measured.rows += double(rows);
        ++measured.batches;
        program.count_right(data, rows, measured);
    }

    void update(const KernelsOf<T>& k) const {
        for (const auto& part : program.rest_)
            k.update(part.of->current.from(part.offset), part.of->grad + part.offset, part.size);
    }

    void begin_step() {
        for (auto& optimizer : program.optimizers_) {
            if (rates) {
                optimizer->set_rates(rates);
                rates += kRates;
            }
            optimizer->current = optimizer->rule(optimizer->steps + 1);
        }
    }

    void finish_step(int64_t batch) {
        for (auto& optimizer : program.optimizers_) ++optimizer->steps;
        ++measured.steps;
        const auto now = std::chrono::steady_clock::now();
        if (now - asked < kAskEvery || batch == batches.count) return;
        asked = now;
        if (stop()) ending = Ending::stopped;
    }
};

template <class T>
Ending Program<T>::run(const Data<T>& data, const Batches& batches, const double* rates,
                       uint64_t seed, uint64_t draw, Measured& measured,
                       const std::function<bool()>& stop) {
    settle_masks();
    labels_.resize(size_t(max_rows_));
    if (!data.labels && !targets_of_batch_.get())
        targets_of_batch_ = Buffer<T>(max_rows_ * data.targets.cols);
    if (data.weights && !weights_of_batch_.get()) weights_of_batch_ = Buffer<T>(max_rows_);
    updated_ = 0;
    for (const auto& optimizer : optimizers_) updated_ += optimizer->size;
    const int threads = team_size(work(batches.sizes[0]) / teams_of_step());
    const KernelsOf<T>& k = kernels().of<T>();
    pack(k, batches);
    Run run{*this, data, batches, rates, seed, draw, measured, stop};
    standing_team(threads, run);
    for (Linear<T>* layer : linears_) {
        if (layer->packed) layer->packed->unpack(k);
        layer->packed = nullptr;
    }
    return run.ending;
}

template <class T>
bool Program<T>::finite() const {
    for (const auto& p : parameters_) {
        double sum;
        kernels().of<T>().squared_norm(&sum, p.data, 1, p.target->size);
        if (!std::isfinite(sum)) return false;
    }
    return true;
}

// One call of predict, as each thread of the team goes through it.
template <class T>
struct Program<T>::Prediction {
    Program& program;
    const KernelsOf<T>& k;
    T* out;
    const Source<T>& inputs;
    const int64_t *order, rows;  // 0, 1, ...

    void operator()() {
        const int64_t cols = program.output_cols();
        for (int64_t first = 0; first < rows; first += program.max_rows_) {
            const int64_t count = std::min(program.max_rows_, rows - first);
            const Step<T> step{k, count, false, 0, 0, 0, 0, nullptr};
            k.gather(program.values_[0].data, inputs, order + first, count);
            for (auto& op : program.operations_) op->forward(step);
            parallel_rows(count, cols * kElementCost, [&](int64_t begin, int64_t end) {
                std::copy_n(program.outputs() + begin * cols, (end - begin) * cols,
                            out + (first + begin) * cols);
            });
        }
    }
};

template <class T>
void Program<T>::predict(T* out, const Source<T>& inputs, int64_t rows) {
    std::vector<int64_t> order(static_cast<size_t>(rows));
    std::iota(order.begin(), order.end(), int64_t(0));
    const int64_t barriers = int64_t(operations_.size()) + 2;
    const Unpacked at_the_end{*this};
    const KernelsOf<T>& k = frozen_ ? *frozen_ : kernels().of<T>();
    if (!frozen_ && rows > max_rows_)  // more than one batch: 10,000 rows take a sixth less
        for (Linear<T>* layer : linears_)
            if (has_tiles(*layer)) layer->packed = layer->pack(k, nullptr, false);
    Prediction prediction{*this, k, out, inputs, order.data(), rows};
    // of few rows the weights count, which are read whatever is multiplied by them
    const int64_t reads = std::max(std::min(rows, max_rows_), kElementCost);
    standing_team(team_size(reads * multiply_adds_ / barriers), prediction);
}

template class Program<float>;
template class Program<double>;

}  // namespace fastnn
