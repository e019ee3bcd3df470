"""A: containers, types and layouts of the array that a model is given."""

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from layouts import frozen, misaligned

import fastnn
from bad_inputs.case import bad, fine
from bad_inputs.world import World, X, Y
from fastnn import nn
from fastnn.data import DataLoader

PAIRS = np.repeat(X, 2, axis=0), np.repeat(X, 2, axis=1)
WHOLE = np.round(3 * X)
MASKED = np.ma.masked_array(X, mask=X > 1)
LAYERS: dict[str, Any] = {
    "Linear": lambda dtype: nn.Linear(2, 3, dtype=dtype),
    "BatchNorm1d": lambda dtype: nn.BatchNorm1d(3, affine=False, dtype=dtype),
    "LayerNorm": lambda dtype: nn.LayerNorm(3, dtype=dtype),
}


class ArrayOnly:
    """No array, but it converts to one."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.array, dtype=dtype)


class Careless(np.ndarray):
    """Does not mind how its parts are made."""

    def __array_finalize__(self, obj: Any) -> None:
        self.extra = getattr(obj, "missing", None)


class Hostile(np.ndarray):
    """Fails when a part of it is made."""

    def __array_finalize__(self, obj: Any) -> None:
        if isinstance(obj, Hostile):
            raise RuntimeError("Hostile: no parts of me")


class Changing:
    """Another shape each time it is converted."""

    def __init__(self) -> None:
        self.rows = 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self.rows += 1
        return np.zeros((self.rows, 4 + self.rows), np.float32)


class WithGradient:
    """A tensor of another library, which refuses to be an array while gradients flow."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")


class OnlyDLPack:
    """A tensor of another library that speaks DLPack alone."""

    def __dlpack__(self, **options: Any) -> Any:
        return X.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return X.__dlpack_device__()


def on_disk(world: World) -> np.memmap:
    path = world.write("x.bin", X.tobytes())
    return np.memmap(path, np.float32, "r", shape=X.shape)


def types(layer: nn.Module) -> list[str]:
    return [tensor.dtype.str for tensor in layer.state_dict().values()]


def plain(world: World) -> np.ndarray:
    return world.predict(X)


def of(array: Any) -> Any:
    """What float32 values give."""
    return lambda w: w.predict(np.asarray(array, np.float32))


