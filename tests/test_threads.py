"""Threads: the same bits at any number of them, errors carried out, forks, limits, FPU mode."""

import ctypes
import os
import platform
import signal
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import force_threads, fpu_mode, mlp, run_python, state_bits

import fastnn
from fastnn import _core, nn, optim
from fastnn.nn import functional as F

TEAMS = (1, 2, 3, 7)
FORK_SECONDS = 60  # far more than a child needs; a hang would last for ever


def train(optimizer: str = "Adam", steps: int = 30, dtype: Any = np.float32) -> bytes:
    """All bits of an odd-sized network after some steps on batches of 37."""
    model = mlp(19, 33, 17, 5, seed=3).to(dtype)
    rule = (
        optim.Adam(model.parameters(), lr=0.01)
        if optimizer == "Adam"
        else optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    )
    rng = np.random.default_rng(0)
    for _ in range(steps):
        x = rng.standard_normal((37, 19)).astype(dtype)
        rule.zero_grad()
        F.cross_entropy(model(x), rng.integers(0, 5, 37)).backward()
        rule.step()
    return state_bits(model)


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_does_not_depend_on_threads(
    isa: str, threads: Callable[[int], None], optimizer: str, dtype: Any
) -> None:
    results = set()
    for team in (*TEAMS, *TEAMS):
        threads(team)
        results.add(train(optimizer, dtype=dtype))
    assert len(results) == 1


def test_training_depends_on_the_data(threads: Callable[[int], None]) -> None:
    """The hash above is not that of a network that never moves."""
    threads(2)
    assert len({train(steps=n) for n in (0, 1, 29, 30)}) == 4


def test_trainer_does_not_depend_on_threads(isa: str, threads: Callable[[int], None]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((101, 7)).astype(np.float32), rng.integers(0, 3, 101)
    results = set()
    for team in TEAMS:
        threads(team)
        model = mlp(7, 11, 3)
        trainer = fastnn.Trainer(
            model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.01)
        )
        history = trainer.fit((x, y), epochs=2, batch_size=37, verbose=0)
        results.add((state_bits(model), tuple(history.loss)))
    assert len(results) == 1


def test_work_below_the_limit_stays_on_one_thread() -> None:
    """And at the default limit the bits are those of any team."""
    default = _core.set_serial_work(0)
    assert _core.set_serial_work(default) == 0
    assert default > 0
    fastnn.set_num_threads(3)
    serial = train()
    force_threads(3)
    assert train() == serial


# --- errors ---


@pytest.mark.parametrize("team", [1, 2, 7])
def test_an_exception_in_a_team_arrives(team: int) -> None:
    for _ in range(3):
        with pytest.raises(RuntimeError, match="raised in a team"):
            _core.raise_in_team(team)
    force_threads(team)
    assert train(steps=2) == train(steps=2)


# --- fork ---


def in_child(work: Callable[[], bytes]) -> bytes:
    """The result of `work` in a forked child, which must end in time."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # "may lead to deadlocks": not here
        child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(FORK_SECONDS)
            os.close(reader)
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(work())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        result = pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return result


def test_a_forked_child_trains_alone_and_gives_the_same_bits() -> None:
    force_threads(3)
    expected = train()

    def work() -> bytes:
        assert fastnn.get_num_threads() == 1
        return train()

    assert in_child(work) == expected
    assert in_child(lambda: in_child(work)) == expected
    assert fastnn.get_num_threads() == 3  # the parent keeps its team
    assert train() == expected


def test_a_child_forked_before_any_team_may_have_one() -> None:
    code = """
import os, fastnn
from fastnn import _core
fastnn.set_num_threads(3)
child = os.fork()
if child == 0:
    try:
        _core.raise_in_team(3)
    except RuntimeError:
        os._exit(fastnn.get_num_threads())
    os._exit(99)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    run = run_python(code, OMP_NUM_THREADS="8")
    assert (run.returncode, run.stdout.strip()) == (0, "3"), run.stderr


# --- the threads themselves ---

WORK = """
import os, threading, time
import numpy as np
import fastnn
from fastnn import _core

def tasks():
    return set(map(int, os.listdir("/proc/self/task")))

a = np.arange(10000, dtype=np.float32).reshape(100, 100) % 7
exact = a @ a

def product(threads):
    fastnn.set_num_threads(threads)
    out = np.empty_like(a)
    _core.gemm(out, a, a)
    assert (out == exact).all()

before = tasks()
"""


def in_process(code: str) -> str:
    run = run_python(WORK + code, OMP_NUM_THREADS="8")
    assert run.returncode == 0, run.stderr
    return str(run.stdout).strip()


def test_all_callers_share_the_same_threads() -> None:
    code = """
def many():
    for _ in range(50):
        product(3)

callers = [threading.Thread(target=many) for _ in range(4)]
for caller in callers: caller.start()
for caller in callers: caller.join()
ended = {caller.native_id for caller in callers}  # for Python: the system may be at it still
print(len(tasks() - before - ended))
"""
    assert in_process(code) == "2"


def test_threads_that_cannot_be_started_are_done_without() -> None:
    code = """
import resource
if os.getuid() == 0:
    os.setuid(65534)  # the limit does not hold for root
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
product(3)
print(len(tasks() - before))
"""
    assert in_process(code) == "0"


