// Normalisation: batch norm over the rows of each channel, layer norm over each row.
//
// Variances are sums of squares about a mean that is itself corrected (Chan, Golub and LeVeque,
// "Algorithms for computing the sample variance", 1983): data of mean 1e4 and deviation 1 keep
// their digits in float32. A channel is one chain of operations, so threads change no bit.
#pragma once

#include "../parallel.h"
#include "simd.h"

namespace fastnn {
namespace {

// Sums are taken over this many rows first: errors grow with the stretch, not with the batch.
constexpr int64_t kStretch = 256;

// At most `width` of n elements, the lanes past them filled with those of `padding`.
template <class T>
inline Vec<T> load_padded(const T* p, int64_t n, Vec<T> padding) {
    if (n >= Simd<T>::width) return load(p);
    Vec<T> lane;
    for (int i = 0; i < Simd<T>::width; ++i) lane[i] = T(i);
    return lane < broadcast(T(n)) ? load_part(p, n) : padding;
}

// The sum of all lanes in every lane.
template <class T>
inline Vec<T> lane_sum(Vec<T> v) {
    T lanes[Simd<T>::width];
    store(lanes, v);
    for (int half = Simd<T>::width / 2; half; half /= 2)
        for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    return broadcast(lanes[0]);
}

// Neighbouring channels of x (n, channels), one a lane; their values are an item a row.
template <class T>
struct ChannelLanes {
    int64_t n, channels, first;

    Vec<T> get(const T* values) const { return load_n(values + first, channels - first); }
    void put(T* values, Vec<T> v) const { store_n(values + first, v, channels - first); }
    Vec<T> sum(Vec<T> v) const { return v; }
    T count() const { return T(n); }
    Vec<T> anchor(const T* x) const { return get(x); }

    // item(i, left) for each vector of the channels' values, rest() after each stretch of them.
    template <class Item, class Rest>
    void each(Item item, Rest rest) const {
        for (int64_t begin = 0; begin < n; begin += kStretch) {
            for (int64_t i = begin; i < smaller(begin + kStretch, n); ++i)
                item(i * channels + first, channels - first);
            rest();
        }
    }
};

// One channel of x (n, channels, length): its values lie along the lanes.
template <class T>
struct ChannelRuns {
    int64_t n, channels, length, channel;

    Vec<T> get(const T* values) const { return broadcast(values[channel]); }
    void put(T* values, Vec<T> v) const { values[channel] = v[0]; }
    Vec<T> sum(Vec<T> v) const { return lane_sum<T>(v); }
    T count() const { return T(n * length); }
    Vec<T> anchor(const T* x) const { return broadcast(x[channel * length]); }

