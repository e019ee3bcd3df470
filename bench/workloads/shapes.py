"""Shapes that nothing was tuned for: odd sizes, a deep narrow net, a large batch."""

from __future__ import annotations

from harness import Group
from training.contestants import fastnn_compiled, fastnn_eager, torch_eager, torch_fused
from training.problem import Problem, check

__all__ = ["CONTESTANTS", "check", "groups"]

CONTESTANTS = [fastnn_compiled, fastnn_eager, torch_eager, torch_fused]


def groups(quick: bool) -> list[Group]:
    odd = Problem((1000, 731, 293, 17), 37, 30 if quick else 300)
    deep = Problem((64, *[64] * 12, 10), 100, 100 if quick else 1000)
    large = Problem((784, 512, 512, 10), 4096, 2 if quick else 15)
    cases = [
        odd.case(f"{odd}, batch 37"),
        deep.case("12 hidden layers of 64, batch 100"),
        large.case(f"{large}, batch 4096"),
    ]
    return [Group("Held-out shapes, Adam", cases, view="rates", rounds=1 if quick else 7)]
