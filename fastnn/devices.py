"""Where tensors are: on the CPU; and what programs say about devices, so that they run."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Device", "real_dtype", "target"]


class Device:
    """The CPU (`torch.device`).

    Args:
        type: "cpu", or "cpu:0".
        index: 0 or none.

    Raises:
        ValueError: for any other device.

    >>> import fastnn
    >>> fastnn.device("cuda" if fastnn.cuda.is_available() else "cpu")
    device(type='cpu')
    """

    __slots__ = ()
    type = "cpu"
    index = None

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        here = isinstance(type, Device) or type in ("cpu", "cpu:0")
        if not here or index not in (None, 0):
            raise ValueError(f"fastnn runs on the CPU: expected device 'cpu', got {type!r}; "
                             "fastnn.set_num_threads(n) says on how many of its cores")  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device)

    def __hash__(self) -> int:
        return hash("cpu")

    def __str__(self) -> str:
        return "cpu"

    def __repr__(self) -> str:
        return "device(type='cpu')"


def target(who: str, *args: Any, **kwargs: Any) -> np.dtype[Any] | None:
    """The type that `to(dtype)`, `to(device, dtype)` or `to(other)` ask for; `None` for no other.

    Raises:
        ValueError: for another device than the CPU.
        TypeError: for what is neither a device nor a type.
    """
    unknown = kwargs.keys() - {"device", "dtype", "non_blocking", "copy", "memory_format"}
    if unknown:
        raise TypeError(f"{who}: got an unexpected keyword {min(unknown)!r}")
    kind = None
    for given in (*args, kwargs.get("device"), kwargs.get("dtype")):
        if given is None or isinstance(given, bool | Device):  # a bool is non_blocking or copy
            continue
        if hasattr(given, "_array"):  # a tensor
            kind = given.dtype
        elif isinstance(given, str) and given.partition(":")[0] in _ELSEWHERE:
            Device(given)
        else:
            kind = real_dtype(who, given, "a dtype such as fastnn.float32 or the device 'cpu'")
    return kind


_ELSEWHERE = ("cpu", "cuda", "mps", "xpu", "hip", "meta", "xla", "hpu", "npu")


def real_dtype(
    who: str, given: Any, wanted: str = "a dtype such as fastnn.float32"
) -> np.dtype[Any]:
    """The type that `given` names, of numbers that there are kernels for, in native byte order.

    Raises:
        TypeError: if it names none, or another one.

    >>> real_dtype("to", "float64")
    dtype('float64')
    """
    if isinstance(given, str) and given == "a":
        given = "S"  # bytes by their old name, of which NumPy warns
    try:
        # from the class: NumPy's own object, and native; of another that is equal to it NumPy makes
        # views where an array of its own would be passed on
        kind: np.dtype[Any] = np.dtype(np.dtype(given).type)
    except (TypeError, DeprecationWarning):  # the latter of "a5", where warnings are errors
        raise TypeError(f"{who}: expected {wanted}, got {given!r:.60}") from None
    if kind.kind not in "fiub" or kind == np.float16 or kind.itemsize > 8:
        raise TypeError(f"{who}: expected a type of real numbers of at most 64 bits, and of 32 or "
                        f"64 with a point, got {kind}")  # fmt: skip
    return kind
