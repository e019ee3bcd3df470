"""Environments that a process may find itself in; `test_environment.py` runs one program in each.

Rows have the ids of the failure class M, and a name.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Environment:
    """Where the program runs.

    Attributes:
        variables: Of the environment; None for one that is taken away.
        flags: Of Python.
        shell: What the shell does before Python starts.
        first: Python code before fastnn is imported.
        then: Python code after that, before the program.
        sanitized: Whether AddressSanitizer can live there.
    """

    variables: dict[str, str | None] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    shell: str = ":"
    first: str = ""
    then: str = ""
    sanitized: bool = True


def _openmp(**variables: str) -> Environment:
    return Environment({f"OMP_{name}": value for name, value in variables.items()})


_FLUSH = """
import ctypes
registers = (ctypes.c_uint32 * 64)()
libm = ctypes.CDLL(None)
libm.fegetenv(registers)
registers[7] |= 0x8040  # MXCSR: denormals are zero, going in and coming out
libm.fesetenv(registers)
"""
UPWARD = Environment(first="import ctypes; ctypes.CDLL(None).fesetround(0x800)")  # M37
_HANDLER = "import signal; signal.signal(signal.SIGINT, lambda *_: None)"
_BESIDE = """
import shutil, sys, tempfile, pathlib, importlib.util
beside = pathlib.Path(tempfile.mkdtemp())
core = importlib.util.find_spec("fastnn._core").origin
shutil.copy(core, beside)
sys.path.append(str(beside))
"""

ENVIRONMENTS = {
    "M01 OMP_NUM_THREADS=0": _openmp(NUM_THREADS="0"),
    "M02 OMP_NUM_THREADS=-1": _openmp(NUM_THREADS="-1"),
    "M03 OMP_NUM_THREADS=abc": _openmp(NUM_THREADS="abc"),
    "M03 OMP_NUM_THREADS empty": _openmp(NUM_THREADS=""),
    # This once overflowed the stack.
    "M04 OMP_NUM_THREADS=100000": _openmp(NUM_THREADS="100000"),
    "M04 OMP_NUM_THREADS of 20 digits": _openmp(NUM_THREADS="9" * 20),
    "M05 OMP_NUM_THREADS=4,3,2": _openmp(NUM_THREADS="4,3,2"),
    "M06 OMP_THREAD_LIMIT=1": _openmp(NUM_THREADS="4", THREAD_LIMIT="1"),
    "M06 OMP_THREAD_LIMIT=2": _openmp(NUM_THREADS="4", THREAD_LIMIT="2"),
    "M07 OMP_DYNAMIC=true": _openmp(NUM_THREADS="4", DYNAMIC="true"),
    "M08 OMP_PROC_BIND=close": _openmp(NUM_THREADS="3", PROC_BIND="close", WAIT_POLICY="passive"),
    "M09 OMP_STACKSIZE=16k": Environment(
        {"OMP_NUM_THREADS": "3", "OMP_STACKSIZE": "16k"}, sanitized=False),
    "M10 one CPU": Environment(first="import os; os.sched_setaffinity(0, {0})"),
    "M15 4 GiB of addresses": Environment(shell="ulimit -v 4194304", sanitized=False),
    "M16 a stack of 256 KiB": Environment(shell="ulimit -s 256", sanitized=False),
    "M17 5 files open": Environment(shell="ulimit -n 5", sanitized=False),
    "M18 no HOME": Environment({"HOME": None}),
    "M18 a HOME that is not there": Environment({"HOME": "/nonexistent"}),
    "M19 no folder to be in": Environment(
        shell="folder=$(mktemp -d) && cd $folder && rmdir $folder"),
    "M20 TMPDIR that is not there": Environment({"TMPDIR": "/nonexistent"}),
    "M21 LC_ALL=tr_TR.UTF-8": Environment({"LC_ALL": "tr_TR.UTF-8"}),
    "M21 LC_ALL=de_DE.UTF-8": Environment({"LC_ALL": "de_DE.UTF-8"}),
    "M21 LC_ALL=C": Environment({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "M22 python -O": Environment(flags=("-O",)),
    "M22 python -OO": Environment(flags=("-OO",)),
    "M23 python -W error": Environment(flags=("-W", "error")),
    "M24 python -X dev": Environment(flags=("-X", "dev", "-W", "error")),
    "M25 PYTHONMALLOC=debug": Environment({"PYTHONMALLOC": "debug"}),
    "M26 PYTHONHASHSEED=1": Environment({"PYTHONHASHSEED": "1"}),
    "M26 PYTHONHASHSEED=2": Environment({"PYTHONHASHSEED": "2"}),
    "M31 scikit-learn first": Environment(first="import sklearn.neural_network"),
    "M31 scikit-learn after it": Environment(then="import sklearn.neural_network"),
    "M36 denormals flushed already": Environment(first=_FLUSH),
    # Invalid operations, divisions by zero and overflows; exp underflows wherever it is used.
    "M38 floating-point exceptions that trap": Environment(
        then="import ctypes; ctypes.CDLL(None).feenableexcept(0x0D)"),
    "M39 SIGINT ignored": Environment(shell="trap '' INT"),
    "M40 a handler of SIGINT": Environment(first=_HANDLER),
    "M41 a hook at forks": Environment(first="import os; os.register_at_fork(before=lambda: None)"),
    "M42 no standard output": Environment(shell="exec 3>&1 >&-"),
    "M43 variables of MPI": Environment({
        "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "PMI_RANK": "1", "PMI_SIZE": "4",
    }),
    "M44 another core on the path": Environment(first=_BESIDE),
}  # fmt: skip
