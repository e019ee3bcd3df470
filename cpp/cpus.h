// The CPUs of the process, and which of them its threads are on.
#pragma once

#include <atomic>
#include <thread>

namespace fastnn {

// How many threads OpenMP's limits of this moment leave (OMP_NUM_THREADS, threadpoolctl): where
// nobody set one, as many as the process has CPUs.
int allowed_threads();

// The CPU quota of the control group, in whole cores; a large number where there is none. Threads
// beyond it only wait for each other while the kernel throttles them.
int cpu_quota();

int current_cpu();  // -1 where the system does not tell

// Lets a thread run on any CPU of the process but this one, if it has CPUs for so many threads.
bool keep_off(std::thread& thread, int cpu, int threads) noexcept;

// The CPU that a thread was on when it last said so, for others to read.
class Place {
  public:
    void stand() {
        const int here = current_cpu();
        if (cpu_.load(std::memory_order_relaxed) != here) set(here);
    }
    void set(int cpu) { cpu_.store(cpu, std::memory_order_relaxed); }
    bool is(int cpu) const { return cpu >= 0 && cpu == cpu_.load(std::memory_order_relaxed); }
    bool is_here() const { return is(current_cpu()); }

  private:
    std::atomic<int> cpu_{-1};
};

}  // namespace fastnn
