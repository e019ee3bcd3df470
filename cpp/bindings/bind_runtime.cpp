// ISA, threads, and the machine's peak.
#include <pybind11/stl.h>

#include <chrono>
#include <stdexcept>

#include "../dispatch.h"
#include "../parallel.h"
#include "bind.h"

namespace fastnn {
namespace {

namespace py = pybind11;

constexpr double kChains = 12, kVectorBytes[] = {16, 32, 64};

// GFLOP/s of multiply-adds in registers, kept up for `seconds`: what the machine's clock sustains
// at this moment. A short burst may be a third faster and is no roof for anything that lasts.
double fma_peak(int threads, double seconds) {
    const auto isas = available_isas();
    size_t level = 0;
    while (isas[level] != kernels().isa) ++level;
    const double flops = 2 * kChains * kVectorBytes[level] / sizeof(float);
    const int64_t iterations = 100'000;
    const auto start = std::chrono::steady_clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    int64_t rounds = 0;
    do {
        parallel(threads, [&](int, int) {
            float sink;
            kernels().f32.fma_spin(&sink, iterations);
        });
        ++rounds;
    } while (elapsed() < seconds);
    return double(threads) * double(rounds * iterations) * flops / elapsed() / 1e9;
}

// For tests: an exception in the last thread of a team must arrive in the caller.
void raise_in_team(int threads) {
    parallel(threads, [](int thread, int team) {
        if (thread == team - 1) throw std::runtime_error("raised in a team");
    });
}

}  // namespace

void bind_runtime(py::module_& m) {
    m.def("isa", [] { return std::string(kernels().isa); });
    m.def("available_isas", &available_isas);
    m.def("set_isa", &set_isa, py::arg("name"));
    m.def("get_num_threads", &max_threads);
    m.def("set_num_threads", &set_max_threads, py::arg("n"));
    m.def("set_serial_work", &set_serial_work, py::arg("work"));
    m.def("raise_in_team", &raise_in_team, py::arg("threads"),
          py::call_guard<py::gil_scoped_release>());
    m.def("fma_peak", &fma_peak, py::arg("threads"), py::arg("seconds") = 0.1,
          py::call_guard<py::gil_scoped_release>());
    kernels();  // an unknown FASTNN_ISA is an error at import, not in the middle of a training
}

}  // namespace fastnn