def test_a_thread_keeps_off_the_cpu_of_its_caller() -> None:
    """Where there are others: two that are awake on one CPU wait for each other in turn."""
    code = """
cpus = os.sched_getaffinity(0)
product(2)
worker, = tasks() - before

def call(cpu, found):
    os.sched_setaffinity(0, {cpu})  # of this thread alone
    end = time.monotonic() + 30
    while len(cpus) > 1 and cpu in os.sched_getaffinity(worker) and time.monotonic() < end:
        time.sleep(0.01)  # until the worker sleeps
        product(2)
    found.append(os.sched_getaffinity(worker) == (cpus - {cpu} or cpus))

found = []
for cpu in sorted(cpus) * 2:
    caller = threading.Thread(target=call, args=(cpu, found))
    caller.start()
    caller.join()
print(all(found))
"""
    assert in_process(code) == "True"


# --- limits ---


@pytest.mark.parametrize("n", [0, -1, -(2**70)])
def test_too_few_threads(n: int) -> None:
    before = fastnn.get_num_threads()
    with pytest.raises(ValueError, match=rf"set_num_threads: expected n >= 1, got {n}"):
        fastnn.set_num_threads(n)
    assert fastnn.get_num_threads() == before


@pytest.mark.parametrize("n", ["2", 2.0, None, [1]])
def test_threads_that_are_no_integer(n: Any) -> None:
    before = fastnn.get_num_threads()
    with pytest.raises(TypeError, match="set_num_threads: expected an integer n, got"):
        fastnn.set_num_threads(n)
    assert fastnn.get_num_threads() == before


def test_more_threads_than_there_are() -> None:
    most = fastnn.get_num_threads()
    for n in (10**6, 2**31, 2**80):
        fastnn.set_num_threads(n)
        assert fastnn.get_num_threads() == most
    fastnn.set_num_threads(np.int64(1))
    assert fastnn.get_num_threads() == 1


SHOW = "import fastnn; print(fastnn.get_num_threads())"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"OMP_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "3,2"}, 3),
        ({"OMP_NUM_THREADS": "4", "FASTNN_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "2", "FASTNN_NUM_THREADS": "4"}, 2),
        ({"OMP_NUM_THREADS": "2", "FASTNN_NUM_THREADS": " 1 "}, 1),
        ({"OMP_NUM_THREADS": "2", "FASTNN_NUM_THREADS": ""}, 2),
        ({"OMP_NUM_THREADS": "2", "FASTNN_NUM_THREADS": "1" + "0" * 30}, 2),
    ],
)
def test_environment(environment: dict[str, str], expected: int) -> None:
    run = run_python(SHOW, **environment)
    assert (run.returncode, run.stdout.strip()) == (0, str(expected)), run.stderr


def test_default_is_the_cores_of_this_process() -> None:
    run = run_python("import os\n" + SHOW + "\nprint(len(os.sched_getaffinity(0)))")
    ours, cores = map(int, run.stdout.split())
    assert 1 <= ours <= cores


@pytest.mark.parametrize("value", ["abc", "0", "-1", "1.5", "2 threads"])
def test_bad_environment_is_an_error_at_import(value: str) -> None:
    run = run_python(SHOW, FASTNN_NUM_THREADS=value)
    last = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1
    assert last.startswith("ValueError: FASTNN_NUM_THREADS: expected")
    assert value.strip() in last


def test_importing_starts_no_thread() -> None:
    code = """
import os, numpy
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
import fastnn
print(count() - before)
"""
    assert run_python(code).stdout.strip() == "0"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_each_start_method_give_the_same_bits(method: str) -> None:
    code = f"""
import multiprocessing, warnings, test_threads
from support import force_threads
if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    force_threads(2)
    expected = test_threads.train("Adam", 2)
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(pool.starmap(test_threads.train, [("Adam", 2)] * 4) == [expected] * 4)
"""
    run = run_python(code, OMP_NUM_THREADS="2")
    assert (run.returncode, run.stdout.strip()) == (0, "True"), run.stderr


# --- the caller's process stays as it was ---


def test_a_changed_mode_is_seen() -> None:
    """What the check around every test compares does tell: here with upward rounding."""
    libm, before = ctypes.CDLL(None), fpu_mode()
    upward = 0x800 if platform.machine() in ("x86_64", "AMD64") else 0x400000
    assert libm.fesetround(upward) == 0
    try:
        assert fpu_mode() != before
    finally:
        libm.fesetround(0)
    assert fpu_mode() == before


def test_denormals_and_rounding_stay_as_they_were(isa: str) -> None:
    """Importing and training switch no bit of the FPU's mode, in this thread or in the team's."""

    def mode() -> bytes:
        tiny = np.array([1e-310, 3e-308], np.float64) / np.array([2.0, 7.0])
        single = np.array([1e-40, 3e-38], np.float32) / np.array([2, 7], np.float32)
        third = np.array([1.0, -1.0]) / 3
        assert (tiny != 0).all()
        assert (single != 0).all()
        return tiny.tobytes() + single.tobytes() + third.tobytes()

    before = mode()
    for team in (1, 3):
        force_threads(team)
        train(steps=2)
        assert mode() == before


def test_kernels_may_take_denormals_for_zero_but_nothing_larger(isa: str) -> None:
    for team in (1, 3):
        force_threads(team)
        for dtype in (np.float32, np.float64):
            smallest = np.finfo(dtype).tiny
            for value in (smallest / 2, smallest, smallest * 2):
                x, product = np.full((40, 40), value, dtype), np.empty((40, 40), dtype)
                _core.gemm(product, np.eye(40, dtype=dtype), x)
                assert ((product == value) | ((product == 0) & (value < smallest))).all()


def test_denormals_stay_after_an_exception() -> None:
    for team in (1, 3):
        with pytest.raises(RuntimeError, match="raised in a team"):
            _core.raise_in_team(team)
        assert np.array([1e-310]) / 2 != 0
        assert np.array([1e-40], np.float32) / np.float32(2) != 0
