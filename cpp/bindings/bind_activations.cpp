#include "../dispatch.h"
#include "arrays.h"
#include "bind.h"

namespace fastnn {
namespace {

template <class>
using Number = double;  // of a name

// name(y, x, options...): y of x, any shape. `kernel` takes the function out of a table.
template <class Kernel, class... Names>
void define_forward(py::module_& m, const char* name, Kernel kernel, Names... options) {
    const auto call = [=](py::handle y, py::handle x, Number<Names>... values) {
        const Gate gate(name);
        gate.with_dtype("y", y, [&](auto zero) {
            using T = decltype(zero);
            const auto input = gate.input<T>("x", x);
            const auto result = gate.output<T>("y", y, input.shape);
            gate.disjoint_or_same("y", result, input);
            py::gil_scoped_release release;
            kernel(kernels().of<T>())(result.data, input.data, result.size(), {T(values)...});
        });
    };
    m.def(name, call, py::arg("y"), py::arg("x"), py::arg(options)...);
}

// name(dx, dy, saved, options...): dx of dy and the input or output the activation saved.
template <class Kernel, class... Names>
void define_backward(py::module_& m, const char* name, Kernel kernel, const char* saved_name,
                     Names... options) {
    const auto call = [=](py::handle dx, py::handle dy, py::handle saved, Number<Names>... values) {
        const Gate gate(name);
        gate.with_dtype("dx", dx, [&](auto zero) {
            using T = decltype(zero);
            const auto kept = gate.input<T>(saved_name, saved);
            const auto grad = gate.input<T>("dy", dy, kept.shape);
            const auto result = gate.output<T>("dx", dx, kept.shape);
            gate.disjoint_or_same("dx", result, grad, kept);
            py::gil_scoped_release release;
            kernel(kernels().of<T>())(result.data, grad.data, kept.data, result.size(),
                                      {T(values)...});
        });
    };
    m.def(name, call, py::arg("dx"), py::arg("dy"), py::arg(saved_name), py::arg(options)...);
}

// Both, of one row of activations.def.
template <class Forward, class Backward, class... Names>
void define(py::module_& m, const char* forward_name, const char* backward_name, Forward forward,
            Backward backward, const char* saved_name, Names... options) {
    define_forward(m, forward_name, forward, options...);
    define_backward(m, backward_name, backward, saved_name, options...);
}

// name(y, x): y (rows, cols) of x.
template <class Kernel>
void define_row_forward(py::module_& m, const char* name, Kernel kernel) {
    const auto call = [=](py::handle y, py::handle x) {
        const Gate gate(name);
        gate.with_dtype("y", y, [&](auto zero) {
            using T = decltype(zero);
            const auto input = gate.matrix<T>("x", x);
            const auto result = gate.output<T>("y", y, input.shape);
            gate.disjoint_or_same("y", result, input);
            py::gil_scoped_release release;
            kernel(kernels().of<T>())(result.data, input.data, input.shape[0], input.shape[1]);
        });
    };
    m.def(name, call, py::arg("y"), py::arg("x"));
}

// name(dx, dy, y): dx (rows, cols) of dy and the output y.
template <class Kernel>
void define_row_backward(py::module_& m, const char* name, Kernel kernel) {
    const auto call = [=](py::handle dx, py::handle dy, py::handle y) {
        const Gate gate(name);
        gate.with_dtype("dx", dx, [&](auto zero) {
            using T = decltype(zero);
            const auto output = gate.matrix<T>("y", y);
            const auto grad = gate.input<T>("dy", dy, output.shape);
            const auto result = gate.output<T>("dx", dx, output.shape);
            gate.disjoint_or_same("dx", result, grad, output);
            py::gil_scoped_release release;
            kernel(kernels().of<T>())(result.data, grad.data, output.data, output.shape[0],
                                      output.shape[1]);
        });
    };
    m.def(name, call, py::arg("dx"), py::arg("dy"), py::arg("y"));
}

#define FASTNN_OF_TABLE(name) [](const auto& table) { return table.name; }

}  // namespace

void bind_activations(py::module_& m) {
#define FASTNN_ACTIVATION(name, Formula, ...)                                       \
    define(m, #name "_forward", #name "_backward", FASTNN_OF_TABLE(name##_forward), \
           FASTNN_OF_TABLE(name##_backward), __VA_ARGS__);
#include "../activations.def"
#undef FASTNN_ACTIVATION
    define_row_forward(m, "softmax_forward", FASTNN_OF_TABLE(softmax_forward));
    define_row_backward(m, "softmax_backward", FASTNN_OF_TABLE(softmax_backward));
    define_row_forward(m, "log_softmax_forward", FASTNN_OF_TABLE(log_softmax_forward));
    define_row_backward(m, "log_softmax_backward", FASTNN_OF_TABLE(log_softmax_backward));
}

}  // namespace fastnn
