// A mini-batch out of a data set kept as bytes.
#pragma once

#include "../parallel.h"
#include "simd.h"

namespace fastnn {
namespace {

// rows (count, cols) = source[index] / divisor. Divided, not multiplied by 1/divisor: the values
// are then exactly torchvision's ToTensor.
template <class T>
void gather_rows(T* rows, const uint8_t* source, const int64_t* index, T divisor, int64_t count,
                 int64_t cols) {
    parallel_for(count, 1, cols * kElementCost, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const uint8_t* from = source + index[i] * cols;
            T* to = rows + i * cols;
            for (int64_t j = 0; j < cols; ++j) to[j] = T(from[j]) / divisor;
        }
    });
}

}  // namespace
}  // namespace fastnn
