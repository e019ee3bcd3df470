"""Tables as people have them: data frames, nullable columns, memory-mapped files, any layout."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support import mlp, peak_bytes

import fastnn
from fastnn import nn
from fastnn.data import DataLoader, TensorDataset
from fastnn.tensor import as_array

X = np.arange(12, dtype=np.float64).reshape(4, 3)


def nullable(values, dtype):
    return pd.array(values, dtype=dtype)


# --- frames and series that hold numbers

ACCEPTED = {
    "pandas float64": (pd.DataFrame(X), X),
    "pandas float32": (pd.DataFrame(X.astype(np.float32)), X.astype(np.float32)),
    "pandas float16": (pd.DataFrame(X.astype(np.float16)), X.astype(np.float32)),
    "pandas mixed": (pd.DataFrame({"a": [1, 2], "b": [0.5, 1]}), np.array([[1, 0.5], [2, 1]])),
    "pandas bool and int": (pd.DataFrame({"a": [True, False], "b": [3, 4]}), [[1, 3], [0, 4]]),
    "pandas bool": (pd.DataFrame({"a": [True, False]}), np.array([[True], [False]])),
    "pandas Int64": (pd.DataFrame({"a": nullable([1, 2], "Int64")}), [[1], [2]]),
    "pandas UInt8": (pd.Series(nullable([1, 255], "UInt8")), np.array([1, 255], np.uint8)),
    "pandas Float32": (pd.Series(nullable([1, 2.5], "Float32")), np.array([1, 2.5], np.float32)),
    "pandas boolean": (pd.Series(nullable([True, False], "boolean")), np.array([True, False])),
    "pandas Float64 and int": (
        pd.DataFrame({"a": nullable([1.5, 2], "Float64"), "b": [1, 2]}),
        np.array([[1.5, 1], [2, 2]]),
    ),
    "pandas series": (pd.Series([3, 1, 2], name="y", index=[7, 8, 9]), [3, 1, 2]),
    "pandas index": (pd.Index([5, 6]), [5, 6]),
    "pandas names twice": (pd.DataFrame([[1, 2]], columns=["a", "a"]), [[1, 2]]),
    "pandas rows of another order": (pd.DataFrame(X).iloc[[3, 0]], X[[3, 0]]),
    "pandas no rows": (pd.DataFrame({"a": [0.0]}).iloc[:0], np.empty((0, 1))),
    "pandas NaN": (pd.Series([1.0, np.nan]), np.array([1, np.nan])),
    "polars float64": (pl.DataFrame(X), X),
    "polars mixed": (pl.DataFrame({"a": [1, 2], "b": [0.5, 1]}), np.array([[1, 0.5], [2, 1]])),
    "polars bool and int": (pl.DataFrame({"a": [True, False], "b": [3, 4]}), [[1, 3], [0, 4]]),
    "polars series": (pl.Series("y", [3, 1, 2], pl.Int32), np.array([3, 1, 2], np.int32)),
    "polars bool": (pl.Series("y", [True, False]), np.array([True, False])),
    "polars NaN": (pl.Series("y", [1.0, float("nan")]), np.array([1, np.nan])),
    "polars no rows": (pl.DataFrame({"a": [1]}).head(0), np.empty((0, 1), np.int64)),
}


@pytest.mark.parametrize(("table", "expected"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_table_is_its_values(table, expected):
    expected = np.asarray(expected)
    array = as_array(table)
    np.testing.assert_array_equal(array, expected)
    assert (type(array), array.dtype, array.shape) == (np.ndarray, expected.dtype, expected.shape)


def test_a_frame_of_one_type_is_not_copied():
    frame = pd.DataFrame(X.copy())
    assert np.shares_memory(as_array(frame), frame.to_numpy())
    series = pl.Series("y", [1.0, 2.0])
    assert np.shares_memory(as_array(series), series.to_numpy())


REFUSED = {
    "pandas text": (pd.DataFrame({"x": [1.0, 2], "city": ["Rome", "Oslo"]}), TypeError, "'city'"),
    "pandas object": (pd.DataFrame({"o": [1, "x"]}), TypeError, "column 'o'.*got object"),
    "pandas objects that are floats": (pd.Series([0.5], dtype=object), TypeError, "got object"),
    "pandas category": (pd.Series(["a"], dtype="category", name="k"), TypeError, "'k'.*category"),
    "pandas dates": (pd.DataFrame({"t": [pd.Timestamp(0)]}), TypeError, "'t'.*got datetime64"),
    "pandas complex": (pd.DataFrame({"z": [1j]}), TypeError, "'z'.*got complex128"),
    "pandas sparse": (pd.DataFrame({"s": pd.arrays.SparseArray([1.0])}), TypeError, "'s'.*Sparse"),
    "pandas NA in Int64": (
        pd.DataFrame({"a": [0.0, 0, 0], "n": nullable([1, None, None], "Int64")}),
        ValueError,
        "column 'n', row 1: .*missing value; fill",
    ),
    "pandas NA in Float64": (
        pd.Series(nullable([0.5, None], "Float64"), name="f", index=[8, 9]),
        ValueError,
        "column 'f', row 1",
    ),
    "pandas NA in boolean": (
        pd.Series(nullable([None, True], "boolean"), name="b"),
        ValueError,
        "column 'b', row 0",
    ),
    "pandas empty": (pd.DataFrame(), ValueError, "at least one column"),
    "polars text": (pl.DataFrame({"x": [1.0], "city": ["Rome"]}), TypeError, "'city'.*String"),
    "polars category": (pl.Series("k", ["a"], pl.Categorical), TypeError, "'k'.*Categorical"),
    "polars dates": (pl.Series("t", [datetime.date(2020, 1, 1)]), TypeError, "'t'.*got Date"),
    "polars decimal": (pl.Series("d", [1]).cast(pl.Decimal(9, 2)), TypeError, "'d'.*Decimal"),
    "polars lists": (pl.DataFrame({"l": [[1, 2]]}), TypeError, "'l'.*List"),
    "polars arrays": (pl.Series("l", [[1, 2]], pl.Array(pl.Int64, 2)), TypeError, "'l'.*Array"),
    "polars null": (pl.DataFrame({"a": [1, 2, None]}), ValueError, "column 'a', row 2"),
    "polars null float": (pl.Series("f", [None, 0.5]), ValueError, "column 'f', row 0"),
    "polars lazy": (pl.DataFrame({"a": [1]}).lazy(), TypeError, "real numbers, got LazyFrame"),
}


@pytest.mark.parametrize(("table", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_table_that_is_not_numbers(table, error, message):
    with pytest.raises(error, match=message):
        as_array(table)
    with pytest.raises(error, match=message):
        TensorDataset(table)


def test_the_error_says_how_to_encode():
    with pytest.raises(TypeError, match=r"get_dummies.*class labels"):
        as_array(pd.Series(["a"], name="kind"))


# --- wherever arrays are accepted


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_frames_train_as_arrays_do(library):
    rows = np.random.Generator(np.random.Philox(0)).normal(size=(60, 2))
    labels = (rows.sum(1) > 0).astype(np.int64)
    frame = library.DataFrame({"a": rows[:, 0], "b": rows[:, 1]})
    series = library.Series(labels.tolist())
    results = []
    for X, y in (rows, labels), (frame, series):
        model = mlp(2, 8, 2)
        optimizer = fastnn.optim.Adam(model.parameters(), lr=0.01)
        trainer = fastnn.Trainer(model, nn.CrossEntropyLoss(), optimizer)
        history = trainer.fit((X, y), epochs=3, batch_size=7, validation=(X, y), verbose=0)
        results.append((history.loss, trainer.evaluate((X, y)), trainer.predict(X).tolist()))
    assert results[0] == results[1]


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_frames_as_tensors_and_data_sets(library):
    frame, series = library.DataFrame({"a": [1.0, 2.0]}), library.Series([7, 8])
    assert fastnn.tensor(frame).tolist() == [[1.0], [2.0]]
    assert fastnn.tensor(series).dtype == np.int64
    x, y = next(iter(DataLoader(TensorDataset(frame, series), batch_size=2)))
    assert (x.tolist(), y.tolist()) == ([[1.0], [2.0]], [7, 8])
    with pytest.raises(TypeError, match=r"from_numpy: expected a NumPy array.*fastnn\.tensor"):
        fastnn.from_numpy(frame)
    with pytest.raises(TypeError, match="TensorDataset"):
        DataLoader(frame)


# --- memory


@pytest.fixture
def mapped(tmp_path):
    """Map a file of 1 GiB that takes no room on the disk: rows of zeros, but for three."""
    path = tmp_path / "table.npy"
    table = np.lib.format.open_memmap(path, "w+", np.float32, shape=(1 << 20, 256))
    for row in (0, 12345, (1 << 20) - 1):
        table[row] = row
    table.flush()
    return np.load(path, mmap_mode="r")


def test_rows_of_a_mapped_file_are_read_batch_by_batch(mapped):
    rows = np.array([12345, 0, (1 << 20) - 1])

    def work():
        data = TensorDataset(mapped, np.zeros(len(mapped), np.uint8))
        np.testing.assert_array_equal(data.fetch(rows)[0].numpy()[:, 0], rows)
        first = next(iter(DataLoader(data, batch_size=64)))
        assert first[0].shape == (64, 256)

    assert peak_bytes(work) < 16 << 20


@pytest.mark.parametrize("layout", ["F", "rows", "columns", "transposed", "reversed"])
def test_a_batch_of_a_strided_table_copies_only_its_rows(layout):
    base = np.zeros((1 << 14, 256), np.float32)
    table = {
        "F": np.asfortranarray(base),
        "rows": base[::2],
        "columns": base[:, ::2],
        "transposed": base.reshape(256, -1).T,
        "reversed": base[::-1],
    }[layout]
    data = TensorDataset(table)
    assert peak_bytes(lambda: data.fetch(np.arange(64))) < base.nbytes / 16
