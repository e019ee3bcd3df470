// The kernels and the compiled step without Python, for sanitizers that an interpreter disturbs:
// threads (TSan) and leaks (LSan). `driver` must end with 0 and no report; `driver race` and
// `driver overflow` do something wrong on purpose, so a job that misses it can be told.
//
// Two callers at once train, predict and multiply in every ISA, with workers for a team of each.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../../cpp/parallel.h"
#include "../../cpp/program/program.h"

namespace fastnn {
namespace {

constexpr int64_t kRows = 300, kIn = 40, kHidden = 70, kClasses = 9, kBatch = 81;

struct Numbers {  // the same on every machine
    uint64_t state;
    float next() {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return float(int64_t(state >> 40) - (1 << 23)) / float(1 << 23);
    }
    std::vector<float> of(int64_t n) {
        std::vector<float> values(static_cast<size_t>(n));
        for (float& v : values) v = next() * 0.3f;
        return values;
    }
};

// All parameters of 40-70-70-70-9 in one run of memory, as an optimizer has them. Whole batches
// have more rows than any layer has outputs, and the last has fewer: threads share both by rows and
// by panels. The rows are odd, so that two threads do not cut two runs a row where they cut rows.
struct Network {
    std::vector<float> w, grad, m, v, mean, variance;
    explicit Network(Numbers& numbers)
        : w(numbers.of(kHidden * (kIn + 1) + 2 * kHidden * (kHidden + 1) +
                       kClasses * (kHidden + 1))),
          grad(w.size()),
          m(w.size()),
          v(w.size()),
          mean(size_t(kHidden)),
          variance(size_t(kHidden), 1.0f) {}

