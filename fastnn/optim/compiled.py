"""An optimizer's step as a compiled training step takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from fastnn.optim.optimizer import Optimizer

__all__ = ["CompiledRule", "CompiledUpdate"]


class CompiledRule(NamedTuple):
    """Which rule it is, by the names of `_core`.

    Attributes:
        kind: "sgd", "adam", "adagrad" or "rmsprop".
        states: Names of what it remembers, in the order of the kernel; None for what is not used.
        options: What the kernel is told beside.
    """

    kind: str
    states: tuple[str | None, ...]
    options: dict[str, Any]


class CompiledUpdate(NamedTuple):
    """The part of a step that is one call: parameters that lie together.

    Attributes:
        optimizer: Whose parameters they are.
        group: Their options.
        place: Where they lie in the optimizer's block.
        owners: Their numbers.
        counted: Whether steps count.
    """

    optimizer: Optimizer
    group: dict[str, Any]
    place: slice
    owners: list[int]
    counted: bool

    def arguments(self) -> tuple[Any, ...]:
        """What `Program.optimize` takes.

        Raises:
            NotLowerable: if the options have no compiled form.
        """
        optimizer, rule, place = self.optimizer, self.optimizer.compiled(self.group), self.place
        block, steps = optimizer._block, optimizer._steps[self.owners[0]]
        states = [None if name is None else optimizer._state[name][place] for name in rule.states]
        return rule.kind, block.values[place], block.grads[place], states, steps, rule.options

    def advance(self, steps: int) -> None:
        """So many more steps were made."""
        for i in self.owners:
            self.optimizer._steps[i] += steps * self.counted
