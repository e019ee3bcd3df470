// Vectors of the ISA this file is compiled for, the loop that runs over them, and what joins their
// lanes.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

// FASTNN_EMULATE_AVX512: vectors as wide as its, of AVX2's instructions. The intrinsics below need
// the instructions; without them the code for any ISA does the same.
#if defined(__AVX512F__) || defined(FASTNN_EMULATE_AVX512)
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
    return v <= Vec<T>{} ? Vec<T>{} : v;
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

// The first n < width elements at p; the others are zero, and not read. A copy of n bytes known
// only at run time would be a call: 5 ns, where the mask costs nothing.
template <class T>
inline Vec<T> load_part(const T* p, int64_t n) {
    Vec<T> v{};
    std::memcpy(&v, p, size_t(n) * sizeof(T));
    return v;
}

template <class T>
inline void store_part(T* p, Vec<T> v, int64_t n) {
    std::memcpy(p, &v, size_t(n) * sizeof(T));
}

#if defined(__AVX512F__)
inline unsigned first_lanes(int64_t n) { return (1u << n) - 1; }

template <>
inline Vec<float> load_part(const float* p, int64_t n) {
    return _mm512_maskz_loadu_ps(__mmask16(first_lanes(n)), p);
}
template <>
inline Vec<double> load_part(const double* p, int64_t n) {
    return _mm512_maskz_loadu_pd(__mmask8(first_lanes(n)), p);
}
template <>
inline void store_part(float* p, Vec<float> v, int64_t n) {
    _mm512_mask_storeu_ps(p, __mmask16(first_lanes(n)), v);
}
template <>
inline void store_part(double* p, Vec<double> v, int64_t n) {
    _mm512_mask_storeu_pd(p, __mmask8(first_lanes(n)), v);
}
#elif FASTNN_VECTOR_BYTES == 32
inline __m256i first_floats(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256i first_doubles(int64_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

template <>
inline Vec<float> load_part(const float* p, int64_t n) {
    return _mm256_maskload_ps(p, first_floats(n));
}
template <>
inline Vec<double> load_part(const double* p, int64_t n) {
    return _mm256_maskload_pd(p, first_doubles(n));
}
template <>
inline void store_part(float* p, Vec<float> v, int64_t n) {
    _mm256_maskstore_ps(p, first_floats(n), v);
}
template <>
inline void store_part(double* p, Vec<double> v, int64_t n) {
    _mm256_maskstore_pd(p, first_doubles(n), v);
}
#endif

// At most `width` of n elements. load_n and store_n make the tail of an array run through the same
// instructions as the rest, so an element's bits do not depend on where in it they lie.
template <class T>
inline Vec<T> load_n(const T* p, int64_t n) {
    return n >= Simd<T>::width ? load(p) : load_part(p, n);
}

template <class T>
inline void store_n(T* p, Vec<T> v, int64_t n) {
    n >= Simd<T>::width ? store(p, v) : store_part(p, v, n);
}

// Calls body(i, n) for i = begin, begin + width, ...; n elements are left from i on.
template <class T, class Body>
inline void for_vectors(int64_t begin, int64_t end, Body body) {
    for (int64_t i = begin; i < end; i += Simd<T>::width) body(i, end - i);
}

// Low and High half of each of the two vectors' `Parts` equal parts, those of `a` first.
template <class T, int Parts, int High, int... I>
inline Vec<T> halves(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    constexpr int W = Simd<T>::width, part = W / Parts, half = part / 2;
    return __builtin_shufflevector(a, b, (I / half * part + I % half + High * half)...);
}

// The lanes of v joined by op, halves first.
template <class T, int Parts = 1, class Op>
inline T fold_lanes(Vec<T> v, Op op) {
    constexpr int W = Simd<T>::width;
    if constexpr (Parts == W) {
        return v[0];
    } else {
        constexpr auto lanes = std::make_integer_sequence<int, W>{};
        return fold_lanes<T, 2 * Parts>(op(v, halves<T, Parts, 1>(v, v, lanes)), op);
    }
}

template <class T>
inline T sum_lanes(Vec<T> v) {
    return fold_lanes<T>(v, [](Vec<T> a, Vec<T> b) { return a + b; });
}

}  // namespace
}  // namespace fastnn