    void describe(Program<float>& p, bool trains) {
        int64_t at = 0;
        const auto next = [&](int64_t size, int64_t rows) {
            const auto made =
                p.parameter(w.data() + at, trains ? grad.data() + at : nullptr, size, rows);
            at += size;
            return made;
        };
        const auto linear = [&](int x, int64_t in, int64_t out, bool relu) {
            const auto weight = next(out * in, out), bias = next(out, 0);
            return p.linear(x, out, weight, bias, relu);
        };
        int x = linear(p.input(kIn), kIn, kHidden, true);
        if (trains) x = p.dropout(x, 0.2);
        x = p.batch_norm(x, {}, {}, kHidden, 1e-5f, trains, {mean.data(), variance.data(), 0.1, 0});
        x = p.activation("tanh", linear(x, kHidden, kHidden, false), {});
        x = linear(x, kHidden, kHidden, true);
        x = p.layer_norm(x, {}, {}, kHidden / 2, 1e-5f);
        x = linear(x, kHidden, kClasses, false);
        if (!trains) return p.give(x);
        p.cross_entropy(x, true, {nullptr, 1, 0, -100});
        p.optimize(std::make_unique<AdamOptimizer<float>>(
            AdamOptions{1e-3, 0.9, 0.999, 1e-8, 0, false, false}, false, w.data(),
            std::array<float*, 3>{m.data(), v.data(), nullptr}, grad.data(), int64_t(w.size()), 0));
    }
};

float train_and_predict() {
    Numbers numbers{1};
    const std::vector<float> inputs = numbers.of(kRows * kIn);
    std::vector<int64_t> labels(kRows), order(kRows), sizes(kRows / kBatch + 1, kBatch);
    for (int64_t i = 0; i < kRows; ++i) labels[size_t(i)] = i % kClasses;
    std::iota(order.begin(), order.end(), 0);
    sizes.back() = kRows % kBatch;
    const Source<float> rows{SourceType::f32, inputs.data(), kIn};
    Network network(numbers);
    Program<float> training(kBatch), prediction(kBatch);
    network.describe(training, true);
    network.describe(prediction, false);
    Measured measured;
    Data<float> data{rows};
    data.labels = labels.data();
    for (int epoch = 0; epoch < 3; ++epoch) {
        const Batches batches{order.data(), sizes.data(), nullptr, int64_t(sizes.size()), 1};
        training.run(data, batches, nullptr, 3, uint64_t(epoch * 100), measured,
                     [] { return false; });
    }
    std::vector<float> out(size_t(kRows * kClasses)), frozen_out(out.size());
    prediction.predict(out.data(), rows, kRows);
    Program<float> frozen(kBatch), another(kBatch);  // of weights that are packed once, for both
    network.describe(frozen, false);
    network.describe(another, false);
    frozen.freeze(nullptr);
    another.freeze(&frozen);
    for (const int64_t some : {kRows, kBatch, int64_t(1)})
        for (Program<float>* p : {&frozen, &another}) {
            p->predict(frozen_out.data(), rows, some);
            if (!std::equal(frozen_out.data(), frozen_out.data() + some * kClasses, out.data()))
                throw std::logic_error("a frozen program has other outputs");
        }
    return std::accumulate(out.begin(), out.end(), 0.0f);
}

float multiply() {
    Numbers numbers{2};
    float total = 0;
    for (const int64_t m : {1, 5, 33, 100}) {
        for (const int64_t k : {kIn, 8 * kIn}) {  // one block of k, and more
            const std::vector<float> a = numbers.of(m * k), b = numbers.of(kHidden * k);
            std::vector<float> c(size_t(m * kHidden));
            kernels().of<float>().gemm(
                {m, kHidden, k, a.data(), k, 1, b.data(), 1, k, c.data(), kHidden});
            total = std::accumulate(c.begin(), c.end(), total);
        }
    }
    return total;
}

// Units that a team shares, a few at a time: each must be done once, also where the first thread is
// slow and the others do most of its share, or have gone on to other units meanwhile.
bool each_unit_once() {
    for (const int64_t n : {1, 2, 7, 100, 1000}) {
        std::vector<int> done[3];
        for (auto& units : done) units.resize(size_t(n));
        parallel(max_threads(), [&](int thread, int threads) {
            int64_t size = 1;
            for (auto& units : done) {
                each_part(
                    thread, threads, n, size,
                    [&](int owner) { return share(n, 1, owner, threads); },
                    [&](Range part) {
                        for (int64_t unit = part.begin; unit < part.end; ++unit)
                            ++units[size_t(unit)];
                        if (thread == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
                    });
                size *= 7;
            }
        });
        for (const auto& units : done)
            if (std::count(units.begin(), units.end(), 1) != n) return false;
    }
    return true;
}

// Two callers at once; both must find what one alone does.
bool together(const std::function<float()>& work) {
    const float expected = work();
    float found[2];
    std::thread other([&] { found[1] = work(); });
    found[0] = work();
    other.join();
    return found[0] == expected && found[1] == expected && std::isfinite(expected);
}

void race() {
    int shared = 0;
    auto count = [&] {
        for (int i = 0; i < 1000; ++i) ++shared;
    };
    standing_team(2, count);  // in any other the caller may have done it all
    std::printf("%d\n", shared);
}

void overflow() {
    std::vector<float> a(4), b(16), c(4);
    kernels().of<float>().gemm({2, 4, 4, a.data(), 4, 1, b.data(), 4, 1, c.data(), 4});  // a row
}

}  // namespace
}  // namespace fastnn

int main(int count, char** arguments) {
    using namespace fastnn;
    set_serial_work(0);
    parallel(5, [](int, int) {});  // starts four workers: two for each of two callers
    set_max_threads(3);
    const char* what = count > 1 ? arguments[1] : "";
    if (!std::strcmp(what, "race")) return race(), 0;
    if (!std::strcmp(what, "overflow")) return overflow(), 0;
    if (!each_unit_once()) {
        std::printf("a team does not do each unit of work once\n");
        return 1;
    }
    for (const std::string& isa : available_isas()) {
        set_isa(isa);
        if (!together(train_and_predict) || !together(multiply)) {
            std::printf("%s: two callers at once find something else\n", isa.c_str());
            return 1;
        }
        std::printf("%s: %.6f %.6f\n", isa.c_str(), double(train_and_predict()),
                    double(multiply()));
    }
    return 0;
}
