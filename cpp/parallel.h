// The only way to threads: teams that carry exceptions out and never start inside another team.
#pragma once

#include <cstdint>

namespace fastnn {

int max_threads();            // what a large piece of work would use now
void set_max_threads(int n);  // 0 lifts the limit again

// How many threads `work` multiply-adds (or elements of similar cost) are worth. One inside a
// team, in a forked child whose parent had workers, and below the serial limit.
int team_size(int64_t work);

// A second thread costs 0.5 us where it is awake and some 40 where it sleeps, and what it wrote
// lies in another core's cache; 128k multiply-adds take a core about 1.5 us. Tests set 0 to see
// teams at any size.
constexpr int64_t kSerialWork = 128 * 1024;
// The threads of a standing team are awake, and meet whether the work is shared or not.
constexpr int64_t kSerialWorkOfTeam = 8 * 1024;
// An element of a pass over memory counts for eight: 0.1 to 0.5 ns from L2 or L3 against 0.01.
constexpr int64_t kElementCost = 8;
int64_t set_serial_work(int64_t work);  // returns the limit before

// Runs body(context, thread, threads) once in each thread of a team of at most `threads`. The
// first exception is rethrown here after all have ended. Denormals are zero inside.
//
// In a standing team all threads come here together: each takes its part of the body and leaves
// when all have done theirs.
void run_team(int threads, void (*body)(void*, int, int), void* context);

// Runs body(context) in each of `threads` threads, which stay together until it ends: teams that it
// asks for are made of them, at the price of a barrier (0.2 us) instead of a fork and a join. What
// depends on the thread is left to those teams, so all take the same way through the body. With one
// thread, teams are of one. An exception leaves the body of all threads where they meet next.
void run_standing_team(int threads, void (*body)(void*), void* context);

// Runs body(context, begin, end) once in each thread of a team, each with its share of `rows` rows
// of a batch, which are its own: the body reads and writes no others. So the threads of a standing
// team need not wait for each other from one such call to the next over as many rows, which find
// what they left for themselves; all meet before anything else is done.
void run_rows(int64_t rows, int64_t work, void (*body)(void*, int64_t, int64_t), void* context);

// Runs body(context) in the first thread of a standing team, while the others go on: what it leaves
// is theirs to read once all have met in the next team, where an exception ends them too. It may
// come before all have met after run_rows, so it reads no rows of theirs.
void run_by_first(void (*body)(void*), void* context);

struct Range {
    int64_t begin, end;
};

// A number that the threads of a team have in common until the next call. 0: there are none to
// share with.
int64_t next_sharing();

// How many units of `work` multiply-adds each a thread takes at a time: twice the serial limit,
// some microseconds' worth.
int64_t units_at_once(int64_t work);

// Up to `size` of what is left of a thread's share, `all`, in this sharing: the first where it is
// the caller's own, else the last. Empty when nothing is left. Units are fewer than kMostUnits.
constexpr int64_t kMostUnits = 1 << 24;
Range take_part(int64_t sharing, int owner, Range all, int64_t size);

// Where the threads of a team leave up to kSharedSums sums for each other: `own` of the one thread
// that goes on, or in a standing team, where all of them do, memory of the team.
constexpr int kSharedSums = 64;
double* shared_sums(double* own);

// Whether this is the thread that made the standing team.
bool first_of_team();

namespace {

template <class Body>
void parallel(int threads, Body&& body) {
    run_team(
        threads, [](void* b, int thread, int team) { (*static_cast<Body*>(b))(thread, team); },
        &body);
}

template <class Body>
void standing_team(int threads, Body& body) {
    run_standing_team(threads, [](void* b) { (*static_cast<Body*>(b))(); }, &body);
}

// body() in one thread of a standing team, while the others wait.
template <class Body>
void single(Body&& body) {
    parallel(1, [&](int, int) { body(); });
}

// body() in the first thread of a standing team, without a barrier.
template <class Body>
void by_first(Body&& body) {
    run_by_first([](void* b) { (*static_cast<Body*>(b))(); }, &body);
}

// Share `part` of `parts` of n items, cut at multiples of `grain`.
inline Range share(int64_t n, int64_t grain, int part, int parts) {
    const int64_t grains = (n + grain - 1) / grain;
    const int64_t begin = grains * part / parts * grain, end = grains * (part + 1) / parts * grain;
    return {begin < n ? begin : n, end < n ? end : n};
}

// body(begin, end) over [0, n), cut at multiples of `grain`. `cost` is the work of one item.
template <class Body>
void parallel_for(int64_t n, int64_t grain, int64_t cost, Body&& body) {
    parallel(team_size(n * cost), [&](int thread, int threads) {
        const Range mine = share(n, grain, thread, threads);
        if (mine.begin < mine.end) body(mine.begin, mine.end);
    });
}

// body(part) over one thread's share of the `n` units of work of its team, share_of(thread): `size`
// at a time, from the first on, and when that is done over what others have left of theirs. A core
// of a shared machine is held up now and then, and not both at once: without help each of two
// threads waited for the other during 10 to 20 % of a training of 784-512-512-10.
template <class ShareOf, class Body>
void each_part(int thread, int threads, int64_t n, int64_t size, ShareOf share_of, Body body) {
    const bool many = threads > 1 && n > size * threads && n < kMostUnits;
    const int64_t sharing = many ? next_sharing() : 0;
    for (int i = 0; i < (sharing ? threads : 1); ++i) {
        const int owner = (thread + i) % threads;
        const Range all = share_of(owner);
        Range part = sharing ? take_part(sharing, owner, all, size) : all;
        while (part.begin < part.end) {
            body(part);
            part = sharing ? take_part(sharing, owner, all, size) : Range{};
        }
    }
}

// body(begin, end) over the rows of a batch, as run_rows does. `cost` is the work of one row.
template <class Body>
void parallel_rows(int64_t rows, int64_t cost, Body&& body) {
    run_rows(
        rows, rows * cost,
        [](void* b, int64_t begin, int64_t end) { (*static_cast<Body*>(b))(begin, end); }, &body);
}

}  // namespace
}  // namespace fastnn
