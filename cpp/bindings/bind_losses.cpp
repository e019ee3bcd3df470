#include "../dispatch.h"
#include "arrays.h"
#include "bind.h"

namespace fastnn {
namespace {

// losses (n) and probabilities (n, classes) of logits (n, classes) and labels (n).
void softmax_cross_entropy_forward(py::handle losses, py::handle probabilities, py::handle logits,
                                   py::handle labels) {
    const Gate gate("softmax_cross_entropy_forward");
    gate.with_dtype("losses", losses, [&](auto zero) {
        using T = decltype(zero);
        const auto z = gate.matrix<T>("logits", logits);
        const int64_t rows = z.shape[0], classes = z.shape[1];
        const auto y = gate.labels("labels", labels, rows, classes);
        const auto p = gate.output<T>("probabilities", probabilities, z.shape);
        const auto loss = gate.output<T>("losses", losses, {rows});
        gate.disjoint("losses", loss, z, p, y);
        gate.disjoint("probabilities", p, z, y);
        py::gil_scoped_release release;
        kernels().of<T>().softmax_cross_entropy_forward(loss.data, p.data, z.data, y.data, rows,
                                                        classes);
    });
}

// dlogits (n, classes), which may be `probabilities`; dlosses (n), or (1) for all rows.
void softmax_cross_entropy_backward(py::handle dlogits, py::handle dlosses,
                                    py::handle probabilities, py::handle labels) {
    const Gate gate("softmax_cross_entropy_backward");
    gate.with_dtype("dlogits", dlogits, [&](auto zero) {
        using T = decltype(zero);
        const auto p = gate.matrix<T>("probabilities", probabilities);
        const int64_t rows = p.shape[0], classes = p.shape[1];
        const auto y = gate.labels("labels", labels, rows, classes);
        const auto dz = gate.output<T>("dlogits", dlogits, p.shape);
        const auto dloss = gate.input<T>("dlosses", dlosses);
        if (dloss.shape != Shape{rows} && dloss.shape != Shape{1})
            throw gate.wrong_shape("dlosses", text({rows}) + " or (1,)", dloss.shape);
        gate.disjoint_or_same("dlogits", dz, p);
        gate.disjoint("dlogits", dz, dloss, y);
        py::gil_scoped_release release;
        kernels().of<T>().softmax_cross_entropy_backward(
            dz.data, dloss.data, dloss.size() == 1 ? 0 : 1, p.data, y.data, rows, classes);
    });
}

}  // namespace

void bind_losses(py::module_& m) {
    using py::arg;
    m.def("softmax_cross_entropy_forward", &softmax_cross_entropy_forward, arg("losses"),
          arg("probabilities"), arg("logits"), arg("labels"));
    m.def("softmax_cross_entropy_backward", &softmax_cross_entropy_backward, arg("dlogits"),
          arg("dlosses"), arg("probabilities"), arg("labels"));
}

}  // namespace fastnn
