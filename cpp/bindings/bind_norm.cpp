// Batch norm and layer norm.
#include "../dispatch.h"
#include "arrays.h"
#include "bind.h"

namespace fastnn {
namespace {

// x (n, channels, ...), what follows the channels taken as one length.
template <class T>
struct Channels {
    Values<const T> x;
    int64_t n, count, length;
    Shape each() const { return {count}; }
};

template <class T>
Channels<T> channels(const Gate& gate, py::handle x) {
    Channels<T> c{gate.input<T>("x", x), 0, 0, 1};
    if (c.x.shape.size() < 2) throw gate.wrong_shape("x", "(n, channels, ...)", c.x.shape);
    c.n = c.x.shape[0], c.count = c.x.shape[1];
    for (size_t i = 2; i < c.x.shape.size(); ++i) c.length *= c.x.shape[i];
    return c;
}

// y as x, mean and variance (channels) of the batch; running_mean and running_var (channels), moved
// in place, weight and bias (channels) or None.
void batch_norm_train(py::handle y, py::handle mean, py::handle variance, py::handle running_mean,
                      py::handle running_var, py::handle x, py::handle weight, py::handle bias,
                      double eps, double momentum) {
    const Gate gate("batch_norm_train");
    gate.with_dtype("y", y, [&](auto zero) {
        using T = decltype(zero);
        const auto in = channels<T>(gate, x);
        const Shape each = in.each();
        if (in.n * in.length < 2)
            throw gate.wrong_shape("x", "of more than one value a channel", in.x.shape);
        const auto w = gate.input_or_none<T>("weight", weight, each);
        const auto b = gate.input_or_none<T>("bias", bias, each);
        const auto rm = gate.output_or_none<T>("running_mean", running_mean, each);
        const auto rv = gate.output_or_none<T>("running_var", running_var, each);
        if (!rm.data != !rv.data)
            throw std::invalid_argument(gate.where("running_var") +
                                        "expected both running statistics or neither");
        const auto result = gate.output<T>("y", y, in.x.shape);
        const auto m = gate.output<T>("mean", mean, each);
        const auto v = gate.output<T>("variance", variance, each);
        gate.disjoint("y", result, in.x, w, b, rm, rv, m, v);
        gate.disjoint("mean", m, in.x, w, b, rm, rv, v);
        gate.disjoint("variance", v, in.x, w, b, rm, rv);
        gate.disjoint("running_mean", rm, in.x, w, b, rv);
        gate.disjoint("running_var", rv, in.x, w, b);
        py::gil_scoped_release release;
        kernels().of<T>().batch_norm_train(result.data, m.data, v.data, rm.data, rv.data, in.x.data,
                                           w.data, b.data, in.n, in.count, in.length, T(eps),
                                           momentum);
    });
}

// y as x, by given mean and variance (channels).
void batch_norm_forward(py::handle y, py::handle x, py::handle mean, py::handle variance,
                        py::handle weight, py::handle bias, double eps) {
    const Gate gate("batch_norm_forward");
    gate.with_dtype("y", y, [&](auto zero) {
        using T = decltype(zero);
        const auto in = channels<T>(gate, x);
        const auto m = gate.input<T>("mean", mean, in.each());
        const auto v = gate.input<T>("variance", variance, in.each());
        const auto w = gate.input_or_none<T>("weight", weight, in.each());
        const auto b = gate.input_or_none<T>("bias", bias, in.each());
        const auto result = gate.output<T>("y", y, in.x.shape);
        gate.disjoint("y", result, in.x, m, v, w, b);
        py::gil_scoped_release release;
        kernels().of<T>().batch_norm_forward(result.data, in.x.data, m.data, v.data, w.data, b.data,
                                             in.n, in.count, in.length, T(eps));
    });
}

// dx as x, dweight and dbias (channels), each of which may be None; `batch` where mean and variance
// are those of x itself.
void batch_norm_backward(py::handle dx, py::handle dweight, py::handle dbias, py::handle dy,
                         py::handle x, py::handle mean, py::handle variance, py::handle weight,
                         double eps, bool batch) {
    const Gate gate("batch_norm_backward");
    gate.with_dtype("dy", dy, [&](auto zero) {
        using T = decltype(zero);
        const auto in = channels<T>(gate, x);
        const Shape each = in.each();
        const auto grad = gate.input<T>("dy", dy, in.x.shape);
        const auto m = gate.input<T>("mean", mean, each);
        const auto v = gate.input<T>("variance", variance, each);
        const auto w = gate.input_or_none<T>("weight", weight, each);
        const auto result = gate.output_or_none<T>("dx", dx, in.x.shape);
        const auto dw = gate.output_or_none<T>("dweight", dweight, each);
        const auto db = gate.output_or_none<T>("dbias", dbias, each);
        gate.disjoint("dx", result, grad, in.x, m, v, w, dw, db);
        gate.disjoint("dweight", dw, grad, in.x, m, v, w, db);
        gate.disjoint("dbias", db, grad, in.x, m, v, w);
        py::gil_scoped_release release;
        kernels().of<T>().batch_norm_backward(result.data, dw.data, db.data, grad.data, in.x.data,
                                              m.data, v.data, w.data, in.n, in.count, in.length,
                                              T(eps), batch);
    });
}

template <class T>
Values<const T> rows_of_values(const Gate& gate, py::handle x) {
    auto in = gate.matrix<T>("x", x);
    if (in.shape[1] < 1) throw gate.wrong_shape("x", "(rows, at least one column)", in.shape);
    return in;
}

// y (rows, cols); mean and inverse deviation (rows) of each row; weight and bias (cols) or None.
void layer_norm_forward(py::handle y, py::handle mean, py::handle inverse, py::handle x,
                        py::handle weight, py::handle bias, double eps) {
    const Gate gate("layer_norm_forward");
    gate.with_dtype("y", y, [&](auto zero) {
        using T = decltype(zero);
        const auto in = rows_of_values<T>(gate, x);
        const int64_t rows = in.shape[0], cols = in.shape[1];
        const auto w = gate.input_or_none<T>("weight", weight, {cols});
        const auto b = gate.input_or_none<T>("bias", bias, {cols});
        const auto result = gate.output<T>("y", y, in.shape);
        const auto m = gate.output<T>("mean", mean, {rows});
        const auto r = gate.output<T>("inverse", inverse, {rows});
        gate.disjoint("y", result, in, w, b, m, r);
        gate.disjoint("mean", m, in, w, b, r);
        gate.disjoint("inverse", r, in, w, b);
        py::gil_scoped_release release;
        kernels().of<T>().layer_norm_forward(result.data, m.data, r.data, in.data, w.data, b.data,
                                             rows, cols, T(eps));
    });
}

// dx (rows, cols), dweight and dbias (cols), each of which may be None.
void layer_norm_backward(py::handle dx, py::handle dweight, py::handle dbias, py::handle dy,
                         py::handle x, py::handle mean, py::handle inverse, py::handle weight) {
    const Gate gate("layer_norm_backward");
    gate.with_dtype("dy", dy, [&](auto zero) {
        using T = decltype(zero);
        const auto in = rows_of_values<T>(gate, x);
        const int64_t rows = in.shape[0], cols = in.shape[1];
        const auto grad = gate.input<T>("dy", dy, in.shape);
        const auto m = gate.input<T>("mean", mean, {rows});
        const auto r = gate.input<T>("inverse", inverse, {rows});
        const auto w = gate.input_or_none<T>("weight", weight, {cols});
        const auto result = gate.output_or_none<T>("dx", dx, in.shape);
        const auto dw = gate.output_or_none<T>("dweight", dweight, {cols});
        const auto db = gate.output_or_none<T>("dbias", dbias, {cols});
        gate.disjoint("dx", result, grad, in, m, r, w, dw, db);
        gate.disjoint("dweight", dw, grad, in, m, r, w, db);
        gate.disjoint("dbias", db, grad, in, m, r, w);
        py::gil_scoped_release release;
        const auto& k = kernels().of<T>();
        if (result.data)
            k.layer_norm_backward(result.data, grad.data, in.data, m.data, r.data, w.data, rows,
                                  cols);
        if (dw.data || db.data)
            k.layer_norm_backward_weight(dw.data, db.data, grad.data, in.data, m.data, r.data, rows,
                                         cols);
    });
}

}  // namespace

void bind_norm(py::module_& m) {
    using py::arg;
    m.def("batch_norm_train", &batch_norm_train, arg("y"), arg("mean"), arg("variance"),
          arg("running_mean"), arg("running_var"), arg("x"), arg("weight"), arg("bias"), arg("eps"),
          arg("momentum"));
    m.def("batch_norm_forward", &batch_norm_forward, arg("y"), arg("x"), arg("mean"),
          arg("variance"), arg("weight"), arg("bias"), arg("eps"));
    m.def("batch_norm_backward", &batch_norm_backward, arg("dx"), arg("dweight"), arg("dbias"),
          arg("dy"), arg("x"), arg("mean"), arg("variance"), arg("weight"), arg("eps"),
          arg("batch"));
    m.def("layer_norm_forward", &layer_norm_forward, arg("y"), arg("mean"), arg("inverse"),
          arg("x"), arg("weight"), arg("bias"), arg("eps"));
    m.def("layer_norm_backward", &layer_norm_backward, arg("dx"), arg("dweight"), arg("dbias"),
          arg("dy"), arg("x"), arg("mean"), arg("inverse"), arg("weight"));
}

}  // namespace fastnn
