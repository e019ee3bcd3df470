#include <cmath>

#include "../dispatch.h"
#include "arrays.h"
#include "bind.h"

namespace fastnn {
namespace {

// w (n) and velocity (n) or None, updated in place.
void sgd(py::handle w, py::handle velocity, py::handle grad, double lr, double momentum,
         double dampening, double weight_decay, bool nesterov, bool first) {
    const Gate gate("sgd");
    gate.with_dtype("w", w, [&](auto zero) {
        using T = decltype(zero);
        const auto g = gate.input<T>("grad", grad);
        const auto weights = gate.output<T>("w", w, g.shape);
        Values<T> u{py::reinterpret_steal<py::array>(py::handle()), nullptr, {}};
        if (!velocity.is_none()) u = gate.output<T>("velocity", velocity, g.shape);
        gate.disjoint("w", weights, g, u);
        gate.disjoint("velocity", u, g);
        const Sgd<T> rule{T(lr), T(momentum), T(1 - dampening), T(weight_decay), nesterov, first};
        py::gil_scoped_release release;
        kernels().of<T>().sgd(weights.data, u.data, g.data, g.size(), rule);
    });
}

// w, m, v (n), updated in place; correction_i = 1 - beta_i^step.
void adam(py::handle w, py::handle m, py::handle v, py::handle grad, double lr, double beta1,
          double beta2, double eps, double weight_decay, double correction1, double correction2) {
    const Gate gate("adam");
    gate.with_dtype("w", w, [&](auto zero) {
        using T = decltype(zero);
        const auto g = gate.input<T>("grad", grad);
        const auto weights = gate.output<T>("w", w, g.shape);
        const auto first = gate.output<T>("m", m, g.shape);
        const auto second = gate.output<T>("v", v, g.shape);
        gate.disjoint("w", weights, g, first, second);
        gate.disjoint("m", first, g, second);
        gate.disjoint("v", second, g);
        const Adam<T> rule{T(beta1),     T(1 - beta1),        T(beta2),
                           T(1 - beta2), T(lr / correction1), T(1 / std::sqrt(correction2)),
                           T(eps),       T(weight_decay)};
        py::gil_scoped_release release;
        kernels().of<T>().adam(weights.data, first.data, second.data, g.data, g.size(), rule);
    });
}

}  // namespace

void bind_optim(py::module_& m) {
    using py::arg;
    m.def("sgd", &sgd, arg("w"), arg("velocity"), arg("grad"), arg("lr"), arg("momentum"),
          arg("dampening"), arg("weight_decay"), arg("nesterov"), arg("first"));
    m.def("adam", &adam, arg("w"), arg("m"), arg("v"), arg("grad"), arg("lr"), arg("beta1"),
          arg("beta2"), arg("eps"), arg("weight_decay"), arg("correction1"), arg("correction2"));
}

}  // namespace fastnn
