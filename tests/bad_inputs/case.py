"""A row: what is done, and how it must end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bad_inputs.world import World

Call = Callable[[World], Any]

# No call ends in another kind of exception, except by way of a callback's or data set's own.
CLOSED_LIST = (TypeError, ValueError, IndexError, OverflowError, ArithmeticError, OSError,
               MemoryError, KeyboardInterrupt, RuntimeError, AttributeError)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A call that must fail, or one that must give what another gives.

    Attributes:
        name: What is wrong, after the number of the kind.
        call: What is done in a new world.
        error: The exception, None where the call is right.
        says: What its message must say: whose argument, what was expected, what came.
        same: The call whose result it must have, to the last bit; in a world of its own.
        warns: What a warning says, where one is promised.
    """

    name: str
    call: Call
    error: type[Exception] | None = None
    says: str = ""
    same: Call | None = None
    warns: str = ""


def bad(name: str, call: Call, error: type[Exception], says: str) -> Case:
    """A call that must fail."""
    assert issubclass(error, CLOSED_LIST)
    return Case(name, call, error, says)


def fine(name: str, call: Call, same: Call, warns: str = "") -> Case:
    """An unusual call that must give what a usual one gives."""
    return Case(name, call, same=same, warns=warns)
