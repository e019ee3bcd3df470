#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>

#include "denormals.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace fastnn {
namespace {

std::atomic<int> limit{0};  // of set_max_threads; 0: none
std::atomic<int64_t> serial_work{kSerialWork};
std::atomic<bool> team_started{false};  // this process has had more than one thread of ours
std::atomic<bool> forked{false};        // ... and this is a child of it: its team is gone

// The CPU quota of the control group, in whole cores; a large number where there is none. Threads
// beyond it only wait for each other while the kernel throttles them.
int cgroup_cpus() {
    const int unlimited = 1 << 16;
    double quota = -1, period = 0;
    std::string word;
    if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> word >> period && word != "max") {
        quota = std::atof(word.c_str());
    } else if (std::ifstream q("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"); q >> quota) {
        std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
    }
    if (!(quota > 0) || !(period > 0)) return unlimited;
    return std::max(1, int(std::min(std::ceil(quota / period), double(unlimited))));
}

void in_forked_child() {
    if (team_started) forked = true;
}

}  // namespace

int max_threads() {
#ifdef _OPENMP
    static const int quota = [] {
#if defined(__unix__) || defined(__APPLE__)
        pthread_atfork(nullptr, nullptr, in_forked_child);
#endif
        return cgroup_cpus();
    }();
    if (forked || omp_in_parallel()) return 1;
    const int wanted = limit;
    return std::max(1, std::min({omp_get_max_threads(), quota, wanted > 0 ? wanted : 1 << 16}));
#else
    return 1;
#endif
}

void set_max_threads(int n) { limit = n; }

int64_t set_serial_work(int64_t work) { return serial_work.exchange(work); }

int team_size(int64_t work) { return work < serial_work ? 1 : max_threads(); }

void run_team(int threads, void (*body)(void*, int, int), void* context) {
#ifdef _OPENMP
    if (threads > 1) {
        team_started = true;
        std::exception_ptr error;
#pragma omp parallel num_threads(threads)
        {
            try {
                const FlushDenormals flush;
                body(context, omp_get_thread_num(), omp_get_num_threads());
            } catch (...) {
#pragma omp critical(fastnn_team_error)
                if (!error) error = std::current_exception();
            }
        }
        if (error) std::rethrow_exception(error);
        return;
    }
#endif
    (void)threads;
    const FlushDenormals flush;
    body(context, 0, 1);
}

}  // namespace fastnn
