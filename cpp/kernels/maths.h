// Elementary functions on vectors, within two units in the last place in float32 and float64.
//
// Eigen 3.4 was measured first: its exp is as good, but exp(-1000) is not 0, its float32 logistic
// loses 13 bits at -9, and in float64 tanh and erf run lane by lane. NaN stays NaN in all of these.
#pragma once

#include "simd.h"

namespace fastnn {
namespace {

// What differs between the two formats. ln2_high has so few digits that k ln2_high is exact for
// every k here; ln2_low is the rest. The tail is that of `normal_tail`.
template <class T>
struct Format;

template <>
struct Format<float> {
    using Bits = uint32_t;
    static constexpr int digits = 23, bias = 127;
    static constexpr float ln2_high = 0.693145751953125f, ln2_low = 1.42860682e-6f;
    static constexpr float exp_limit = 110, expm1_limit = 40;
    static constexpr int exp_terms = 6, log_terms = 7;
    static constexpr float tail_centre = 4;
    static constexpr float tail[] = {
        0.755285138f,    -0.607896636f,   0.387136705f,   -0.186522205f,   0.0604068506f,
        -0.00753252098f, -0.00352976018f, 0.00157770926f, 0.000211579292f, -0.000115843637f};
};

template <>
struct Format<double> {
    using Bits = uint64_t;
    static constexpr int digits = 52, bias = 1023;
    static constexpr double ln2_high = 0.6931471805598903, ln2_low = 5.4979230187083712e-14;
    static constexpr double exp_limit = 800, expm1_limit = 80;
    static constexpr int exp_terms = 12, log_terms = 16;
    static constexpr double tail_centre = 5;
    static constexpr double tail[] = {
        0.76919304975006296,    -0.6653825028900567,    0.49530561596997635,
        -0.31353315667130426,   0.16502036617038852,    -0.069118638706317435,
        0.020795066799800504,   -0.0029933767704363544, -0.00079786939755277483,
        0.00054489906454439294, -5.937573378576788e-5,  -4.9762815296091399e-5,
        1.6681235760536205e-5,  3.9809132539483411e-6,  -2.7693178940658228e-6,
        -3.3665534340061791e-7, 4.3320814509461144e-7,  4.2348688651080038e-8,
        -6.5983380575673895e-8, -9.3832894229816052e-9, 7.6625184425348192e-9,
        1.7799257411525281e-9,  -1.4967015945146108e-10};
};

template <class T>
struct BitsOf {
    typedef typename Format<T>::Bits Vec __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
    static constexpr typename Format<T>::Bits sign = typename Format<T>::Bits(1)
                                                     << (8 * sizeof(T) - 1);
};

template <class T>
using Bits = typename BitsOf<T>::Vec;

template <class T>
inline Vec<T> abs(Vec<T> v) {
    return (Vec<T>)((Bits<T>)v & ~BitsOf<T>::sign);
}

// `v` >= 0 with the sign of `sign`.
template <class T>
inline Vec<T> with_sign_of(Vec<T> sign, Vec<T> v) {
    return (Vec<T>)((Bits<T>)v | ((Bits<T>)sign & BitsOf<T>::sign));
}

template <class T>
inline Vec<T> clamp(Vec<T> v, T low, T high) {
    v = v < broadcast(low) ? broadcast(low) : v;
    return v > broadcast(high) ? broadcast(high) : v;
}

// The nearest whole number, and its bits as an integer in the lowest digits of `v + kShift`.
template <class T>
constexpr T kShift = T(3) * T(typename Format<T>::Bits(1) << (Format<T>::digits - 1));

template <class T>
inline Vec<T> round(Vec<T> v) {
    return (v + kShift<T>)-kShift<T>;
}

// 2^k for a whole k that the format's exponent holds.
template <class T>
inline Vec<T> power_of_two(Vec<T> k) {
    using F = Format<T>;
    return (Vec<T>)(((Bits<T>)(k + kShift<T>)+typename F::Bits(F::bias)) << F::digits);
}

template <class T, int N>
inline Vec<T> polynomial(Vec<T> x, const T (&coefficients)[N]) {
    Vec<T> sum = broadcast(coefficients[N - 1]);
    FASTNN_UNROLL for (int i = N - 2; i >= 0; --i) sum = sum * x + coefficients[i];
    return sum;
}

template <class T, int N>
struct Coefficients {
    T of[N];
};

// 1/2!, 1/3!, ...
template <class T>
constexpr auto exp_series() {
    Coefficients<T, Format<T>::exp_terms> c{};
    double factorial = 1;
    for (int i = 0; i < Format<T>::exp_terms; ++i) c.of[i] = T(1 / (factorial *= i + 2));
    return c;
}

// 2/3, 2/5, 2/7, ...
template <class T>
constexpr auto log_series() {
    Coefficients<T, Format<T>::log_terms> c{};
    for (int i = 0; i < Format<T>::log_terms; ++i) c.of[i] = T(2.0 / (2 * i + 3));
    return c;
}

// exp(x) = 2^k (1 + m) with |m| < 0.42.
template <class T>
struct Reduced {
    Vec<T> k, m;
};

// Of x + low, where `low` are digits that x has no room for.
template <class T>
inline Reduced<T> reduce(Vec<T> x, Vec<T> low) {
    using F = Format<T>;
    static constexpr auto series = exp_series<T>();
    const Vec<T> k = round<T>((x + low) * T(1.4426950408889634));  // 1 / ln 2
    const Vec<T> r = ((x - k * F::ln2_high) - k * F::ln2_low) + low;
    return {k, r + r * r * polynomial<T>(r, series.of)};
}

// exp(x + low); 0 and infinity where the format ends. 2^k comes in two halves, so that a result
// which still fits is reached by a factor that would not.
template <class T>
inline Vec<T> exp(Vec<T> x, Vec<T> low = Vec<T>{}) {
    const Reduced<T> e = reduce<T>(clamp<T>(x, -Format<T>::exp_limit, Format<T>::exp_limit), low);
    const Vec<T> half = round<T>(e.k * T(0.5));
    return (e.m + T(1)) * power_of_two<T>(half) * power_of_two<T>(e.k - half);
}

// exp(x) - 1 for x <= expm1_limit, with all digits where x is near 0.
template <class T>
inline Vec<T> expm1(Vec<T> x) {
    constexpr T limit = Format<T>::expm1_limit;
    const Reduced<T> e = reduce<T>(clamp<T>(x, -limit, limit), Vec<T>{});
    const Vec<T> scale = power_of_two<T>(e.k);
    return scale * e.m + (scale - T(1));
}

// log(1 + u) for -1/2 <= u <= 1: the series of 2 artanh(s) with s = u / (2 + u), written as a
// correction to u.
template <class T>
inline Vec<T> log1p(Vec<T> u) {
    static constexpr auto series = log_series<T>();
    const Vec<T> s = u / (u + T(2)), square = s * s;
    return u - s * (u - square * polynomial<T>(square, series.of));
}

// log(x) for finite x >= 1: of x = 2^k m with sqrt(1/2) <= m < sqrt(2), k ln 2 + log(m).
template <class T>
inline Vec<T> log(Vec<T> x) {
    using F = Format<T>;
    const Vec<T> least = broadcast(T(0.70710678118654752));
    const Bits<T> k = ((Bits<T>)x - (Bits<T>)least) >> F::digits;
    const Vec<T> m = (Vec<T>)((Bits<T>)x - (k << F::digits));
    const Vec<T> power = (Vec<T>)(k + (Bits<T>)broadcast(kShift<T>)) - kShift<T>;
    const Vec<T> sum = power * F::ln2_high + (log1p<T>(m - T(1)) + power * F::ln2_low);
    return x == x ? sum : x;
}

template <class T>
inline Vec<T> tanh(Vec<T> x) {
    const Vec<T> e = expm1<T>(abs<T>(x) * T(2));
    return with_sign_of<T>(x, e / (e + T(2)));
}

// 1 / (1 + exp(-x)), and 1 minus that: exact to the last digits in both tails.
template <class T>
struct Logistic {
    Vec<T> at, rest;
};

template <class T>
inline Logistic<T> logistic(Vec<T> x) {
    const Vec<T> e = exp<T>(-abs<T>(x)), large = T(1) / (e + T(1)), small = e * large;
    return {x < Vec<T>{} ? small : large, x < Vec<T>{} ? large : small};
}

// The normal distribution: `below`, the part of it below x, and `density` at x.
//
// With u = |x|, the part beyond u is exp(-u^2 / 2) P(t) / (u + c), where t = (u - c) / (u + c) and
// P interpolates erfc(u / sqrt 2) exp(u^2 / 2) (u + c) / 2 at Chebyshev's nodes, computed in 50
// digits. u^2 / 2 has more digits than the format: those of the upper half of u are squared
// exactly, the rest is the exponent's `low`. So the far tail is right to the last digits too.
template <class T>
struct Normal {
    Vec<T> below, density;
};

template <class T>
inline Normal<T> normal(Vec<T> x) {
    using F = Format<T>;
    constexpr auto half = typename F::Bits(1) << (F::digits / 2 + 1);
    const Vec<T> u = clamp<T>(abs<T>(x), 0, 40);  // exp(-800) is 0
    const Vec<T> upper = (Vec<T>)(((Bits<T>)u + half / 2) & ~(half - 1));
    const Vec<T> e = exp<T>(upper * upper * T(-0.5), (u - upper) * (u + upper) * T(-0.5));
    const Vec<T> w = T(1) / (u + F::tail_centre);
    const Vec<T> beyond = e * w * polynomial<T>((u - F::tail_centre) * w, F::tail);
    return {x < Vec<T>{} ? beyond : T(1) - beyond, e * T(0.39894228040143268)};  // 1 / sqrt(2 pi)
}

}  // namespace
}  // namespace fastnn
