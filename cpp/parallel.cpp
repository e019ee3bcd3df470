#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "cpus.h"
#include "denormals.h"
#include "waiting.h"
#include "workers.h"

namespace fastnn {
namespace {

std::atomic<int> limit{0};  // of set_max_threads; 0: none
std::atomic<int64_t> serial_work{kSerialWork};

// More threads than this help nobody, and OMP_NUM_THREADS may be any number: with 100,000 a
// training ended in a segmentation fault.
int most_threads() { return std::max(64, 4 * int(std::thread::hardware_concurrency())); }

// Where the threads of a standing team meet.
class Meeting {
  public:
    explicit Meeting(Crew& crew) : crew_(crew) {}

    // Waits until all threads are here; the last to come calls `last` before any goes on. A thread
    // is awake for a while, unless another is on its CPU, and then sleeps. Where it may have woken
    // beside another, one of them moves: steps of 100-100-100-10 by two threads on one CPU took
    // three times as long, one epoch after another, as each slept until the other gave it up.
    template <class Last>
    void wait(int thread, Last last) {
        const unsigned round = round_.load(std::memory_order_relaxed);
        crew_.stand(thread);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) == crew_.threads() - 1) {
            last();
            arrived_.store(0, std::memory_order_relaxed);
            round_ = round + 1;
            sleep_.wake();
            return;
        }
        const auto over = [&] { return round_ != round; };
        if (look_out(kLongest, over, [&] { return crew_.crowded(thread); })) return;
        sleep_.until(over);
        if (crew_.crowded(thread)) crew_.spread(thread);
    }

  private:
    static constexpr std::chrono::microseconds kLongest{300};
    Crew& crew_;
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<unsigned> round_{0};
    Sleep sleep_;
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

// The first error of some threads.
class Errors {
  public:
    void keep() {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!first_) first_ = std::current_exception();
    }
    // Once all those threads have met.
    bool any() const { return bool(first_); }
    void rethrow() const {
        if (first_) std::rethrow_exception(first_);
    }

  private:
    std::mutex mutex_;
    std::exception_ptr first_;
};

struct StandingTeam {
    StandingTeam(Crew& crew, void (*body)(void*), void* context)
        : threads(crew.threads()),
          body(body),
          context(context),
          meeting(crew),
          remainders(size_t(threads)) {}
    const int threads;
    void (*const body)(void*);
    void* const context;
    Meeting meeting;
    std::vector<Remainder> remainders;  // of each thread's share
    Errors errors;
    bool over = false;  // as of the last meeting: all threads see the same
    // Two take turns: who is late still reads the one while others write the other, and nobody
    // writes the first again before all have met.
    double sums[2][kSharedSums];

    void stand(int thread);  // one thread's time in it
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
    team.meeting.wait(membership.thread, [&] { team.over = team.errors.any(); });
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
        team.errors.keep();
    }
    meet(team);
}

void StandingTeam::stand(int thread) {
    membership = {this, thread};
    if (threads > 1) sharing = {&remainders, thread};
    try {
        const FlushDenormals flush;
        body(context);
    } catch (const TeamIsOver&) {
    } catch (...) {
        errors.keep();
    }
    membership = {};
    sharing = {};
}

// A team that is not: each thread runs the body and is done.
struct Team {
    void (*body)(void*, int, int);
    void* context;
    std::vector<Remainder> remainders;
    Errors errors;

    void run(int thread, int threads) {
        if (threads > 1) sharing = {&remainders, thread};
        try {
            const FlushDenormals flush;
            body(context, thread, threads);
        } catch (...) {
            errors.keep();
        }
        sharing = {};
    }
};

}  // namespace

int max_threads() {
    static const int most = std::min(cpu_quota(), most_threads());
    if (membership.team) return membership.team->threads;
    if (!may_have_workers()) return 1;
    const int wanted = limit;
    return std::max(1, std::min({allowed_threads(), most, wanted > 0 ? wanted : 1 << 16}));
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
    if (threads <= 1) {
        const FlushDenormals flush;
        return body(context, 0, 1);
    }
    Crew crew(threads);
    Team team{body, context, std::vector<Remainder>(size_t(crew.threads())), {}};
    crew.run(
        false, [](void* t, int thread, int all) { static_cast<Team*>(t)->run(thread, all); },
        &team);
    team.errors.rethrow();
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
        team->errors.keep();
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
        membership.team->errors.keep();
    }
}

bool first_of_team() { return membership.thread == 0; }

void run_standing_team(int threads, void (*body)(void*), void* context) {
    Crew crew(threads);
    StandingTeam team(crew, body, context);
    crew.run(
        true, [](void* t, int thread, int) { static_cast<StandingTeam*>(t)->stand(thread); },
        &team);
    team.errors.rethrow();
}

}  // namespace fastnn
