"""Tensors: operations against formulas and central differences; types, in-place rules, names."""

from typing import Any

import numpy as np
import pytest
from support import gradient_error, numerical_gradient
from tables.operations import OPERATIONS, Operation

import fastnn
from fastnn import Tensor
from fastnn.tensor import as_array

every_operation = pytest.mark.parametrize("case", OPERATIONS, ids=lambda case: case.id)


def outputs(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


def weighted_sum(results: list[Any]) -> Any:
    """Of the floating-point results, with weights that the shape alone determines."""
    rng = np.random.default_rng(9)
    return sum((r * rng.standard_normal(r.shape)).sum() for r in results if r.dtype.kind == "f")


@every_operation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(case: Operation, dtype: Any) -> None:
    arrays = [x.astype(dtype) for x in case.draw()]
    got = outputs(case.call(fastnn, *(Tensor(x.copy()) for x in arrays)))
    expected = outputs(case.formula(*(x.astype(np.float64) for x in arrays)))
    assert len(got) == len(expected)
    for ours, exact in zip(got, expected, strict=True):
        kind = dtype if np.asarray(exact).dtype.kind == "f" else np.int64
        assert ours.shape == np.shape(exact)
        if case.id != "iadd-to-zeros":  # of float64 zeros
            assert ours.dtype == kind
        bound = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(as_array(ours), exact, rtol=bound, atol=bound)


@every_operation
def test_gradient(case: Operation) -> None:
    leaves = [Tensor(x, requires_grad=True) for x in case.draw(1)]
    results = outputs(case.call(fastnn, *leaves))
    floats = [r for r in results if r.dtype.kind == "f"]
    assert all(r.requires_grad for r in floats)
    assert not any(r.requires_grad for r in results if r.dtype.kind != "f")
    weighted_sum(results).backward()
    for leaf in leaves:

        def f() -> float:
            with fastnn.no_grad():
                return float(weighted_sum(outputs(case.call(fastnn, *leaves))))

        expected = numerical_gradient(f, leaf._array)
        got = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
        assert gradient_error(got, expected) <= 1e-7


@every_operation
def test_backward_twice_and_without_gradients(case: Operation) -> None:
    arrays = case.draw()
    loss = weighted_sum(
        outputs(case.call(fastnn, *(Tensor(x, requires_grad=True) for x in arrays)))
    )
    loss.backward()
    with pytest.raises(RuntimeError, match="already walked"):
        loss.backward()
    plain = weighted_sum(outputs(case.call(fastnn, *(Tensor(x) for x in arrays))))
    with pytest.raises(RuntimeError, match="nothing this tensor was computed from"):
        plain.backward()


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({case.id for case in OPERATIONS}) == len(OPERATIONS)


# --- saved values ---


@every_operation
def test_a_changed_operand_is_an_error_or_makes_no_difference(case: Operation) -> None:
    """Whatever an operation saves, changing its operands can never give a wrong gradient."""
    arrays = case.draw()

    def gradients(change: bool) -> list[Any] | None:
        leaves = [Tensor(x.copy(), requires_grad=True) for x in arrays]
        loss = weighted_sum(outputs(case.call(fastnn, *leaves)))
        if change:
            with fastnn.no_grad():
                for leaf in leaves:
                    leaf.mul_(3).add_(0.25)
        try:
            loss.backward()
        except RuntimeError as error:
            return None if "changed in place" in str(error) else pytest.fail(str(error))
        return [leaf.grad for leaf in leaves]

    expected, got = gradients(False), gradients(True)
    assert expected is not None
    for a, b in zip(expected, got or expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a.numpy(), b.numpy())
