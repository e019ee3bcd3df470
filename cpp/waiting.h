// How a thread waits for another: a short while awake, then asleep.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace fastnn {

// Between two looks at what is waited for: rests, for 14 ns on a Xeon.
inline void pause() {
#if defined(__SSE2__)
    _mm_pause();
#endif
}

// Looks until ready() or for so long; no longer where in_the_way() says that who is waited for
// needs this thread's CPU.
template <class Ready, class InTheWay>
bool look_out(std::chrono::microseconds longest, Ready ready, InTheWay in_the_way) {
    const auto end = std::chrono::steady_clock::now() + longest;
    do {
        for (int i = 0; i < 32; ++i) {  // the clock takes 27 ns, as long as two pauses
            if (ready()) return true;
            pause();
        }
    } while (!in_the_way() && std::chrono::steady_clock::now() < end);
    return ready();
}

// Where threads sleep until something holds. What they wait for is atomic and changes before wake()
// is called, in sequentially consistent order.
class Sleep {
  public:
    template <class Ready>
    void until(Ready ready) {
        ++sleepers_;  // before the look, as who changes what is looked at counts sleepers after it
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, ready);
        --sleepers_;
    }

    void wake() {
        if (!has_sleepers()) return;
        mutex_.lock();  // none is between look and sleep
        mutex_.unlock();
        changed_.notify_all();
    }

    bool has_sleepers() const { return sleepers_ > 0; }

  private:
    std::atomic<int> sleepers_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
};

}  // namespace fastnn
