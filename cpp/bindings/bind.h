// One function a file of bindings; module.cpp calls them all.
#pragma once

#include <pybind11/pybind11.h>

namespace fastnn {

void bind_runtime(pybind11::module_& m);
void bind_linear(pybind11::module_& m);
void bind_activations(pybind11::module_& m);
void bind_losses(pybind11::module_& m);
void bind_optim(pybind11::module_& m);
void bind_data(pybind11::module_& m);
void bind_random(pybind11::module_& m);
void bind_norm(pybind11::module_& m);
void bind_program(pybind11::module_& m);
void bind_watch(pybind11::module_& m);

}  // namespace fastnn
