"""Changes files and has them read, and keeps those that end in a way not seen before.

A way to end is what the target says of a file it read, or the exception with the lines of code it
came through. That guides nearly as coverage does, and costs a microsecond instead of most of the
time; `guided.py` has coverage.
"""

import hashlib
import mmap
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from fuzz import limits
from fuzz.mutate import change_bytes, splice

CORPUS = Path(__file__).parent.parent / "corpus"
_LARGEST_POOL, _MOST_FINDS = 2000, 20


@dataclass
class Figures:
    """What a run has come to."""

    executions: int = 0
    read: int = 0
    refused: int = 0
    ways: set[Any] = field(default_factory=set)
    last_new: int = 0  # the execution that ended in a way not seen before
    finds: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    grown: int = 0  # bytes of memory at most, beyond those held at the start

    def table(self) -> dict[str, Any]:
        return {
            "executions": self.executions, "read": self.read, "refused": self.refused,
            "ways to end": len(self.ways), "last new way at": self.last_new, "finds": self.finds,
            "MiB more at most": round(self.grown / 2**20, 1), "seconds": round(self.seconds, 1),
        }  # fmt: skip


def corpus(name: str) -> list[Path]:
    """The files that are kept of a target."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())


def attempt(target: ModuleType, content: bytes) -> tuple[bool, Any]:
    """Whether the target reads a file, and in which way that ends; what is wrong is raised."""
    try:
        limits.start()
        try:
            value = target.read(content)
        except target.ALLOWED as error:
            return False, (type(error).__name__, *_lines(error))
        return True, target.verify(content, value)
    finally:
        limits.stop()


def _lines(error: BaseException) -> Iterator[int]:
    step = error.__traceback__
    while step is not None:
        yield step.tb_lineno
        step = step.tb_next


class Fuzzer:
    """The state of one run over one target.

    Args:
        name: Of the target.
        target: Its module.
        keep: Where to write what is found.
        last: Memory that outlives the process, for the file that it died of.
    """

    def __init__(
        self, name: str, target: ModuleType, keep: Path, last: mmap.mmap | None = None
    ) -> None:
        self.name, self.target, self.keep, self.last = name, target, keep, last
        self.figures = Figures()
        self.pools: dict[bool, list[bytes]] = {True: [], False: []}  # read, and refused
        self.before = limits.peak()

    def execute(self, content: bytes) -> None:
        """Read one file, and see whether it is news."""
        figures = self.figures
        if self.last is not None:
            self.last[: 8 + len(content)] = len(content).to_bytes(8, "little") + content
        figures.executions += 1
        try:
            was_read, way = attempt(self.target, content)
            if limits.peak() > self.before + limits.BYTES:
                raise MemoryError(f"more than {limits.BYTES >> 20} MiB")
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._find(content, error)
            return
        figures.read += was_read
        figures.refused += not was_read
        if way not in figures.ways:
            figures.ways.add(way)
            figures.last_new = figures.executions
            if len(self.pools[was_read]) < _LARGEST_POOL:
                self.pools[was_read].append(content)

    def checkpoint(self) -> None:
        """What need not be looked at each time."""
        limits.watch()
        self.figures.grown = limits.peak() - self.before

    def changed(self, chance: random.Random) -> bytes:
        """Another file, made of one or two that are known."""
        content = self._known(chance)
        if chance.random() < self.target.BLUNT / 4:
            content = splice(content, self._known(chance), chance)
        for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
            change = change_bytes if chance.random() < self.target.BLUNT else self.target.change
            content = change(content, chance)
        return content

    def _known(self, chance: random.Random) -> bytes:
        """Mostly a file that was read: what is refused early hides what comes later."""
        pool = self.pools[chance.random() < 0.8]
        return chance.choice(pool or self.pools[True] or self.pools[False])

    def _find(self, content: bytes, error: BaseException) -> None:
        way = f"{type(error).__name__} {tuple(_lines(error))[1:]}"
        if way in self.figures.finds or len(self.figures.finds) >= _MOST_FINDS:
            return
        self.figures.finds[way] = f"{type(error).__name__}: {error!s:.300}"
        self.keep.mkdir(parents=True, exist_ok=True)
        path = self.keep / f"find-{hashlib.sha256(content).hexdigest()[:12]}"
        path.write_bytes(content)
        print(f"{self.name}: FOUND {path}: {self.figures.finds[way]}", flush=True)


@contextmanager
def ready() -> Iterator[None]:
    """Warnings as errors, as pytest has them, and a clock that counts."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limits.arm()
        try:
            yield
        finally:
            limits.unwatch()


def fuzz(fuzzer: Fuzzer, seed: int, enough: Callable[[Figures], bool]) -> Figures:
    """Run until it is enough; one seed gives the same files in the same order."""
    chance, figures = random.Random(f"{fuzzer.name} {seed}"), fuzzer.figures
    start = time.monotonic()
    with ready():
        for path in corpus(fuzzer.name):
            fuzzer.execute(path.read_bytes())
        with limits.limited_memory():  # after what is imported late
            while not enough(figures):
                fuzzer.checkpoint()
                for _ in range(100):
                    fuzzer.execute(fuzzer.changed(chance))
                figures.seconds = time.monotonic() - start
    return figures
