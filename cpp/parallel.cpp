#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "denormals.h"  // and _mm_pause

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

// More threads than this help nobody, and OMP_NUM_THREADS may be any number: with 100,000 a
// training ended in a segmentation fault.
int most_threads() { return std::max(64, 4 * int(std::thread::hardware_concurrency())); }

// Where the threads of a standing team meet.
class Meeting {
  public:
    explicit Meeting(int threads) : threads_(threads) {}

    // Waits until all threads are here; the last to come calls `last` before any goes on. A thread
    // spins for some 50 us, then sleeps: where a core is shared, one that spun on would hold up the
    // very thread that is waited for. 50 steps of three threads on two cores, one of them busy,
    // took 1.5 s when threads yielded instead, and take 0.1.
    template <class Last>
    void wait(Last last) {
        const unsigned round = round_.load(std::memory_order_relaxed);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
            last();
            arrived_.store(0, std::memory_order_relaxed);
            round_ = round + 1;
            if (sleepers_ > 0) {
                const std::lock_guard<std::mutex> lock(mutex_);  // none is between look and sleep
                next_round_.notify_all();
            }
            return;
        }
        for (int spins = 0; spins < kSpins; ++spins) {
            if (round_.load(std::memory_order_acquire) != round) return;
            pause();
        }
        ++sleepers_;  // before the look at the round, as the last looks after it has changed it
        std::unique_lock<std::mutex> lock(mutex_);
        next_round_.wait(lock, [&] { return round_ != round; });
        --sleepers_;
    }

  private:
    static constexpr int kSpins = 1000;
    static void pause() {
#if defined(__SSE2__)
        _mm_pause();
#endif
    }
    const int threads_;
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<unsigned> round_{0};
    std::atomic<int> sleepers_{0};
    std::mutex mutex_;
    std::condition_variable next_round_;
};

// What is left of a thread's share of some units of work: the owner takes from its beginning,
// others from its end.
class alignas(64) Remainder {
  public:
    // Nobody has taken anything of `all` in this sharing before the first call. Who is in a later
    // one already found nothing left in this.
    Range take(int64_t sharing, Range all, int64_t size, bool from_end) {
        uint64_t before = left_.load(std::memory_order_relaxed);
        for (;;) {
            const int ahead = int16_t(uint16_t(before >> 2 * kBits) - uint16_t(sharing));
            if (ahead > 0) return {0, 0};
            const Range left =
                ahead == 0 ? Range{int64_t(before >> kBits & kMask), int64_t(before & kMask)} : all;
            const int64_t n = std::min(size, left.end - left.begin);
            if (ahead == 0 && n == 0) return {0, 0};
            const int64_t cut = from_end ? left.end - n : left.begin + n;
            const Range first = {left.begin, cut}, second = {cut, left.end};
            const Range rest = from_end ? first : second;
            const uint64_t after =
                uint64_t(sharing) << 2 * kBits | uint64_t(rest.begin) << kBits | uint64_t(rest.end);
            if (left_.compare_exchange_weak(before, after, std::memory_order_relaxed))
                return from_end ? second : first;
        }
    }

  private:
    static constexpr int kBits = 24;
    static constexpr uint64_t kMask = (1 << kBits) - 1;
    static_assert(kMostUnits <= int64_t(kMask) + 1);
    std::atomic<uint64_t> left_{0};  // the last 16 bits of the sharing, begin, end
};

struct StandingTeam {
    explicit StandingTeam(int threads)
        : threads(threads), meeting(threads), remainders(size_t(threads)) {}
    const int threads;
    Meeting meeting;
    std::vector<Remainder> remainders;  // of each thread's share
    std::mutex mutex;
    std::exception_ptr error;  // the first
    bool over = false;         // as of the last meeting: all threads see the same
    // Two take turns: who is late still reads the one while others write the other, and nobody
    // writes the first again before all have met.
    double sums[2][kSharedSums];

    void keep_error() {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!error) error = std::current_exception();
    }
};

// The standing team this thread is in.
struct Membership {
    StandingTeam* team = nullptr;
    int thread = 0;
    int turn = 0;      // of the sums
    int64_t rows = 0;  // of the calls of run_rows since the last meeting; 0: there were none
};
thread_local Membership membership;

// What the threads of a team, of either kind, share units of work by.
struct Sharing {
    std::vector<Remainder>* remainders = nullptr;  // null: there is nobody to share with
    int thread = 0;
    int64_t number = 0;
};
thread_local Sharing sharing;

struct TeamIsOver {};  // thrown in threads where nothing went wrong

void meet(StandingTeam& team) {
    membership.rows = 0;
    team.meeting.wait([&] { team.over = bool(team.error); });
    if (team.over) throw TeamIsOver();
}

