#include "bind.h"

PYBIND11_MODULE(_core, m) {
    m.doc() = "The C++ core of fastnn: kernels on NumPy arrays, outputs first.";
    fastnn::bind_runtime(m);
    fastnn::bind_linear(m);
    fastnn::bind_activations(m);
    fastnn::bind_losses(m);
    fastnn::bind_optim(m);
    fastnn::bind_data(m);
    fastnn::bind_random(m);
    fastnn::bind_norm(m);
    fastnn::bind_program(m);
    fastnn::bind_watch(m);
}
