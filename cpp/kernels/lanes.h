// Element-wise maths as Eigen expressions over fixed runs of values.
//
// A run is 64 bytes on every ISA. The last, incomplete one is copied into a padded one, so each
// element goes through the same (vectorised) instructions wherever it lies: Eigen's own scalar
// tail would give exp other bits than its packets do.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <cstring>

namespace fastnn {
namespace {

template <class T>
constexpr int kLanes = 64 / int(sizeof(T));

template <class T>
using Lanes = Eigen::Array<T, kLanes<T>, 1>;

template <class T>
inline Lanes<T> load_lanes(const T* p, int64_t n, T padding = T(0)) {
    if (n >= kLanes<T>) return Eigen::Map<const Lanes<T>>(p);
    Lanes<T> lanes = Lanes<T>::Constant(padding);
    std::memcpy(lanes.data(), p, size_t(n) * sizeof(T));
    return lanes;
}

template <class T>
inline void store_lanes(T* p, const Lanes<T>& lanes, int64_t n) {
    if (n >= kLanes<T>) {
        std::memcpy(p, lanes.data(), sizeof(T) * kLanes<T>);  // of a size known here: one store
    } else {
        std::memcpy(p, lanes.data(), size_t(n) * sizeof(T));
    }
}

template <class T, class Body>
inline void for_lanes(int64_t begin, int64_t end, Body body) {
    for (int64_t i = begin; i < end; i += kLanes<T>) body(i, end - i);
}

}  // namespace
}  // namespace fastnn
