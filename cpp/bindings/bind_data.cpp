#include "../dispatch.h"
#include "arrays.h"
#include "bind.h"

namespace fastnn {
namespace {

// float32 (len(index), cols) = source[index] / divisor, source uint8 (n, cols).
py::array gather_rows(py::handle source, py::handle index, double divisor) {
    const Gate gate("gather_rows");
    const auto bytes = gate.matrix<uint8_t>("source", source);
    const int64_t count = py::len(index), cols = bytes.shape[1];
    const auto rows = gate.indices("index", index, {count}, bytes.shape[0], "row");
    py::array_t<float> out({count, cols});
    float* to = out.mutable_data();
    {
        py::gil_scoped_release release;
        kernels().f32.gather_rows(to, bytes.data, rows.data, float(divisor), count, cols);
    }
    return std::move(out);
}

}  // namespace

void bind_data(py::module_& m) {
    m.def("gather_rows", &gather_rows, py::arg("source"), py::arg("index"), py::arg("divisor"));
}

}  // namespace fastnn