CASES = [
    fine("A01 float64", lambda w: w.predict(X.astype(float)), plain),
    fine("A02 float16", lambda w: w.predict(X.astype("f2")), of(X.astype("f2"))),
    fine("A03 int64", lambda w: w.predict(WHOLE.astype("i8")), of(WHOLE)),
    fine("A03 fit of int64", lambda w: w.fit(WHOLE.astype("i8")), lambda w: w.fit(WHOLE)),
    fine("A04 int8", lambda w: w.predict(WHOLE.astype("i1")), of(WHOLE)),
    fine("A05 uint64 beyond 2**53", lambda w: w.predict(np.full((2, 4), 2**63 + 1, "u8")),
         of(np.full((2, 4), 2**63, "u8"))),
    fine("A06 bool", lambda w: w.predict(X > 0), of(X > 0)),
    *(bad(f"{id} {layer} of {name}", lambda w, new=new, dtype=dtype: new(dtype), TypeError, says)
      for layer, new in LAYERS.items()
      for id, name, dtype, says in (("A02", "float16", "float16", "got float16"),
                                        ("A03", "int32", "i4", "float32 or float64, got int32"),
                                        ("A08", "objects", object, "got object"),
                                        ("A11", "bytes", "S", r"got \|S"),
                                        ("A11", "bytes by their old name", "a", r"got \|S"))),
    *(fine(f"A16 {layer} of big-endian float32", lambda w, new=new: types(new(">f4")),
           lambda w, new=new: types(new("f4"))) for layer, new in LAYERS.items()),
    bad("A09 an object with text", lambda w: w.predict(np.array([[1, 2, 3, "a"]], object)),
        TypeError, "an array of object"),
    fine("A15 longdouble", lambda w: w.predict(X.astype("g")), plain),
    fine("A16 big-endian float32", lambda w: w.predict(X.astype(">f4")), plain),
    fine("A16 fit of big-endian float32", lambda w: w.fit(X.astype(">f4")), lambda w: w.fit()),
    fine("A17 big-endian float64", lambda w: w.predict(X.astype(">f8")), plain),
    fine("A18 big-endian labels", lambda w: w.fit(X, Y.astype(">i8")), lambda w: w.fit()),
    fine("A19 Fortran order", lambda w: w.predict(np.asfortranarray(X)), plain),
    fine("A20 every second row", lambda w: w.predict(PAIRS[0][::2]), plain),
    fine("A21 every second column", lambda w: w.predict(PAIRS[1][:, ::2]), plain),
    fine("A22 backwards", lambda w: w.predict(np.flip(np.flip(X).copy())), plain),
    fine("A22 fit of rows backwards", lambda w: w.fit(X[::-1].copy()[::-1]), lambda w: w.fit()),
    fine("A23 one row for all", lambda w: w.predict(np.broadcast_to(X[0], (5, 4))),
         of([X[0]] * 5)),
    fine("A23 one value for all", lambda w: w.predict(np.broadcast_to(np.float32(2), (3, 4))),
         of(np.full((3, 4), 2))),
    fine("A24 transposed", lambda w: w.predict(np.ascontiguousarray(X.T).T), plain),
    fine("A25 a byte off", lambda w: w.predict(misaligned(X)), plain),
    fine("A25 fit of a byte off", lambda w: w.fit(misaligned(X)),
         lambda w: w.fit()),
    fine("A26 float64 half a value off", lambda w: w.predict(misaligned(X.astype(float), 4)),
         plain),
    fine("A27 read-only", lambda w: w.predict(frozen(X)), plain),
    fine("A27 fit of read-only", lambda w: w.fit(frozen(X), frozen(Y)), lambda w: w.fit()),
    fine("A28 a file", lambda w: w.predict(on_disk(w)), plain),
    fine("A28 fit of a file", lambda w: w.fit(on_disk(w)), lambda w: w.fit()),
    fine("A29 matrix", lambda w: w.predict(X.view(np.matrix)), plain),
    bad("A30 masked values", lambda w: w.predict(MASKED), TypeError, "masked"),
    bad("A30 fit of masked values", lambda w: w.fit(MASKED), TypeError, "masked"),
    fine("A31 a careless subclass", lambda w: w.predict(X.view(Careless)), plain),
    fine("A31 a hostile subclass", lambda w: w.predict(X.view(Hostile)), plain),
    fine("A32 __array__ alone", lambda w: w.predict(ArrayOnly(X)), plain),
    bad("A33 another shape each time", lambda w: w.predict(Changing()), ValueError, r"\(N, 4\)"),
    fine("A35 a memory view", lambda w: w.model(memoryview(X)), lambda w: w.model(X)),
    bad("A35 bytes", lambda w: w.predict(bytes(16)), TypeError, "got bytes"),
    bad("A35 a bytearray", lambda w: w.predict(bytearray(16)), ValueError,
        r"\(N, 4\), got \(16,\)"),
    fine("A36 a frame of floats", lambda w: w.predict(pd.DataFrame(X)), plain),
    fine("A36 fit of a frame", lambda w: w.fit(pd.DataFrame(X), pd.Series(Y)), lambda w: w.fit()),
    bad("A37 a frame with text", lambda w: w.predict(pd.DataFrame(X).assign(colour="red")),
        (TypeError), "'colour'"),
    bad("A38 a frame with missing integers",
        lambda w: w.predict(pd.DataFrame({c: pd.array([1, None], "Int64") for c in "abcd"})),
        ValueError, "'a'"),
    bad("A39 sparse", lambda w: w.predict(scipy.sparse.csr_matrix(X)), TypeError, r"toarray\(\)"),
    bad("A39 fit of sparse", lambda w: w.fit(scipy.sparse.csr_array(X)), TypeError,
        r"toarray\(\)"),
    fine("A40 lists", lambda w: w.predict(X.tolist()), plain),
    bad("A40 a tuple of rows, which is taken for columns",
        lambda w: w.predict(tuple(map(tuple, X.tolist()))), ValueError,
        r"data as \(X, y\), got 12 parts"),
    bad("A41 predict of a ragged list", lambda w: w.predict([[1, 2, 3, 4], [1]]), ValueError,
        "ragged"),
    fine("A42 a tensor", lambda w: w.predict(fastnn.from_numpy(X.copy())), plain),
    bad("A42 DLPack alone", lambda w: w.predict(OnlyDLPack()), TypeError, "got OnlyDLPack"),
    bad("A43 a tensor with gradients", lambda w: w.predict(WithGradient()), RuntimeError,
        "requires grad"),
    bad("A44 a capsule", lambda w: w.predict(X.__dlpack__()), TypeError, "got PyCapsule"),
    bad("A47 predict of a generator", lambda w: w.predict(i for i in range(4)), TypeError,
        "got generator"),
    bad("A47 an iterator", lambda w: w.predict(iter(X)), TypeError, "got "),
    bad("A48 predict of None", lambda w: w.predict(None), TypeError, "got NoneType"),
    bad("A49 predict of a path", lambda w: w.predict("digits.csv"), TypeError,
        "got str 'digits.csv'"),
    bad("A50 predict of a dict", lambda w: w.predict({"x": 1}), TypeError, "got dict"),
    fine("A51 overlapping windows",
         lambda w: w.predict(np.lib.stride_tricks.sliding_window_view(X.ravel(), 4)[:9]),
         of(np.lib.stride_tricks.sliding_window_view(X.ravel(), 4)[:9].copy())),
    fine("A51 records a byte apart",
         lambda w: w.predict(np.rec.fromarrays([X, X.astype(np.int8)])["f0"]), plain),
    bad("A01 float64 into a float32 model", lambda w: w.model(X.astype(float)), TypeError,
        r"float32.*got float64.*float\(\)"),
    bad("A03 integer logits", lambda w: w.loss(np.zeros((2, 3), int), np.zeros(2, int)), TypeError,
        "float32 or float64"),
    bad("A03 integers into a model", lambda w: w.model(np.ones((2, 4), int)), TypeError,
        r"float32.*got int64"),
    bad("A07 complex into a model", lambda w: w.model(np.ones((2, 4), complex)), TypeError,
        "an array of complex128"),
    bad("A07 predict of complex", lambda w: w.trainer.predict(X + 1j), TypeError,
        "an array of complex"),
    bad("A08 fit of objects", lambda w: w.trainer.fit((X.astype(object), Y)), TypeError,
        "an array of object"),
    bad("A08 objects into a model", lambda w: w.model(np.ones((2, 4), object)), TypeError,
        "an array of object"),
    bad("A10 predict of strings in a list", lambda w: w.trainer.predict([["a"] * 4]), TypeError,
        "real numbers, got list"),
    bad("A10 strings into a model", lambda w: w.model(np.full((2, 4), "1.0")), TypeError,
        "an array of <U3"),
    bad("A11 bytes into a model", lambda w: w.model(np.full((2, 4), b"1")), TypeError,
        r"an array of \|S1"),
    bad("A12 dates into a model", lambda w: w.model(np.zeros((2, 4), "M8[s]")), TypeError,
        "an array of datetime64"),
    bad("A12 time spans into a model", lambda w: w.model(np.zeros((2, 4), "m8[s]")), TypeError,
        "an array of timedelta64"),
    bad("A13 records into a model", lambda w: w.model(np.zeros((2, 4), "f4,f4")), TypeError,
        "an array of .*'f0'"),
    bad("A14 raw bytes into a model", lambda w: w.model(np.zeros((2, 4), "V4")), TypeError,
        r"an array of \|V4"),
    bad("A41 ragged list into a model", lambda w: w.model([[1, 2, 3, 4], [1]]), ValueError,
        "got a ragged list"),
    bad("A47 a generator into a model", lambda w: w.model(i for i in range(4)), TypeError,
        "got generator"),
    bad("A48 None into a model", lambda w: w.model(None), TypeError, "got NoneType None"),
    bad("A48 fit of None", lambda w: w.trainer.fit(None), TypeError,
        "DataLoader: expected a data set .* got NoneType"),
    bad("A49 a number as data set", lambda w: DataLoader(5), TypeError,
        "DataLoader: expected a data set"),
    bad("A49 a path into a model", lambda w: w.model("digits.csv"), TypeError,
        "got str 'digits.csv'"),
    bad("A50 a dict into a model", lambda w: w.model({"x": 1}), TypeError, "got dict"),
]  # fmt: skip
