"""Proofs of what docs/reliability.md promises, each a module with `TIMES`, `SHORT` and `prove`.

`prove(times)` does what its first line says so many times and returns the figures it found; what
breaks the promise is an AssertionError. One with `available` says where it can run. pytest runs
each `SHORT` times (test_reliability.py), and `python tests/reliability/run.py` in full.

`SUITES` are tests of the suite itself, run for their figures.
"""

PROOFS = ("determinism", "predictions", "splits", "kills", "syscalls", "disks", "flips",
          "forks", "quotas", "interrupts", "denormals", "soak")  # fmt: skip
SUITES = ("inputs", "properties")
