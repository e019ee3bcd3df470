// Products: the plain one, and the three of a linear layer.
#include "../dispatch.h"
#include "arrays.h"
#include "bind.h"

namespace fastnn {
namespace {

template <class T>
void run(const Gemm<T>& product) {
    py::gil_scoped_release release;
    kernels().of<T>().gemm(product);
}

// out (m, n) = a (m, k) b (k, n); a and b may be strided views.
void gemm(py::handle out, py::handle a, py::handle b) {
    const Gate gate("gemm");
    gate.with_dtype("out", out, [&](auto zero) {
        using T = decltype(zero);
        const auto left = gate.strided_matrix<T>("a", a), right = gate.strided_matrix<T>("b", b);
        if (right.rows != left.cols)
            throw gate.wrong_shape("b", "(" + std::to_string(left.cols) + ", n)",
                                   {right.rows, right.cols});
        const auto c = gate.output<T>("out", out, {left.rows, right.cols});
        gate.disjoint("out", c, left, right);
        run<T>({left.rows, right.cols, left.cols, left.data, left.row, left.col, right.data,
                right.row, right.col, c.data, right.cols});
    });
}

// y (n, out) = x (n, in) w^T + b, with w (out, in), b (out) or None; ReLU where asked for.
void linear_forward(py::handle y, py::handle x, py::handle w, py::handle b, bool relu) {
    const Gate gate("linear_forward");
    gate.with_dtype("y", y, [&](auto zero) {
        using T = decltype(zero);
        const auto weight = gate.matrix<T>("w", w), input = gate.matrix<T>("x", x);
        const int64_t rows = input.shape[0], in = weight.shape[1], out = weight.shape[0];
        if (input.shape[1] != in)
            throw gate.wrong_shape("x", "(n, " + std::to_string(in) + ")", input.shape);
        const auto result = gate.output<T>("y", y, {rows, out});
        const auto bias = gate.input_or_none<T>("b", b, {out});
        gate.disjoint("y", result, input, weight, bias);
        Gemm<T> g{rows, out, in, input.data, in, 1, weight.data, 1, in, result.data, out};
        g.bias = bias.data;
        g.relu = relu;
        run(g);
    });
}

// dx (n, in) = dy (n, out) w (out, in), zero where mask (n, in) is not positive.
void linear_backward_input(py::handle dx, py::handle dy, py::handle w, py::handle mask) {
    const Gate gate("linear_backward_input");
    gate.with_dtype("dx", dx, [&](auto zero) {
        using T = decltype(zero);
        const auto weight = gate.matrix<T>("w", w), grad = gate.matrix<T>("dy", dy);
        const int64_t rows = grad.shape[0], out = weight.shape[0], in = weight.shape[1];
        if (grad.shape[1] != out)
            throw gate.wrong_shape("dy", "(n, " + std::to_string(out) + ")", grad.shape);
        const auto result = gate.output<T>("dx", dx, {rows, in});
        const auto positive = gate.input_or_none<T>("mask", mask, {rows, in});
        gate.disjoint("dx", result, grad, weight, positive);
        Gemm<T> g{rows, in, out, grad.data, out, 1, weight.data, in, 1, result.data, in};
        g.mask = positive.data;
        run(g);
    });
}

// dw (out, in) = dy^T x, with dy (n, out), x (n, in).
void linear_backward_weight(py::handle dw, py::handle dy, py::handle x) {
    const Gate gate("linear_backward_weight");
    gate.with_dtype("dw", dw, [&](auto zero) {
        using T = decltype(zero);
        const auto grad = gate.matrix<T>("dy", dy), input = gate.matrix<T>("x", x);
        const int64_t rows = input.shape[0], out = grad.shape[1], in = input.shape[1];
        if (grad.shape[0] != rows)
            throw gate.wrong_shape("dy", "(" + std::to_string(rows) + ", out)", grad.shape);
        const auto result = gate.output<T>("dw", dw, {out, in});
        gate.disjoint("dw", result, grad, input);
        run<T>({out, in, rows, grad.data, 1, out, input.data, in, 1, result.data, in});
    });
}

// sum (m) over the rows of x (n, m): the gradient of a bias.
void column_sum(py::handle sum, py::handle x) {
    const Gate gate("column_sum");
    gate.with_dtype("sum", sum, [&](auto zero) {
        using T = decltype(zero);
        const auto input = gate.matrix<T>("x", x);
        const auto result = gate.output<T>("sum", sum, {input.shape[1]});
        gate.disjoint("sum", result, input);
        py::gil_scoped_release release;
        kernels().of<T>().column_sum(result.data, input.data, input.shape[0], input.shape[1]);
    });
}

}  // namespace

void bind_linear(py::module_& m) {
    using py::arg;
    m.def("gemm", &gemm, arg("out"), arg("a"), arg("b"));
    m.def("linear_forward", &linear_forward, arg("y"), arg("x"), arg("w"), arg("b") = py::none(),
          arg("relu") = false);
    m.def("linear_backward_input", &linear_backward_input, arg("dx"), arg("dy"), arg("w"),
          arg("mask") = py::none());
    m.def("linear_backward_weight", &linear_backward_weight, arg("dw"), arg("dy"), arg("x"));
    m.def("column_sum", &column_sum, arg("sum"), arg("x"));
}

}  // namespace fastnn