    template <class Item, class Rest>
    void each(Item item, Rest rest) const {
        for (int64_t i = 0; i < n; ++i) {
            const int64_t start = (i * channels + channel) * length;
            for_vectors<T>(0, length, [&](int64_t k, int64_t left) { item(start + k, left); });
            rest();
        }
    }
};

// body(group) for all channels of x (n, channels, length), in lanes where length is 1.
template <class T, class Body>
void for_channels(int64_t n, int64_t channels, int64_t length, Body body) {
    const int64_t cost = n * length * kElementCost;
    if (length == 1) {
        parallel_for(channels, Simd<T>::width, cost, [&](int64_t begin, int64_t end) {
            for_vectors<T>(begin, end,
                           [&](int64_t c, int64_t) { body(ChannelLanes<T>{n, channels, c}); });
        });
    } else {
        parallel_for(channels, 1, cost, [&](int64_t begin, int64_t end) {
            for (int64_t c = begin; c < end; ++c) body(ChannelRuns<T>{n, channels, length, c});
        });
    }
}

template <class T>
struct Moments {
    Vec<T> mean, variance;  // the variance divides by the count
};

// Two passes: about the first value, which is of the data's size, then about the mean.
template <class T, class Group>
inline Moments<T> moments(const Group& group, const T* x) {
    const Vec<T> count = broadcast(group.count()), anchor = group.anchor(x);
    Vec<T> total{}, part{};
    group.each([&](int64_t i, int64_t left) { part += load_padded(x + i, left, anchor) - anchor; },
               [&] { total += part, part = Vec<T>{}; });
    const Vec<T> near = anchor + group.sum(total) / count;
    Vec<T> errors{}, squares{}, square{};
    total = Vec<T>{};
    group.each(
        [&](int64_t i, int64_t left) {
            const Vec<T> d = load_padded(x + i, left, near) - near;
            part += d;
            square += d * d;
        },
        [&] {
            errors += part, squares += square;
            part = square = Vec<T>{};
        });
    errors = group.sum(errors);
    const Vec<T> correction = errors / count;
    const Vec<T> variance = (group.sum(squares) - errors * correction) / count;
    return {near + correction, variance < Vec<T>{} ? Vec<T>{} : variance};  // NaN stays NaN
}

template <class T>
inline Vec<T> inverse_deviation(Vec<T> variance, T eps) {
    return T(1) / sqrt<T>(variance + eps);
}

// y = (x - mean) / sqrt(variance + eps) weight + bias for the channels of a group.
template <class T, class Group>
inline void normalize(const Group& group, T* y, const T* x, const Moments<T>& of, const T* weight,
                      const T* bias, T eps) {
    const Vec<T> slope = weight ? group.get(weight) : broadcast(T(1));
    const Vec<T> shift = bias ? group.get(bias) : Vec<T>{};
    const Vec<T> scale = inverse_deviation(of.variance, eps) * slope;
    group.each(
        [&](int64_t i, int64_t left) {
            store_n(y + i, (load_n(x + i, left) - of.mean) * scale + shift, left);
        },
        [] {});
}

// y (n, channels, length) of x by the moments of the batch, which go to mean and variance
// (channels); weight, bias, running_mean and running_var (channels) may be null. The running
// statistics move by `momentum` to the mean and the variance that divides by count - 1.
template <class T>
void batch_norm_train(T* y, T* mean, T* variance, T* running_mean, T* running_var, const T* x,
                      const T* weight, const T* bias, int64_t n, int64_t channels, int64_t length,
                      T eps, double momentum) {
    const double count = double(n * length);
    const T share = T(momentum), kept = T(1 - momentum);
    const T unbiased = T(momentum * (count / (count - 1)));
    for_channels<T>(n, channels, length, [&](const auto& group) {
        const Moments<T> of = moments(group, x);
        group.put(mean, of.mean);
        group.put(variance, of.variance);
        if (running_mean) {
            group.put(running_mean, kept * group.get(running_mean) + share * of.mean);
            group.put(running_var, kept * group.get(running_var) + unbiased * of.variance);
        }
        normalize(group, y, x, of, weight, bias, eps);
    });
}

// y (n, channels, length) of x by given mean and variance (channels).
template <class T>
void batch_norm_forward(T* y, const T* x, const T* mean, const T* variance, const T* weight,
                        const T* bias, int64_t n, int64_t channels, int64_t length, T eps) {
    for_channels<T>(n, channels, length, [&](const auto& group) {
        normalize(group, y, x, Moments<T>{group.get(mean), group.get(variance)}, weight, bias, eps);
    });
}

// dweight, dbias (channels) and dx (n, channels, length), each of which may be null. With `batch`
// mean and variance are functions of x: dx = w r (dy - mean(dy) - z mean(dy z)), z = (x - mean) r.
template <class T>
void batch_norm_backward(T* dx, T* dweight, T* dbias, const T* dy, const T* x, const T* mean,
                         const T* variance, const T* weight, int64_t n, int64_t channels,
                         int64_t length, T eps, bool batch) {
    for_channels<T>(n, channels, length, [&](const auto& group) {
        const Vec<T> center = group.get(mean);
        const Vec<T> r = inverse_deviation(group.get(variance), eps);
        const Vec<T> count = broadcast(group.count());
        Vec<T> sum{}, part{}, products{}, product{};
        group.each(
            [&](int64_t i, int64_t left) {
                const Vec<T> g = load_n(dy + i, left);
                part += g;
                product += g * (load_padded(x + i, left, center) - center);
            },
            [&] {
                sum += part, products += product;
                part = product = Vec<T>{};
            });
        sum = group.sum(sum);
        products = group.sum(products) * r;
        if (dweight) group.put(dweight, products);
        if (dbias) group.put(dbias, sum);
        if (!dx) return;
        const Vec<T> scale = weight ? group.get(weight) * r : r;
        const Vec<T> level = batch ? sum / count : Vec<T>{};
        const Vec<T> slope = batch ? products * r / count : Vec<T>{};
        group.each(
            [&](int64_t i, int64_t left) {
                const Vec<T> d = load_n(x + i, left) - center;
                const Vec<T> g = load_n(dy + i, left) - level;
                store_n(dx + i, scale * (batch ? g - d * slope : g), left);
            },
            [] {});
    });
}

// A row of x (rows, cols), as a channel that has one run.
template <class T>
inline ChannelRuns<T> row_of(int64_t row, int64_t rows, int64_t cols) {
    return {1, rows, cols, row};
}

// y (rows, cols) = (x - mean) r weight + bias, with r = 1 / sqrt(variance + eps) of each row; mean
// and r (rows) are for the backward; weight and bias (cols) may be null.
template <class T>
void layer_norm_forward(T* y, T* mean, T* inverse, const T* x, const T* weight, const T* bias,
                        int64_t rows, int64_t cols, T eps) {
    parallel_rows(rows, cols * kElementCost, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const Moments<T> of = moments(row_of<T>(row, rows, cols), x);
            const Vec<T> r = inverse_deviation(of.variance, eps);
            mean[row] = of.mean[0];
            inverse[row] = r[0];
            for_vectors<T>(0, cols, [&](int64_t j, int64_t left) {
                const Vec<T> z = (load_n(x + row * cols + j, left) - of.mean) * r;
                const Vec<T> slope = weight ? load_n(weight + j, left) : broadcast(T(1));
                const Vec<T> shift = bias ? load_n(bias + j, left) : Vec<T>{};
                store_n(y + row * cols + j, z * slope + shift, left);
            });
        }
    });
}

