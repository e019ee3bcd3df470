"""What programs ask of `torch.cuda` before they settle for the CPU: there is no GPU here."""

from __future__ import annotations

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all",
           "synchronize"]  # fmt: skip


def is_available() -> bool:
    """False: fastnn runs on the CPU.

    >>> import fastnn
    >>> "cuda" if fastnn.cuda.is_available() else "cpu"
    'cpu'
    """
    return False


def device_count() -> int:
    """0: there is no GPU here."""
    return 0


def manual_seed(seed: int) -> None:
    """Do nothing, as PyTorch does without a GPU; `fastnn.manual_seed` seeds everything."""


def manual_seed_all(seed: int) -> None:
    """Do nothing, as PyTorch does without a GPU; `fastnn.manual_seed` seeds everything."""


def synchronize() -> None:
    """Do nothing: every operation is done when it returns."""


def empty_cache() -> None:
    """Do nothing: there is no cache."""
