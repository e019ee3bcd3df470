#include "../dispatch.h"
#include "arrays.h"
#include "bind.h"

namespace fastnn {
namespace {

// y = max(x, 0), any shape.
void relu_forward(py::handle y, py::handle x) {
    const Gate gate("relu_forward");
    gate.with_dtype("y", y, [&](auto zero) {
        using T = decltype(zero);
        const auto input = gate.input<T>("x", x);
        const auto result = gate.output<T>("y", y, input.shape);
        gate.disjoint_or_same("y", result, input);
        py::gil_scoped_release release;
        kernels().of<T>().relu_forward(result.data, input.data, result.size());
    });
}

// dx = dy where y > 0, else 0.
void relu_backward(py::handle dx, py::handle dy, py::handle y) {
    const Gate gate("relu_backward");
    gate.with_dtype("dx", dx, [&](auto zero) {
        using T = decltype(zero);
        const auto output = gate.input<T>("y", y);
        const auto grad = gate.input<T>("dy", dy, output.shape);
        const auto result = gate.output<T>("dx", dx, output.shape);
        gate.disjoint_or_same("dx", result, grad, output);
        py::gil_scoped_release release;
        kernels().of<T>().relu_backward(result.data, grad.data, output.data, result.size());
    });
}

}  // namespace

void bind_activations(py::module_& m) {
    m.def("relu_forward", &relu_forward, py::arg("y"), py::arg("x"));
    m.def("relu_backward", &relu_backward, py::arg("dx"), py::arg("dy"), py::arg("y"));
}

}  // namespace fastnn
