// Random words, and the masks made of them.
#include "../dispatch.h"
#include "arrays.h"
#include "bind.h"

namespace fastnn {
namespace {

// words (n), uint32: those of draw `draw` under `seed`, from block `block` (four words each) on.
void philox(py::handle words, uint64_t seed, uint64_t draw, uint64_t block) {
    const Gate gate("philox");
    if (!py::isinstance<py::array>(words)) throw py::type_error("philox: words: expected an array");
    const Shape shape = shape_of(py::reinterpret_borrow<py::array>(words));
    const auto out = gate.output<uint32_t>("words", words, shape);
    py::gil_scoped_release release;
    kernels().f32.philox(out.data, out.size(), seed, draw, block);
}

// y = x mask / (1 - p), any shape; the mask follows from seed and draw. y may be x.
void dropout(py::handle y, py::handle x, double p, uint64_t seed, uint64_t draw) {
    const Gate gate("dropout");
    if (!(p >= 0 && p <= 1))
        throw std::invalid_argument(gate.where("p") + "expected 0 <= p <= 1, got " +
                                    std::to_string(p));
    gate.with_dtype("y", y, [&](auto zero) {
        using T = decltype(zero);
        const auto input = gate.input<T>("x", x);
        const auto result = gate.output<T>("y", y, input.shape);
        gate.disjoint_or_same("y", result, input);
        py::gil_scoped_release release;
        kernels().of<T>().dropout(result.data, input.data, result.size(), p, seed, draw);
    });
}

}  // namespace

void bind_random(py::module_& m) {
    using py::arg;
    m.def("philox", &philox, arg("words"), arg("seed"), arg("draw"), arg("block") = 0);
    m.def("dropout", &dropout, arg("y"), arg("x"), arg("p"), arg("seed"), arg("draw"));
}

}  // namespace fastnn
