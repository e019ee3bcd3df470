"""The memory that a training step takes anew once it is warm; prints JSON. Linux with glibc only.

The environment (`workloads/memory.py`) makes malloc map every block of a page or more by itself,
so that each costs page faults whenever it is taken anew, and sends Python's objects through
malloc as well. Two trainings of different length are compared: what one of them takes at its
start or end cancels out.

    python bench/programs/step_memory.py CONTESTANT WIDTH STEPS
"""

from __future__ import annotations

import ctypes
import gc
import json
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import machine
from harness import Entry
from training import contestants
from training.problem import Problem

PR_SET_THP_DISABLE = 41  # <linux/prctl.h>: a fault brings in one page, not a huge one


class Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of <malloc.h>."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )
    ]  # fmt: skip


libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo


def in_use() -> int:
    """Bytes that malloc has given out."""
    info = libc.mallinfo2()
    return int(info.uordblks + info.hblkhd)


def faulted() -> int:
    """Bytes of memory touched for the first time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt * resource.getpagesize()


def measure(entry: Entry) -> tuple[int, int]:
    """Run to warm up, then once more: bytes taken anew, and bytes not given back."""
    entry.prepare()
    for _ in range(2):
        entry.run()
    gc.collect()
    used, before = in_use(), faulted()
    entry.run()
    fresh = faulted() - before
    gc.collect()
    return fresh, in_use() - used


def main() -> None:
    name, width, steps = sys.argv[1], *map(int, sys.argv[2:])
    libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    contestant = getattr(contestants, name)
    short, long = (Problem((784, width, width, 10), 100, n).case("") for n in (steps, 3 * steps))
    answer = contestant.build(long).answer()
    machine.limit_libraries(machine.allowed_threads())
    (fresh, grown), (fresh_long, grown_long) = (
        measure(contestant.build(case)) for case in (short, long)
    )
    values = {"fresh": fresh_long - fresh, "growth": grown_long - grown}
    print(json.dumps({"answer": answer, **{key: v / (2 * steps) for key, v in values.items()}}))


if __name__ == "__main__":
    main()
