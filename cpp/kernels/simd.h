// Vectors of the ISA this file is compiled for, and the loop that runs over them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#define FASTNN_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define FASTNN_VECTOR_BYTES 32
#else
#define FASTNN_VECTOR_BYTES 16
#endif

#define FASTNN_UNROLL _Pragma("GCC unroll 32")

namespace fastnn {
namespace {

// Not std::min: a function template of the standard library is a weak symbol, which the linker
// would merge across ISAs.
inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

template <class T>
struct Simd {
    static constexpr int width = FASTNN_VECTOR_BYTES / int(sizeof(T));
    typedef T Vec __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
    typedef T Unaligned
        __attribute__((vector_size(FASTNN_VECTOR_BYTES), aligned(alignof(T)), may_alias));
};

template <class T>
using Vec = typename Simd<T>::Vec;

template <class T>
inline Vec<T> load(const T* p) {
    return *reinterpret_cast<const typename Simd<T>::Unaligned*>(p);
}

template <class T>
inline void store(T* p, Vec<T> v) {
    *reinterpret_cast<typename Simd<T>::Unaligned*>(p) = v;
}

template <class T>
inline Vec<T> broadcast(T value) {
    return value - Vec<T>{};  // x - 0 is x for every x, -0 and NaN too; x + 0 is not
}

// NaN passes through: a diverged training must show, not be clipped to 0.
template <class T>
inline Vec<T> relu(Vec<T> v) {
    return v > Vec<T>{} ? v : v != v ? v : Vec<T>{};
}

// IEEE's square root; the compiler makes one instruction of the loop.
template <class T>
inline Vec<T> sqrt(Vec<T> v) {
    Vec<T> root;
    for (int i = 0; i < Simd<T>::width; ++i) root[i] = std::sqrt(v[i]);
    return root;
}

// The gradient of relu, given its output y (or its input: both are positive at the same places).
template <class T>
inline Vec<T> relu_mask(Vec<T> dy, Vec<T> y) {
    return y > Vec<T>{} ? dy : Vec<T>{};
}

// Calls body(i, n) for consecutive runs of at most `width` elements; n < width only at the end.
// load_n and store_n make the tail run through the same instructions as the rest, so an
// element's bits do not depend on where in an array it lies.
template <class T>
inline Vec<T> load_n(const T* p, int64_t n) {
    if (n >= Simd<T>::width) return load(p);
    Vec<T> v{};
    std::memcpy(&v, p, size_t(n) * sizeof(T));
    return v;
}

template <class T>
inline void store_n(T* p, Vec<T> v, int64_t n) {
    if (n >= Simd<T>::width) return store(p, v);
    std::memcpy(p, &v, size_t(n) * sizeof(T));
}

template <class T, class Body>
inline void for_vectors(int64_t begin, int64_t end, Body body) {
    for (int64_t i = begin; i < end; i += Simd<T>::width) body(i, end - i);
}

}  // namespace
}  // namespace fastnn
