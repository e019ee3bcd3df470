#include "../dispatch.h"
#include "../optimizers.h"
#include "arrays.h"
#include "bind.h"

namespace fastnn {
namespace {

// w (n) and velocity (n) or None, updated in place.
void sgd(py::handle w, py::handle velocity, py::handle grad, double lr, double momentum,
         double dampening, double weight_decay, bool nesterov, bool first, bool maximize) {
    const Gate gate("sgd");
    gate.with_dtype("w", w, [&](auto zero) {
        using T = decltype(zero);
        const auto g = gate.input<T>("grad", grad);
        const auto weights = gate.output<T>("w", w, g.shape);
        const auto u = gate.output_or_none<T>("velocity", velocity, g.shape);
        gate.disjoint("w", weights, g, u);
        gate.disjoint("velocity", u, g);
        Update<T> rule{UpdateKind::sgd, weights.data, {u.data}};
        rule.sgd =
            SgdOptions{lr, momentum, dampening, weight_decay, nesterov, maximize}.rule<T>(first);
        py::gil_scoped_release release;
        kernels().of<T>().update(rule, g.data, g.size());
    });
}

// w, m, v (n) and v_max (n) or None, updated in place; correction_i = 1 - beta_i^step.
void adam(py::handle w, py::handle m, py::handle v, py::handle v_max, py::handle grad, double lr,
          double beta1, double beta2, double eps, double weight_decay, double correction1,
          double correction2, bool decoupled, bool maximize) {
    const Gate gate("adam");
    gate.with_dtype("w", w, [&](auto zero) {
        using T = decltype(zero);
        const auto g = gate.input<T>("grad", grad);
        const auto weights = gate.output<T>("w", w, g.shape);
        const auto first = gate.output<T>("m", m, g.shape);
        const auto second = gate.output<T>("v", v, g.shape);
        const auto largest = gate.output_or_none<T>("v_max", v_max, g.shape);
        gate.disjoint("w", weights, g, first, second, largest);
        gate.disjoint("m", first, g, second, largest);
        gate.disjoint("v", second, g, largest);
        gate.disjoint("v_max", largest, g);
        Update<T> rule{UpdateKind::adam, weights.data, {first.data, second.data, largest.data}};
        rule.adam = AdamOptions{lr, beta1, beta2, eps, weight_decay, decoupled, maximize}.rule<T>(
            correction1, correction2);
        py::gil_scoped_release release;
        kernels().of<T>().update(rule, g.data, g.size());
    });
}

// w, sum (n), updated in place.
void adagrad(py::handle w, py::handle sum, py::handle grad, double rate, double eps,
             double weight_decay, bool maximize) {
    const Gate gate("adagrad");
    gate.with_dtype("w", w, [&](auto zero) {
        using T = decltype(zero);
        const auto g = gate.input<T>("grad", grad);
        const auto weights = gate.output<T>("w", w, g.shape);
        const auto total = gate.output<T>("sum", sum, g.shape);
        gate.disjoint("w", weights, g, total);
        gate.disjoint("sum", total, g);
        Update<T> rule{UpdateKind::adagrad, weights.data, {total.data}};
        rule.adagrad = AdagradOptions{rate, eps, weight_decay, maximize}.rule<T>();
        py::gil_scoped_release release;
        kernels().of<T>().update(rule, g.data, g.size());
    });
}

// w, square (n) and mean, velocity (n) or None, updated in place.
void rmsprop(py::handle w, py::handle square, py::handle mean, py::handle velocity, py::handle grad,
             double lr, double alpha, double eps, double weight_decay, double momentum,
             bool maximize) {
    const Gate gate("rmsprop");
    gate.with_dtype("w", w, [&](auto zero) {
        using T = decltype(zero);
        const auto g = gate.input<T>("grad", grad);
        const auto weights = gate.output<T>("w", w, g.shape);
        const auto power = gate.output<T>("square", square, g.shape);
        const auto average = gate.output_or_none<T>("mean", mean, g.shape);
        const auto u = gate.output_or_none<T>("velocity", velocity, g.shape);
        gate.disjoint("w", weights, g, power, average, u);
        gate.disjoint("square", power, g, average, u);
        gate.disjoint("mean", average, g, u);
        gate.disjoint("velocity", u, g);
        Update<T> rule{UpdateKind::rmsprop, weights.data, {power.data, average.data, u.data}};
        rule.rmsprop = RmspropOptions{lr, alpha, eps, weight_decay, momentum, maximize}.rule<T>();
        py::gil_scoped_release release;
        kernels().of<T>().update(rule, g.data, g.size());
    });
}

// The sum of (scale x)^2, in double.
double squared_norm(py::handle x, double scale) {
    const Gate gate("squared_norm");
    return gate.with_dtype("x", x, [&](auto zero) {
        using T = decltype(zero);
        const auto values = gate.input<T>("x", x);
        py::gil_scoped_release release;
        double sum;
        kernels().of<T>().squared_norm(&sum, values.data, scale, values.size());
        return sum;
    });
}

// x *= factor, in place.
void scale_values(py::array x, double factor) {
    const Gate gate("scale_values");
    gate.with_dtype("x", x, [&](auto zero) {
        using T = decltype(zero);
        const auto values = gate.output<T>("x", x, shape_of(x));
        py::gil_scoped_release release;
        kernels().of<T>().scale_values(values.data, T(factor), values.size());
    });
}

// x into [-limit, limit], in place.
void clip_values(py::array x, double limit) {
    const Gate gate("clip_values");
    gate.with_dtype("x", x, [&](auto zero) {
        using T = decltype(zero);
        const auto values = gate.output<T>("x", x, shape_of(x));
        py::gil_scoped_release release;
        kernels().of<T>().clip_values(values.data, T(limit), values.size());
    });
}

// grad += l1 sign(w), in place; returns l1 times the sum of |w|.
double l1_gradient(py::handle grad, py::handle w, double l1) {
    const Gate gate("l1_gradient");
    return gate.with_dtype("grad", grad, [&](auto zero) {
        using T = decltype(zero);
        const auto weights = gate.input<T>("w", w);
        const auto g = gate.output<T>("grad", grad, weights.shape);
        gate.disjoint("grad", g, weights);
        py::gil_scoped_release release;
        double sum;
        kernels().of<T>().l1_gradient(&sum, g.data, weights.data, T(l1), g.size());
        return l1 * sum;
    });
}

// grad += l2 w, in place; returns half of l2 times the sum of w^2.
double l2_gradient(py::handle grad, py::handle w, double l2) {
    const Gate gate("l2_gradient");
    return gate.with_dtype("grad", grad, [&](auto zero) {
        using T = decltype(zero);
        const auto weights = gate.input<T>("w", w);
        const auto g = gate.output<T>("grad", grad, weights.shape);
        gate.disjoint("grad", g, weights);
        py::gil_scoped_release release;
        double sum;
        const int64_t rows = g.shape.empty() ? 1 : g.shape[0], cols = rows ? g.size() / rows : 0;
        kernels().of<T>().square_sum(&sum, weights.data, rows, cols);
        kernels().of<T>().l2_gradient(g.data, weights.data, T(l2), g.size());
        return 0.5 * l2 * sum;
    });
}

}  // namespace

void bind_optim(py::module_& m) {
    using py::arg;
    m.def("sgd", &sgd, arg("w"), arg("velocity"), arg("grad"), arg("lr"), arg("momentum"),
          arg("dampening"), arg("weight_decay"), arg("nesterov"), arg("first"),
          arg("maximize") = false);
    m.def("adam", &adam, arg("w"), arg("m"), arg("v"), arg("v_max"), arg("grad"), arg("lr"),
          arg("beta1"), arg("beta2"), arg("eps"), arg("weight_decay"), arg("correction1"),
          arg("correction2"), arg("decoupled") = false, arg("maximize") = false);
    m.def("adagrad", &adagrad, arg("w"), arg("sum"), arg("grad"), arg("rate"), arg("eps"),
          arg("weight_decay"), arg("maximize") = false);
    m.def("rmsprop", &rmsprop, arg("w"), arg("square"), arg("mean"), arg("velocity"), arg("grad"),
          arg("lr"), arg("alpha"), arg("eps"), arg("weight_decay"), arg("momentum"),
          arg("maximize") = false);
    m.def("squared_norm", &squared_norm, arg("x"), arg("scale") = 1.0);
    m.def("scale_values", &scale_values, arg("x"), arg("factor"));
    m.def("clip_values", &clip_values, arg("x"), arg("limit"));
    m.def("l1_gradient", &l1_gradient, arg("grad"), arg("w"), arg("l1"));
    m.def("l2_gradient", &l2_gradient, arg("grad"), arg("w"), arg("l2"));
}

}  // namespace fastnn
