"""No more threads run than the processor quota of the control group lets, of either version."""

import subprocess
import sys
from pathlib import Path

from support import environment

TIMES, SHORT = 1, 1
V2, V1, PERIOD = "cpu.max", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"
ASKED = 8  # by OMP_NUM_THREADS; what is no quota leaves them all

# what stands in which files, and how many threads there may be
QUOTAS: list[tuple[dict[str, str], int]] = [
    ({V2: "max 100000"}, ASKED),
    ({V2: "100000 100000"}, 1),
    ({V2: "50000 100000"}, 1),
    ({V2: "250000 100000"}, 3),
    ({V2: "300000 100000"}, 3),
    ({V2: "9" * 30 + " 100000"}, ASKED),
    ({V2: ""}, ASKED),
    ({V2: "abc"}, ASKED),
    ({V2: "100000"}, ASKED),
    ({V2: "100000 0"}, ASKED),
    ({V2: "-1 100000"}, ASKED),
    ({V2: "nan 100000"}, ASKED),
    ({V1: "-1", PERIOD: "100000"}, ASKED),
    ({V1: "200000", PERIOD: "100000"}, 2),
    ({V1: "200000"}, ASKED),
    ({V1: "abc", PERIOD: "100000"}, ASKED),
    ({}, ASKED),
]


def available() -> bool:
    """Whether this process may have file systems of its own."""
    return _in_group({}, ["true"]).returncode == 0


def prove(times: int) -> dict[str, object]:
    """Ask for the number of threads under each quota."""
    for files, expected in QUOTAS * times:
        code = "import fastnn; print(fastnn.get_num_threads())"
        done = _in_group(files, [sys.executable, "-c", code])
        assert (done.returncode, done.stdout.strip()) == (0, str(expected)), (files, done.stderr)
    return {"quotas": len(QUOTAS) * times}


def _in_group(files: dict[str, str], command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command where the control group says this."""
    lines = ["mount -t tmpfs tmpfs /sys/fs/cgroup", "mkdir /sys/fs/cgroup/cpu"]
    lines += [f"echo '{text}' > /sys/fs/cgroup/{name}" for name, text in files.items()]
    script = " && ".join([*lines, 'exec "$@"'])
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *command],
        env=environment(OMP_NUM_THREADS=str(ASKED)), cwd=Path(__file__).parent,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
