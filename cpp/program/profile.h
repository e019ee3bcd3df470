// Where the time of a step goes, as the thread that began the run sees it.
#pragma once

#include <array>
#include <chrono>

namespace fastnn {

enum class Part { penalty, gather, forward, loss, input_gradient, update, repack, other, count };

constexpr const char* kPartNames[] = {"penalty",
                                      "gather",
                                      "forward products",
                                      "loss",
                                      "gradients of inputs",
                                      "gradients of weights, update",
                                      "transposed weights",
                                      "everything else"};

class Profile {
  public:
    void start() { last_ = Clock::now(); }
    // What was done since the last call was this part.
    void lap(Part part) {
        const auto now = Clock::now();
        seconds[size_t(part)] += std::chrono::duration<double>(now - last_).count();
        last_ = now;
    }

    std::array<double, size_t(Part::count)> seconds{};

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point last_;
};

}  // namespace fastnn
