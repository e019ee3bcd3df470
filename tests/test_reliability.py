"""The proofs of docs/reliability.md in a short form; `reliability/run.py` has the long one."""

import importlib
import time

import pytest
from reliability import PROOFS, disks, flips, quotas, soak, syscalls

import fastnn

AVAILABLE = {"syscalls": syscalls.available, "disks": disks.available,
             "quotas": quotas.available}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in PROOFS if AVAILABLE.get(n, lambda: True)()])
def test_proof(name: str) -> None:
    proof = importlib.import_module(f"reliability.{name}")
    assert proof.prove(proof.SHORT)


# --- each can fail ---


def test_a_reader_that_takes_anything_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastnn, "load_model", lambda path: None)
    with pytest.raises(AssertionError, match="a damaged file was loaded"):
        flips.prove(1)


def test_a_fault_that_misses_the_save_is_found() -> None:
    syscalls._landed("1 getppid() = 2\n1 fsync(3) = -1 EIO (INJECTED)\n", "fsync")
    with pytest.raises(AssertionError, match="fsync"):
        syscalls._landed("1 fsync(3) = -1 EIO (INJECTED)\n1 getppid() = 2\n", "fsync")


def test_a_descriptor_left_open_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[object] = []
    real = fastnn.load_model

    def leaking(path: object) -> object:
        kept.append(open(__file__))  # noqa: SIM115
        return real(path)  # type: ignore[arg-type]

    monkeypatch.setattr(fastnn, "load_model", leaking)
    with pytest.raises(AssertionError):
        soak.prove(0)
    for file in kept:
        file.close()  # type: ignore[attr-defined]


def test_a_quota_that_is_not_kept_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "QUOTAS", [({quotas.V2: "100000 100000"}, 2)])
    with pytest.raises(AssertionError, match=r"cpu\.max"):
        quotas.prove(1)


def test_random_numbers_by_the_clock_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from reliability import determinism

    monkeypatch.setattr(determinism, "THREADS", (1, 2))
    real = fastnn.manual_seed
    monkeypatch.setattr(fastnn, "manual_seed", lambda seed: real(time.perf_counter_ns()))
    with pytest.raises(AssertionError, match="different ends"):
        determinism.prove(1)
