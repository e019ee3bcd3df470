#include "cpus.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

namespace fastnn {

int allowed_threads() {
#ifdef _OPENMP
    return std::min(omp_get_max_threads(), omp_get_thread_limit());
#else
    return int(std::thread::hardware_concurrency());
#endif
}

int cpu_quota() {
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

int current_cpu() {
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

#ifdef __linux__
namespace {

// Those of OpenMP's places, where it binds threads (OMP_PROC_BIND): the first thread has one left.
bool of_openmp(cpu_set_t& cpus) {
#ifdef _OPENMP
    if (omp_get_proc_bind() == omp_proc_bind_false) return false;
    int place[CPU_SETSIZE];
    for (int i = 0; i < omp_get_num_places(); ++i) {
        const int size = omp_get_place_num_procs(i);
        if (size > CPU_SETSIZE) return false;
        omp_get_place_proc_ids(i, place);
        for (int j = 0; j < size; ++j) CPU_SET(place[j], &cpus);
    }
    return true;
#else
    (void)cpus;
    return false;
#endif
}

}  // namespace
#endif

bool keep_off(std::thread& thread, int cpu, int threads) noexcept {
#ifdef __linux__
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    if (!of_openmp(cpus) && sched_getaffinity(getpid(), sizeof cpus, &cpus) != 0) return false;
    if (cpu < 0 || CPU_COUNT(&cpus) < threads) return false;
    CPU_CLR(cpu, &cpus);
    return pthread_setaffinity_np(thread.native_handle(), sizeof cpus, &cpus) == 0;
#else
    (void)thread, (void)cpu, (void)threads;
    return false;
#endif
}

}  // namespace fastnn
