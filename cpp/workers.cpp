#include "workers.h"

#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "waiting.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace fastnn {
namespace {

thread_local bool shares_work = false;
std::atomic<bool> forked{false};  // this is a child of a process that had workers: it has none

struct Part {
    void (*body)(void*, int, int);
    void* context;
    int thread, threads;

    void run() const { body(context, thread, threads); }
};

}  // namespace

// A thread, and the part of some work that it has.
class alignas(64) Worker {
  public:
    Worker() : thread_([this] { work(); }) {}

    // --- for one caller at a time, from reserve() to release() ---
    bool reserve() {
        State free = kFree;
        return state_.compare_exchange_strong(free, kReserved);
    }
    void release() { state_ = kFree; }

    // A worker is not to wake on its caller's CPU: awake there it would hold up the caller, and the
    // kernel is slow to see that another CPU has nothing to do.
    void give(const Part& part) {
        const int here = current_cpu();
        if (given_.has_sleepers() || place_.is(here)) move_off(here, part.threads);
        callers_place_.set(here);
        part_ = part;
        state_ = kGiven;
        given_.wake();
    }

    // Has the caller do the part, if the worker has not begun.
    void take_back() {
        State given = kGiven;
        if (!state_.compare_exchange_strong(given, kRunning)) return;
        part_.run();
        state_ = kDone;
    }

    void finish() {
        const auto done = [&] { return state_ == kDone; };
        if (!look_out(kLongestWait, done, [&] { return place_.is_here(); })) done_.until(done);
    }

    // --- for every thread of a crew ---
    Place& place() { return place_; }
    void move_off(int cpu, int threads) {
        if (cpu == off_ || !keep_off(thread_, cpu, threads)) return;
        off_ = cpu;
        place_.set(-1);
    }

  private:
    enum State { kFree, kReserved, kGiven, kRunning, kDone };

    void work() {
        shares_work = true;
        for (;;) {
            const auto given = [&] { return state_ == kGiven; };
            if (!look_out(kLongestIdle, given, [&] { return callers_place_.is_here(); }))
                given_.until(given);
            State expected = kGiven;
            if (!state_.compare_exchange_strong(expected, kRunning)) continue;
            place_.stand();
            part_.run();
            state_ = kDone;
            done_.wake();
        }
    }

    // Longer than it is from one kernel of a training step to the next, and from step to step.
    static constexpr std::chrono::microseconds kLongestIdle{300};
    // Parts are of one size: the other is about to end, or its CPU is gone.
    static constexpr std::chrono::microseconds kLongestWait{100};

    std::atomic<State> state_{kFree};
    Place place_, callers_place_;
    std::atomic<int> off_{-1};  // the CPU that it is kept off
    Part part_{};
    Sleep given_, done_;
    std::thread thread_;  // the last member, as it uses the others
};

namespace {

// All workers there are: one fewer than any caller wanted threads.
class Pool {
  public:
    Pool() {
#if defined(__unix__) || defined(__APPLE__)
        pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif
    }

    void reserve(size_t wanted, std::vector<Worker*>& workers) {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (Worker* worker : all_)
            if (workers.size() < wanted && worker->reserve()) workers.push_back(worker);
        try {
            while (all_.size() < wanted) {
                all_.reserve(wanted);
                all_.push_back(new Worker);
                if (all_.back()->reserve()) workers.push_back(all_.back());
            }
        } catch (const std::exception&) {  // the system starts no more: fewer will do
        }
    }

  private:
    std::mutex mutex_;
    std::vector<Worker*> all_;
};

// It stays, as its threads may be at work when the process ends.
Pool& pool() {
    static Pool& the = *new Pool;
    return the;
}

}  // namespace

bool may_have_workers() { return !shares_work && !forked; }

Crew::Crew(int wanted) {
    if (wanted <= 1 || !may_have_workers()) return;
    workers_.reserve(size_t(wanted - 1));
    pool().reserve(size_t(wanted - 1), workers_);
}

Crew::~Crew() {
    for (Worker* worker : workers_) worker->release();
}

void Crew::run(bool together, void (*body)(void*, int, int), void* context) {
    if (workers_.empty()) return body(context, 0, 1);
    int thread = 0;
    for (Worker* worker : workers_) worker->give({body, context, ++thread, threads()});
    shares_work = true;
    body(context, 0, threads());
    if (!together)
        for (Worker* worker : workers_) worker->take_back();
    for (Worker* worker : workers_) worker->finish();
    shares_work = false;
}

Place& Crew::place(int thread) { return thread ? workers_[size_t(thread - 1)]->place() : caller_; }

void Crew::stand(int thread) { place(thread).stand(); }

bool Crew::crowded(int thread) {
    const int here = current_cpu();
    for (int other = 0; other < threads(); ++other)
        if (other != thread && place(other).is(here)) return true;
    return false;
}

void Crew::spread(int thread) {
    const int here = current_cpu();
    if (thread) return workers_[size_t(thread - 1)]->move_off(here, threads());
    for (Worker* worker : workers_)
        if (worker->place().is(here)) worker->move_off(here, threads());
}

}  // namespace fastnn
