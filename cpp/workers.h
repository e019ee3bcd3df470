// Threads that take parts of the callers' work: one set of them for all callers, never ended.
//
// Of our own, not OpenMP's. libgomp's spin for each other without a look at where they are. On a
// virtual machine of two CPUs the kernel left both threads of a team on one after a pause, where
// each spun for most of a millisecond before it let the other run: products of 100 x 100 x 100 took
// 600 to 1000 us instead of 15, one call after another, after 37 of 40 pauses of 0.3 s. Each thread
// that calls gets a set of its own there, and a thread that cannot be started ends the process.
#pragma once

#include <vector>

#include "cpus.h"

namespace fastnn {

class Worker;

// Whether this thread would get workers now: not inside work that is shared already, nor in a
// forked child of a process that had some.
bool may_have_workers();

// The caller, thread 0, and the workers that it has until it ends.
class Crew {
  public:
    // As many threads as are wanted or fewer: others may have the workers, or the system starts no
    // more.
    explicit Crew(int wanted);
    ~Crew();
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    int threads() const { return 1 + int(workers_.size()); }

    // Runs body(context, thread, threads) for each thread; returns when all have ended. The body
    // throws nothing. The caller also does what no worker has begun when it is done with its own,
    // unless they go together: then each has a thread of its own, for they wait for each other.
    void run(bool together, void (*body)(void*, int, int), void* context);

    // For threads that go together: says where this one is; whether another is there too, as far as
    // is known, so that this one should sleep where it waits for it; and moves one of the two, if
    // there are CPUs for all.
    void stand(int thread);
    bool crowded(int thread);
    void spread(int thread);

  private:
    Place& place(int thread);

    std::vector<Worker*> workers_;
    Place caller_;
};

}  // namespace fastnn
