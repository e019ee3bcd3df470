// Sums, differences and products of two blocks of values, element by element.
#pragma once

#include "activations.h"

namespace fastnn {
namespace {

#define FASTNN_ARITHMETIC(name, op)                                          \
    template <class T>                                                       \
    void name(T* out, const T* x, const T* y, int64_t n) {                   \
        each_element<T>(out, n, kElementCost, [&](int64_t i, int64_t left) { \
            return load_n(x + i, left) op load_n(y + i, left);               \
        });                                                                  \
    }
FASTNN_ARITHMETIC(add_values, +)
FASTNN_ARITHMETIC(subtract_values, -)
FASTNN_ARITHMETIC(multiply_values, *)
#undef FASTNN_ARITHMETIC

}  // namespace
}  // namespace fastnn
