"""Operations element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.autograd import Array
from fastnn.ops.base import Operations, fit, quietly, unbroadcast

if TYPE_CHECKING:
    from fastnn.tensor import Tensor

__all__ = ["Elementwise"]


class Elementwise(Operations):
    """Methods that change each value on its own."""

    __slots__ = ()

    # --- powers and logarithms ---

    def exp(self) -> Tensor:
        """e to the power of each value."""
        out = quietly(np.exp, self._floats)
        return self._record(out, "exp", lambda g: (g * out,), saves_output=True)

    def log(self) -> Tensor:
        """The natural logarithm of each value."""
        x = self._floats
        return self._record(quietly(np.log, x), "log", lambda g: (g / x,), (self,))

    def log1p(self) -> Tensor:
        """The natural logarithm of 1 plus each value, exact for small ones."""
        x = self._floats
        return self._record(quietly(np.log1p, x), "log1p", lambda g: (g / (1 + x),), (self,))

    def log2(self) -> Tensor:
        """The logarithm of each value to base 2."""
        x = self._floats
        ln2 = x.dtype.type(np.log(2))
        return self._record(quietly(np.log2, x), "log2", lambda g: (g / (x * ln2),), (self,))

    def log10(self) -> Tensor:
        """The logarithm of each value to base 10."""
        x = self._floats
        ln10 = x.dtype.type(np.log(10))
        return self._record(quietly(np.log10, x), "log10", lambda g: (g / (x * ln10),), (self,))

    def sqrt(self) -> Tensor:
        """The square root of each value."""
        out = quietly(np.sqrt, self._floats)
        return self._record(out, "sqrt", lambda g: (g / (2 * out),), saves_output=True)

    def square(self) -> Tensor:
        """Each value times itself."""
        x = self._array
        return self._record(x * x, "square", lambda g: (2 * g * x,), (self,))

    def reciprocal(self) -> Tensor:
        """1 divided by each value."""
        out = quietly(np.reciprocal, self._floats)
        return self._record(out, "reciprocal", lambda g: (-g * out * out,), saves_output=True)

    # --- signs and rounding ---

    def abs(self) -> Tensor:
        """The magnitude of each value; its gradient is 0 at 0."""
        x = self._array
        return self._record(np.abs(x), "abs", lambda g: (g * np.sign(x),), (self,))

    def neg(self) -> Tensor:
        """The negative of each value."""
        return self._record(-self._array, "neg", lambda g: (-g,))

    def sign(self) -> Tensor:
        """-1, 0 or 1; its gradient is 0."""
        return self._step("sign", np.sign(self._array))

    def floor(self) -> Tensor:
        """The largest integer not above each value; its gradient is 0."""
        return self._step("floor", np.floor(self._array))

    def ceil(self) -> Tensor:
        """The smallest integer not below each value; its gradient is 0."""
        return self._step("ceil", np.ceil(self._array))

    def round(self, decimals: int = 0) -> Tensor:
        """The nearest number of so many decimals; ties go to the even one; its gradient is 0."""
        return self._step("round", np.round(self._array, decimals))

    # --- waves ---

    def sin(self) -> Tensor:
        """The sine of each value, in radians."""
        x = self._floats
        return self._record(np.sin(x), "sin", lambda g: (g * np.cos(x),), (self,))

    def cos(self) -> Tensor:
        """The cosine of each value, in radians."""
        x = self._floats
        return self._record(np.cos(x), "cos", lambda g: (-g * np.sin(x),), (self,))

    def cosh(self) -> Tensor:
        """The hyperbolic cosine of each value."""
        x = self._floats
        return self._record(quietly(np.cosh, x), "cosh", lambda g: (g * quietly(np.sinh, x),),
                            (self,))  # fmt: skip

    # --- bounds and masks ---

    def clamp(self, min: Any = None, max: Any = None) -> Tensor:
        """Each value, or the bound it lies beyond; the gradient beyond a bound is 0.

        Args:
            min: The lower bound, a number; `maximum` takes a tensor.
            max: The upper bound, a number; `minimum` takes a tensor.

        Raises:
            ValueError: if there is neither.
        """
        if min is None and max is None:
            raise ValueError("clamp: expected min, max or both")
        x = self._array
        low = None if min is None else self._operand(min)._array
        high = None if max is None else self._operand(max)._array

        def backward(g: Array) -> tuple[Array]:
            inside = np.ones(x.shape, bool) if low is None else x >= low
            return (g * (inside if high is None else inside & (x <= high)),)

        out = x if low is None else np.maximum(x, low)
        out = out if high is None else np.minimum(out, high)
        return self._record(out, "clamp", backward, (self,))

    clip = clamp

    def maximum(self, other: Any) -> Tensor:
        """The larger of two values; where they are equal each gets half of the gradient."""
        return self._of_two(other, np.maximum)

    def minimum(self, other: Any) -> Tensor:
        """The smaller of two values; where they are equal each gets half of the gradient."""
        return self._of_two(other, np.minimum)

    def masked_fill(self, mask: Any, value: Any) -> Tensor:
        """`value` where `mask` is true; no gradient flows there.

        Raises:
            TypeError: if the mask is not boolean.
        """
        hidden = self._operand(mask)._array
        if hidden.dtype.kind != "b":
            raise TypeError(f"masked_fill: expected a boolean mask, got {hidden.dtype}")
        out = np.where(hidden, self._operand(value)._array.astype(self.dtype), self._array)
        return self._record(out, "masked_fill", lambda g: (
            unbroadcast(np.where(hidden, 0, g), self.shape),))  # fmt: skip

    # --- questions: no gradient ---

    def isnan(self) -> Tensor:
        """Where a value is not a number."""
        return self._constant(np.isnan(self._array))

    def isinf(self) -> Tensor:
        """Where a value is infinite."""
        return self._constant(np.isinf(self._array))

    def isfinite(self) -> Tensor:
        """Where a value is neither infinite nor not a number."""
        return self._constant(np.isfinite(self._array))

    def logical_not(self) -> Tensor:
        """Where a value is 0 or False."""
        return self._constant(np.logical_not(self._array))

    def logical_and(self, other: Any) -> Tensor:
        """Where both values are neither 0 nor False."""
        return self._constant(np.logical_and(self._array, self._operand(other)._array))

    def logical_or(self, other: Any) -> Tensor:
        """Where one of two values is neither 0 nor False."""
        return self._constant(np.logical_or(self._array, self._operand(other)._array))

    def logical_xor(self, other: Any) -> Tensor:
        """Where just one of two values is neither 0 nor False."""
        return self._constant(np.logical_xor(self._array, self._operand(other)._array))

    # --- inside ---

    def _step(self, name: str, values: Any) -> Tensor:
        """The result of a function that is flat between its jumps."""
        return self._record(values, name, lambda g: (np.zeros_like(g),))

    def _of_two(self, other: Any, choose: Any) -> Tensor:
        a, b = self._array, self._operand(other)

        def backward(g: Array) -> tuple[Array | None, Array | None]:
            chosen, tie = choose(a, b._array) == a, a == b._array
            share = np.where(tie, g / 2, g)
            return (unbroadcast(np.where(chosen, share, 0), self.shape),
                    fit(np.where(chosen & ~tie, 0, share), b))  # fmt: skip

        return self._record(choose(a, b._array), choose.__name__, backward, (self, b), others=(b,))

    @property
    def _floats(self) -> Array:
        """The values, as float32 where they are integers."""
        return self._array if self._array.dtype.kind == "f" else self._array.astype(np.float32)