// dx (rows, cols) = r (g - mean(g) - z mean(g z)) with g = dy weight, z = (x - mean) r.
template <class T>
void layer_norm_backward(T* dx, const T* dy, const T* x, const T* mean, const T* inverse,
                         const T* weight, int64_t rows, int64_t cols) {
    const Vec<T> count = broadcast(T(cols));
    parallel_rows(rows, cols * kElementCost, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const T *dy_row = dy + row * cols, *x_row = x + row * cols;
            const Vec<T> center = broadcast(mean[row]);
            const Vec<T> r = broadcast(inverse[row]);
            const auto gradient = [&](int64_t j, int64_t left) {
                const Vec<T> g = load_n(dy_row + j, left);
                return weight ? g * load_n(weight + j, left) : g;
            };
            Vec<T> sum{}, products{};
            for_vectors<T>(0, cols, [&](int64_t j, int64_t left) {
                const Vec<T> g = gradient(j, left);
                sum += g;
                products += g * (load_padded(x_row + j, left, center) - center);
            });
            const Vec<T> level = lane_sum<T>(sum) / count;
            const Vec<T> slope = lane_sum<T>(products) * r * r / count;
            for_vectors<T>(0, cols, [&](int64_t j, int64_t left) {
                const Vec<T> d = load_n(x_row + j, left) - center;
                store_n(dx + row * cols + j, r * (gradient(j, left) - level - d * slope), left);
            });
        }
    });
}

// dweight (cols) = sum over the rows of dy z, dbias (cols) that of dy; each may be null.
template <class T>
void layer_norm_backward_weight(T* dweight, T* dbias, const T* dy, const T* x, const T* mean,
                                const T* inverse, int64_t rows, int64_t cols) {
    parallel_for(cols, Simd<T>::width, rows * kElementCost, [&](int64_t begin, int64_t end) {
        for_vectors<T>(begin, end, [&](int64_t j, int64_t) {
            const ChannelLanes<T> columns{rows, cols, j};
            Vec<T> sum{}, part{}, products{}, product{};
            int64_t row = 0;
            columns.each(
                [&](int64_t i, int64_t left) {
                    const Vec<T> g = load_n(dy + i, left);
                    part += g;
                    product += g * ((load_n(x + i, left) - mean[row]) * inverse[row]);
                    ++row;
                },
                [&] {
                    sum += part, products += product;
                    part = product = Vec<T>{};
                });
            if (dweight) columns.put(dweight, products);
            if (dbias) columns.put(dbias, sum);
        });
    });
}

}  // namespace
}  // namespace fastnn