void run_in_standing_team(int threads, void (*body)(void*, int, int), void* context) {
    const Membership& member = membership;
    StandingTeam& team = *member.team;
    if (team.threads == 1) return body(context, 0, 1);
    if (member.rows) meet(team);
    try {
        if (threads > 1)
            body(context, member.thread, team.threads);
        else if (member.thread == 0)
            body(context, 0, 1);
    } catch (...) {
        team.keep_error();
    }
    meet(team);
}

// One thread's time in a standing team.
void stand(StandingTeam& team, int thread, void (*body)(void*), void* context) {
    membership = {&team, thread};
    if (team.threads > 1) sharing = {&team.remainders, thread};
    try {
        const FlushDenormals flush;
        body(context);
    } catch (const TeamIsOver&) {
    } catch (...) {
        team.keep_error();
    }
    membership = {};
    sharing = {};
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
        return std::min(cgroup_cpus(), most_threads());
    }();
    if (membership.team) return membership.team->threads;
    if (forked || omp_in_parallel()) return 1;
    const int wanted = limit;
    return std::max(1, std::min({omp_get_max_threads(), quota, wanted > 0 ? wanted : 1 << 16}));
#else
    return 1;
#endif
}

void set_max_threads(int n) { limit = n; }

int64_t set_serial_work(int64_t work) { return serial_work.exchange(work); }

int team_size(int64_t work) {
    const int64_t alone = serial_work;
    const int64_t least = membership.team ? std::min(alone, kSerialWorkOfTeam) : alone;
    return work < least ? 1 : max_threads();
}

void run_team(int threads, void (*body)(void*, int, int), void* context) {
    if (membership.team) return run_in_standing_team(threads, body, context);
#ifdef _OPENMP
    if (threads > 1) {
        team_started = true;
        std::exception_ptr error;
        std::vector<Remainder> remainders{size_t(threads)};
#pragma omp parallel num_threads(threads)
        {
            const int thread = omp_get_thread_num(), all = omp_get_num_threads();
            if (all > 1) sharing = {&remainders, thread};
            try {
                const FlushDenormals flush;
                body(context, thread, all);
            } catch (...) {
#pragma omp critical(fastnn_team_error)
                if (!error) error = std::current_exception();
            }
            sharing = {};
        }
        if (error) std::rethrow_exception(error);
        return;
    }
#endif
    (void)threads;
    const FlushDenormals flush;
    body(context, 0, 1);
}

void run_rows(int64_t rows, int64_t work, void (*body)(void*, int64_t, int64_t), void* context) {
    const auto run_share = [&](int thread, int threads) {
        const Range mine = share(rows, 1, thread, threads);
        if (mine.begin < mine.end) body(context, mine.begin, mine.end);
    };
    StandingTeam* const team = membership.team;
    if (!team)
        return parallel(team_size(work), [&](int thread, int all) { run_share(thread, all); });
    if (team->threads == 1) return run_share(0, 1);
    if (membership.rows && membership.rows != rows) meet(*team);
    membership.rows = rows;
    try {
        run_share(membership.thread, team->threads);
    } catch (...) {
        team->keep_error();
    }
}

int64_t next_sharing() { return sharing.remainders ? ++sharing.number : 0; }

int64_t units_at_once(int64_t work) { return 1 + 2 * serial_work / (work + 1); }

Range take_part(int64_t number, int owner, Range all, int64_t size) {
    Remainder& left = (*sharing.remainders)[size_t(owner)];
    return left.take(number, all, size, owner != sharing.thread);
}

double* shared_sums(double* own) {
    if (!membership.team) return own;
    membership.turn = 1 - membership.turn;
    return membership.team->sums[membership.turn];
}

void run_by_first(void (*body)(void*), void* context) {
    if (membership.thread != 0) return;
    if (!membership.team || membership.team->threads == 1) return body(context);
    try {
        body(context);
    } catch (...) {
        membership.team->keep_error();
    }
}

bool first_of_team() { return membership.thread == 0; }

void run_standing_team(int threads, void (*body)(void*), void* context) {
    std::optional<StandingTeam> team;
#ifdef _OPENMP
    if (threads > 1) {
        team_started = true;
#pragma omp parallel num_threads(threads)
        {
#pragma omp single  // all wait for it: who stands there is known before anyone begins
            team.emplace(omp_get_num_threads());
            stand(*team, omp_get_thread_num(), body, context);
        }
    }
#endif
    if (!team) {
        team.emplace(1);
        stand(*team, 0, body, context);
    }
    if (team->error) std::rethrow_exception(team->error);
}

}  // namespace fastnn
