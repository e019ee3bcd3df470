#include <pybind11/stl.h>

#include <cmath>

#include "../dispatch.h"
#include "../workspace.h"
#include "arrays.h"
#include "bind.h"
#include "loss_kinds.h"

namespace fastnn {
namespace {

template <class T>
CrossEntropy<T> class_rule(const Values<const T>& weight, int64_t classes, int64_t ignore_index,
                           double smoothing) {
    return {weight.data, T(1 - smoothing), T(smoothing / double(classes)), ignore_index};
}

// Where losses go: to an array of theirs, or as their sum into an array of one value.
template <class T>
struct LossOutput {
    Values<T> out;
    bool reduced;

    LossOutput(const Gate& gate, py::handle loss, const Shape& each, bool reduced)
        : out(gate.output<T>("loss", loss, reduced ? Shape{} : each)), reduced(reduced) {}

    T* losses(int64_t n) const {
        return reduced ? static_cast<T*>(workspace(size_t(n) * sizeof(T))) : out.data;
    }
    void reduce(const T* losses, int64_t n, double divisor) const {
        if (reduced) kernels().of<T>().loss_total(out.data, losses, n, divisor);
    }
};

bool is_reduced(const Gate& gate, const std::string& reduction) {
    if (reduction == "mean" || reduction == "sum") return true;
    if (reduction == "none") return false;
    throw std::invalid_argument(gate.where("reduction") +
                                "expected 'mean', 'sum' or 'none', got '" + reduction + "'");
}

// The gradient of a loss: of each of `each`, or one value for all.
template <class T>
std::pair<Values<const T>, LossGrad<T>> loss_grad(const Gate& gate, py::handle dloss,
                                                  const Shape& each, double divisor) {
    const auto d = gate.input<T>("dloss", dloss);
    const bool one = d.shape.empty() || d.shape == Shape{1};
    if (d.shape != each && !one) throw gate.wrong_shape("dloss", text(each) + " or ()", d.shape);
    return {d, {d.data, d.shape == each ? 1 : 0, T(1 / divisor)}};
}

// A mean divides by the weight of its labels; other reductions by 1.
template <class T>
double loss_divisor(const std::string& reduction, const Values<const int64_t>& labels,
                    const CrossEntropy<T>& rule) {
    double divisor = 1;
    if (reduction == "mean")
        kernels().of<T>().label_weight(&divisor, labels.data, labels.size(), rule);
    return divisor;
}

// loss (n), or () where reduced, and probabilities (n, classes) of logits (n, classes) and labels
// (n). Returns what the sum was divided by.
double softmax_cross_entropy_forward(py::handle loss, py::handle probabilities, py::handle logits,
                                     py::handle labels, const std::string& reduction,
                                     py::handle weight, int64_t ignore_index, double smoothing) {
    const Gate gate("softmax_cross_entropy_forward");
    return gate.with_dtype("loss", loss, [&](auto zero) {
        using T = decltype(zero);
        const auto z = gate.matrix<T>("logits", logits);
        const int64_t rows = z.shape[0], classes = z.shape[1];
        const auto y = gate.labels("labels", labels, rows, classes, ignore_index);
        const auto w = gate.input_or_none<T>("weight", weight, {classes});
        const auto p = gate.output<T>("probabilities", probabilities, z.shape);
        const LossOutput<T> result(gate, loss, {rows}, is_reduced(gate, reduction));
        gate.disjoint("loss", result.out, z, p, y, w);
        gate.disjoint("probabilities", p, z, y, w);
        const auto rule = class_rule(w, classes, ignore_index, smoothing);
        py::gil_scoped_release release;
        T* losses = result.losses(rows);
        kernels().of<T>().softmax_cross_entropy_forward(losses, p.data, z.data, y.data, rows,
                                                        classes, rule);
        const double divisor = loss_divisor(reduction, y, rule);
        result.reduce(losses, rows, divisor);
        return divisor;
    });
}

// dlogits (n, classes), which may be `probabilities`; dloss (n), or one value for all rows.
void softmax_cross_entropy_backward(py::handle dlogits, py::handle dloss, py::handle probabilities,
                                    py::handle labels, double divisor, py::handle weight,
                                    int64_t ignore_index, double smoothing) {
    const Gate gate("softmax_cross_entropy_backward");
    gate.with_dtype("dlogits", dlogits, [&](auto zero) {
        using T = decltype(zero);
        const auto p = gate.matrix<T>("probabilities", probabilities);
        const int64_t rows = p.shape[0], classes = p.shape[1];
        const auto y = gate.labels("labels", labels, rows, classes, ignore_index);
        const auto w = gate.input_or_none<T>("weight", weight, {classes});
        const auto dz = gate.output<T>("dlogits", dlogits, p.shape);
        const auto [keep, grad] = loss_grad<T>(gate, dloss, {rows}, divisor);
        gate.disjoint_or_same("dlogits", dz, p);
        gate.disjoint("dlogits", dz, keep, y, w);
        const auto rule = class_rule(w, classes, ignore_index, smoothing);
        py::gil_scoped_release release;
        kernels().of<T>().softmax_cross_entropy_backward(dz.data, grad, p.data, y.data, rows,
                                                         classes, rule);
    });
}

// As above with targets (n, classes) for the labels; a mean divides by n.
double soft_cross_entropy_forward(py::handle loss, py::handle probabilities, py::handle logits,
                                  py::handle targets, const std::string& reduction,
                                  py::handle weight, double smoothing) {
    const Gate gate("soft_cross_entropy_forward");
    return gate.with_dtype("loss", loss, [&](auto zero) {
        using T = decltype(zero);
        const auto z = gate.matrix<T>("logits", logits);
        const int64_t rows = z.shape[0], classes = z.shape[1];
        const auto t = gate.input<T>("targets", targets, z.shape);
        const auto w = gate.input_or_none<T>("weight", weight, {classes});
        const auto p = gate.output<T>("probabilities", probabilities, z.shape);
        const LossOutput<T> result(gate, loss, {rows}, is_reduced(gate, reduction));
        gate.disjoint("loss", result.out, z, p, t, w);
        gate.disjoint("probabilities", p, z, t, w);
        const auto rule = class_rule(w, classes, -1, smoothing);
        const double divisor = reduction == "mean" ? double(rows) : 1;
        py::gil_scoped_release release;
        T* losses = result.losses(rows);
        kernels().of<T>().soft_cross_entropy_forward(losses, p.data, z.data, t.data, rows, classes,
                                                     rule);
        result.reduce(losses, rows, divisor);
        return divisor;
    });
}

// dlogits (n, classes), which may be `probabilities`.
void soft_cross_entropy_backward(py::handle dlogits, py::handle dloss, py::handle probabilities,
                                 py::handle targets, double divisor, py::handle weight,
                                 double smoothing) {
    const Gate gate("soft_cross_entropy_backward");
    gate.with_dtype("dlogits", dlogits, [&](auto zero) {
        using T = decltype(zero);
        const auto p = gate.matrix<T>("probabilities", probabilities);
        const int64_t rows = p.shape[0], classes = p.shape[1];
        const auto t = gate.input<T>("targets", targets, p.shape);
        const auto w = gate.input_or_none<T>("weight", weight, {classes});
        const auto dz = gate.output<T>("dlogits", dlogits, p.shape);
        const auto [keep, grad] = loss_grad<T>(gate, dloss, {rows}, divisor);
        gate.disjoint_or_same("dlogits", dz, p);
        gate.disjoint("dlogits", dz, keep, t, w);
        const auto rule = class_rule(w, classes, -1, smoothing);
        py::gil_scoped_release release;
        kernels().of<T>().soft_cross_entropy_backward(dz.data, grad, p.data, t.data, rows, classes,
                                                      rule);
    });
}

// dtargets (n, classes), from the logits (n, classes).
void soft_cross_entropy_backward_target(py::handle dtargets, py::handle dloss, py::handle logits,
                                        double divisor, py::handle weight, double smoothing) {
    const Gate gate("soft_cross_entropy_backward_target");
    gate.with_dtype("dtargets", dtargets, [&](auto zero) {
        using T = decltype(zero);
        const auto z = gate.matrix<T>("logits", logits);
        const int64_t rows = z.shape[0], classes = z.shape[1];
        const auto w = gate.input_or_none<T>("weight", weight, {classes});
        const auto dt = gate.output<T>("dtargets", dtargets, z.shape);
        const auto [keep, grad] = loss_grad<T>(gate, dloss, {rows}, divisor);
        gate.disjoint("dtargets", dt, z, keep, w);
        const auto rule = class_rule(w, classes, -1, smoothing);
        py::gil_scoped_release release;
        kernels().of<T>().soft_cross_entropy_backward_target(dt.data, grad, z.data, rows, classes,
                                                             rule);
    });
}

// loss (n), or () where reduced, of log-probabilities x (n, classes) and labels (n). Returns what
// the sum was divided by.
double nll_forward(py::handle loss, py::handle x, py::handle labels, const std::string& reduction,
                   py::handle weight, int64_t ignore_index) {
    const Gate gate("nll_forward");
    return gate.with_dtype("loss", loss, [&](auto zero) {
        using T = decltype(zero);
        const auto input = gate.matrix<T>("x", x);
        const int64_t rows = input.shape[0], classes = input.shape[1];
        const auto y = gate.labels("labels", labels, rows, classes, ignore_index);
        const auto w = gate.input_or_none<T>("weight", weight, {classes});
        const LossOutput<T> result(gate, loss, {rows}, is_reduced(gate, reduction));
        gate.disjoint("loss", result.out, input, y, w);
        const auto rule = class_rule(w, classes, ignore_index, 0);
        py::gil_scoped_release release;
        T* losses = result.losses(rows);
        kernels().of<T>().nll_forward(losses, input.data, y.data, rows, classes, rule);
        const double divisor = loss_divisor(reduction, y, rule);
        result.reduce(losses, rows, divisor);
        return divisor;
    });
}

// dx (n, classes).
void nll_backward(py::handle dx, py::handle dloss, py::handle labels, double divisor,
                  py::handle weight, int64_t ignore_index) {
    const Gate gate("nll_backward");
    gate.with_dtype("dx", dx, [&](auto zero) {
        using T = decltype(zero);
        const Shape shape = gate.matrix<T>("dx", dx).shape;
        const int64_t rows = shape[0], classes = shape[1];
        const auto y = gate.labels("labels", labels, rows, classes, ignore_index);
        const auto w = gate.input_or_none<T>("weight", weight, {classes});
        const auto result = gate.output<T>("dx", dx, shape);
        const auto [keep, grad] = loss_grad<T>(gate, dloss, {rows}, divisor);
        gate.disjoint("dx", result, keep, y, w);
        const auto rule = class_rule(w, classes, ignore_index, 0);
        py::gil_scoped_release release;
        kernels().of<T>().nll_backward(result.data, grad, y.data, rows, classes, rule);
    });
}

// Values beyond [0, 1] have no logarithm, or give a loss that training sends to minus infinity;
// NaN passes, and shows in the loss.
template <class T>
void require_probabilities(const char* who, const char* what, const char* hint,
                           const Values<const T>& x) {
    for (int64_t i = 0; i < x.size(); ++i) {
        if (!(x.data[i] < T(0) || x.data[i] > T(1))) continue;
        throw std::invalid_argument(std::string(who) + ": expected " + what + " in 0 .. 1, got " +
                                    py::str(py::float_(double(x.data[i]))).cast<std::string>() +
                                    " at position " + std::to_string(i) + "; " + hint);
    }
}

template <class T>
void require_probabilities(ElementLossKind kind, const Values<const T>& x,
                           const Values<const T>& y) {
    const bool logits = kind == ElementLossKind::bce_with_logits;
    if (!logits && kind != ElementLossKind::bce) return;
    const char* who = logits ? "BCEWithLogitsLoss" : "BCELoss";
    if (!logits)
        require_probabilities(who, "probabilities", "BCEWithLogitsLoss takes logits of any size",
                              x);
    require_probabilities(who, "targets", "labels are 0 and 1, or probabilities", y);
}

int64_t row_count(const Gate& gate, const Shape& shape) {
    if (shape.empty()) throw gate.wrong_shape("x", "(n, ...)", shape);
    return shape[0];
}

// loss, of the shape of x and y, or their sum / divisor as () where a divisor is given.
void element_loss_forward(py::handle loss, const std::string& kind, py::handle x, py::handle y,
                          py::handle weight, py::handle pos_weight, double parameter,
                          std::optional<double> divisor) {
    const Gate gate("element_loss_forward");
    gate.with_dtype("loss", loss, [&](auto zero) {
        using T = decltype(zero);
        const auto input = gate.input<T>("x", x);
        const auto target = gate.input<T>("y", y, input.shape);
        const auto w = gate.input_or_none<T>("weight", weight, input.shape);
        const auto positive = gate.input_or_none<T>("pos_weight", pos_weight, input.shape);
        const LossOutput<T> result(gate, loss, input.shape, divisor.has_value());
        gate.disjoint("loss", result.out, input, target, w, positive);
        const ElementLoss<T> rule{element_loss_kind(gate, kind), T(parameter), w.data,
                                  positive.data};
        require_probabilities(rule.kind, input, target);
        py::gil_scoped_release release;
        T* losses = result.losses(input.size());
        kernels().of<T>().element_loss_forward(losses, input.data, target.data, input.size(), rule);
        result.reduce(losses, input.size(), divisor.value_or(1));
    });
}

// dx and dy, of the shape of x and y; either may be None.
void element_loss_backward(py::handle dx, py::handle dy, py::handle dloss, const std::string& kind,
                           py::handle x, py::handle y, py::handle weight, py::handle pos_weight,
                           double parameter, double divisor) {
    const Gate gate("element_loss_backward");
    gate.with_dtype("x", x, [&](auto zero) {
        using T = decltype(zero);
        const auto input = gate.input<T>("x", x);
        const auto target = gate.input<T>("y", y, input.shape);
        const auto w = gate.input_or_none<T>("weight", weight, input.shape);
        const auto positive = gate.input_or_none<T>("pos_weight", pos_weight, input.shape);
        const auto [keep, grad] = loss_grad<T>(gate, dloss, input.shape, divisor);
        const auto dinput = gate.output_or_none<T>("dx", dx, input.shape);
        const auto dtarget = gate.output_or_none<T>("dy", dy, input.shape);
        gate.disjoint("dx", dinput, input, target, w, positive, keep, dtarget);
        gate.disjoint("dy", dtarget, input, target, w, positive, keep);
        const ElementLoss<T> rule{element_loss_kind(gate, kind), T(parameter), w.data,
                                  positive.data};
        py::gil_scoped_release release;
        kernels().of<T>().element_loss_backward(dinput.data, dtarget.data, grad, input.data,
                                                target.data, input.size(), rule);
    });
}

// mean, factor times the mean of the rows' sums of x (n, ...), each row by its weight (n) or, with
// None, alike; no finite x counts for more than limit. Returns what the sum was divided by.
double weighted_mean_forward(py::handle mean, py::handle x, py::handle weight, double factor,
                             double limit) {
    const Gate gate("weighted_mean_forward");
    return gate.with_dtype("mean", mean, [&](auto zero) {
        using T = decltype(zero);
        const auto values = gate.input<T>("x", x);
        const int64_t rows = row_count(gate, values.shape);
        const auto w = gate.input_or_none<T>("weight", weight, {rows});
        const auto out = gate.output<T>("mean", mean, Shape{});
        gate.disjoint("mean", out, values, w);
        py::gil_scoped_release release;
        double divisor;
        kernels().of<T>().weighted_mean_forward(out.data, &divisor, values.data, w.data, rows,
                                                rows ? values.size() / rows : 0, factor, limit);
        return divisor;
    });
}

// dx (n, ...), of dmean ().
void weighted_mean_backward(py::handle dx, py::handle dmean, py::handle weight, double divisor) {
    const Gate gate("weighted_mean_backward");
    gate.with_dtype("dx", dx, [&](auto zero) {
        using T = decltype(zero);
        const auto d = gate.input<T>("dmean", dmean, Shape{});
        const Shape shape = gate.input<T>("dx", dx).shape;
        const int64_t rows = row_count(gate, shape);
        const auto w = gate.input_or_none<T>("weight", weight, {rows});
        const auto out = gate.output<T>("dx", dx, shape);
        gate.disjoint("dx", out, d, w);
        py::gil_scoped_release release;
        kernels().of<T>().weighted_mean_backward(out.data, d.data, w.data, rows,
                                                 rows ? out.size() / rows : 0, divisor);
    });
}

}  // namespace

void bind_losses(py::module_& m) {
    using py::arg;
    const auto none = py::none();
    m.def("softmax_cross_entropy_forward", &softmax_cross_entropy_forward, arg("loss"),
          arg("probabilities"), arg("logits"), arg("labels"), arg("reduction") = "none",
          arg("weight") = none, arg("ignore_index") = -100, arg("smoothing") = 0.0);
    m.def("softmax_cross_entropy_backward", &softmax_cross_entropy_backward, arg("dlogits"),
          arg("dloss"), arg("probabilities"), arg("labels"), arg("divisor") = 1.0,
          arg("weight") = none, arg("ignore_index") = -100, arg("smoothing") = 0.0);
    m.def("soft_cross_entropy_forward", &soft_cross_entropy_forward, arg("loss"),
          arg("probabilities"), arg("logits"), arg("targets"), arg("reduction") = "none",
          arg("weight") = none, arg("smoothing") = 0.0);
    m.def("soft_cross_entropy_backward", &soft_cross_entropy_backward, arg("dlogits"), arg("dloss"),
          arg("probabilities"), arg("targets"), arg("divisor") = 1.0, arg("weight") = none,
          arg("smoothing") = 0.0);
    m.def("soft_cross_entropy_backward_target", &soft_cross_entropy_backward_target,
          arg("dtargets"), arg("dloss"), arg("logits"), arg("divisor") = 1.0, arg("weight") = none,
          arg("smoothing") = 0.0);
    m.def("nll_forward", &nll_forward, arg("loss"), arg("x"), arg("labels"),
          arg("reduction") = "none", arg("weight") = none, arg("ignore_index") = -100);
    m.def("nll_backward", &nll_backward, arg("dx"), arg("dloss"), arg("labels"),
          arg("divisor") = 1.0, arg("weight") = none, arg("ignore_index") = -100);
    m.def("element_loss_forward", &element_loss_forward, arg("loss"), arg("kind"), arg("x"),
          arg("y"), arg("weight") = none, arg("pos_weight") = none, arg("parameter") = 1.0,
          arg("divisor") = none);
    m.def("element_loss_backward", &element_loss_backward, arg("dx"), arg("dy"), arg("dloss"),
          arg("kind"), arg("x"), arg("y"), arg("weight") = none, arg("pos_weight") = none,
          arg("parameter") = 1.0, arg("divisor") = 1.0);
    m.def("weighted_mean_forward", &weighted_mean_forward, arg("mean"), arg("x"),
          arg("weight") = none, arg("factor") = 1.0, arg("limit") = HUGE_VAL);
    m.def("weighted_mean_backward", &weighted_mean_backward, arg("dx"), arg("dmean"),
          arg("weight") = none, arg("divisor") = 1.0);
}

}  // namespace fastnn
