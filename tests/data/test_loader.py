"""The loader: PyTorch's meaning, and passes that a seed determines."""

import copy
import pickle
from itertools import count

import numpy as np
import pytest
from data_support import Foreign, Negated, Squares, X, Y, labels, pairs, visited

from fastnn import data as fd
from fastnn.data import DataLoader, Dataset, Subset, TensorDataset, default_collate
from fastnn.data.order import draw_seed
from fastnn.random import Generator, manual_seed
from fastnn.tensor import Tensor


@pytest.mark.parametrize(
    ("batch_size", "drop_last", "sizes"),
    [
        (1, False, [1] * 10),
        (3, False, [3, 3, 3, 1]),
        (3, True, [3, 3, 3]),
        (5, True, [5, 5]),
        (10, False, [10]),
        (11, False, [10]),
        (11, True, []),
        (10**12, False, [10]),
        (np.int64(4), False, [4, 4, 2]),
    ],
)
@pytest.mark.parametrize("dataset", [pairs(), Squares(), Subset(pairs(), range(10))])
def test_batches(dataset, batch_size, drop_last, sizes):
    loader = DataLoader(dataset, batch_size, drop_last=drop_last)
    assert [len(batch) for batch in labels(loader)] == sizes
    assert len(loader) == len(sizes)
    sampled = DataLoader(dataset, batch_size, sampler=range(10), drop_last=drop_last)
    assert labels(sampled) == labels(loader)
    assert len(sampled) == len(loader)


def test_a_batch_is_a_list_of_tensors():
    batch = next(iter(DataLoader(pairs(), batch_size=4)))
    assert type(batch) is list
    assert [tuple(t.shape) for t in batch] == [(4, 2), (4,)]
    assert [t.numpy().dtype for t in batch] == [np.float32, np.int64]


def test_any_data_set_of_the_same_samples_gives_the_same_batches():
    fetched = next(iter(DataLoader(TensorDataset(X, Y * Y), 10, shuffle=True, generator=3)))
    sampled = next(iter(DataLoader(Squares(), 10, shuffle=True, generator=3)))
    for one, other in zip(fetched, sampled, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_data_sets_that_are_not_ours():
    batch = next(iter(DataLoader(Foreign(), batch_size=2)))
    assert batch["x"].tolist() == X[:2].tolist()
    assert batch["y"].tolist() == [0.0, 1.0]
    assert batch["name"] == ["row 0", "row 1"]
    assert [b.tolist() for b in DataLoader([5, 6, 7], batch_size=2)] == [[5, 6], [7]]
    assert next(iter(DataLoader(X, batch_size=4))).shape == (4, 2)


def test_an_overridden_getitem_is_not_bypassed():
    x, _ = next(iter(DataLoader(Negated(X, Y), batch_size=10)))
    np.testing.assert_array_equal(x.numpy(), -X)
    x, _ = next(iter(DataLoader(Subset(Negated(X, Y), [4]))))
    np.testing.assert_array_equal(x.numpy(), -X[[4]])


def test_fetch_is_called_once_a_batch():
    class Counting(TensorDataset):
        calls = 0

        def fetch(self, indices):
            self.calls += 1
            return super().fetch(indices)

    data = Counting(X, Y)
    list(DataLoader(data, batch_size=4))
    assert data.calls == 3


def test_collate_fn_gets_the_samples():
    loader = DataLoader(pairs(), batch_size=4, collate_fn=lambda samples: samples)
    first = next(iter(loader))
    assert [y.item() for _, y in first] == [0, 1, 2, 3]
    assert labels(DataLoader(pairs(), 5, collate_fn=default_collate)) == labels(
        DataLoader(pairs(), 5)
    )


def test_shuffle_visits_every_sample_in_a_new_order_on_each_pass():
    loader = DataLoader(pairs(), batch_size=3, shuffle=True)
    passes = [visited(loader) for _ in range(5)]
    assert all(sorted(order) == Y.tolist() for order in passes)
    assert len(set(map(tuple, passes))) > 1


def test_the_global_seed_determines_the_passes():
    loader = DataLoader(pairs(), shuffle=True)
    manual_seed(5)
    first = [visited(loader), visited(loader)]
    manual_seed(5)
    assert [visited(loader), visited(loader)] == first
    manual_seed(6)
    assert [visited(loader), visited(loader)] != first


def test_an_int_seed_numbers_the_passes_and_resumes():
    loader = DataLoader(pairs(), shuffle=True, generator=9)
    passes = [visited(loader) for _ in range(3)]
    assert passes == [fd.epoch_order(10, 9, epoch).tolist() for epoch in range(3)]
    resumed = DataLoader(pairs(), shuffle=True, generator=np.int64(9))
    resumed.epoch = 2
    assert visited(resumed) == passes[2]


@pytest.mark.parametrize("make", [np.random.default_rng, Generator])
def test_a_generator_object_is_drawn_from(make):
    one, two = (DataLoader(pairs(), shuffle=True, generator=make(4)) for _ in range(2))
    passes = [visited(one), visited(one)]
    assert passes == [visited(two), visited(two)]
    assert passes[0] != passes[1]


def test_the_order_is_settled_when_a_pass_starts():
    loader = DataLoader(pairs(), batch_size=10, shuffle=True)
    manual_seed(0)
    expected = visited(loader)
    manual_seed(0)
    started = iter(loader)
    manual_seed(1)
    assert visited(started) == expected


def test_two_passes_at_once_do_not_disturb_each_other():
    loader = DataLoader(pairs())
    assert [(a[1].item(), b[1].item()) for a, b in zip(loader, loader, strict=True)] == [
        (i, i) for i in range(10)
    ]


def test_without_shuffle_no_random_number_is_drawn():
    manual_seed(0)
    expected = Generator(0).next_seed()
    list(DataLoader(pairs()))
    assert draw_seed() == expected


def test_samplers():
    assert visited(DataLoader(pairs(), 2, sampler=[3, -1, 3])) == [3, 9, 3]
    endless = iter(DataLoader(pairs(), 2, sampler=(i % 10 for i in count())))
    assert [next(endless)[1].tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    by_batch = DataLoader(pairs(), batch_sampler=[[0, 1, 2], np.array([9])])
    assert labels(by_batch) == [[0, 1, 2], [9]]
    assert len(by_batch) == 2
    with pytest.raises(IndexError, match=r"sampler: .*got 10"):
        list(DataLoader(pairs(), sampler=[10]))


def test_options_for_worker_processes_are_accepted():
    options = {"num_workers": 4, "pin_memory": True, "persistent_workers": True, "timeout": 1}
    loader = DataLoader(pairs(), batch_size=5, prefetch_factor=2, **options)
    assert labels(loader) == labels(DataLoader(pairs(), batch_size=5))
    assert loader.num_workers == 4


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_a_loader(duplicate):
    loader = DataLoader(Subset(pairs(), [1, 2, 3]), shuffle=True, generator=1)
    assert visited(duplicate(loader)) == visited(loader)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size >= 1, got 0"),
        ({"batch_size": -1}, ValueError, "got -1"),
        ({"batch_size": 2.5}, TypeError, "integer batch_size, got 2.5"),
        ({"batch_size": True}, TypeError, "got True"),
        ({"batch_size": None, "drop_last": True}, ValueError, "drop_last=False"),
        ({"batch_size": "4"}, TypeError, "got '4'"),
        ({"num_workers": -1}, ValueError, "num_workers >= 0"),
        ({"shuffle": "yes"}, TypeError, "shuffle to be True or False, got 'yes'"),
        ({"drop_last": 1}, TypeError, "drop_last to be True or False, got 1"),
        ({"shufle": True}, TypeError, "unknown argument 'shufle'"),
        ({"shuffle": True, "sampler": [1]}, ValueError, "either shuffle=True or a sampler"),
        ({"batch_sampler": [[1]], "batch_size": 2}, ValueError, "batch_sampler alone"),
        ({"batch_sampler": [[1]], "sampler": np.arange(2)}, ValueError, "batch_sampler alone"),
        ({"generator": -1}, ValueError, r"0 to 2\*\*64 - 1, got -1"),
        ({"generator": 2**64}, ValueError, "got 18446744073709551616"),
        ({"generator": 1.5}, TypeError, r"fastnn\.Generator, got 1\.5"),
        ({"generator": True}, TypeError, "got True"),
    ],
)
def test_loader_errors_come_at_construction(options, error, message):
    with pytest.raises(error, match=message):
        DataLoader(pairs(), **options)


def test_what_is_not_a_data_set():
    with pytest.raises(TypeError, match="got generator without __getitem__ and __len__"):
        DataLoader(i for i in range(3))


def test_errors_of_a_data_set_come_through():
    class Broken(Squares):
        def __getitem__(self, index):
            raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        next(iter(DataLoader(Broken())))


# --- PyTorch's idioms


class Stream(fd.IterableDataset):
    def __iter__(self):
        return ((X[i], i) for i in range(10))


def test_a_stream_comes_in_batches_and_in_its_order():
    assert labels(DataLoader(Stream(), batch_size=4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert labels(DataLoader(Stream(), batch_size=4, drop_last=True)) == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
    ]
    assert [y for _, y in DataLoader(Stream(), batch_size=None)] == Y.tolist()
    loader = DataLoader(Stream(), batch_size=3, collate_fn=len)
    assert list(loader) == list(loader) == [3, 3, 3, 1]
    with pytest.raises(TypeError, match="len"):
        len(loader)


@pytest.mark.parametrize(
    "options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}], ids=str
)
def test_a_stream_cannot_be_reordered(options):
    with pytest.raises(ValueError, match="IterableDataset without shuffle"):
        DataLoader(Stream(), **options)


def test_without_batches_come_samples():
    loader = DataLoader(Foreign(), batch_size=None)
    sample = list(loader)[3]
    assert len(loader) == 10
    assert isinstance(sample["x"], Tensor)
    assert (sample["x"].tolist(), sample["y"], sample["name"]) == (X[3].tolist(), 3.0, "row 3")
    assert [y for _, y in DataLoader(Squares(), None, sampler=[2, 5])] == [4, 25]
    shuffled = [y for _, y in DataLoader(Squares(), None, shuffle=True, generator=1)]
    assert shuffled == (fd.epoch_order(10, 1, 0) ** 2).tolist()
    assert list(DataLoader([1, 2], None, collate_fn=lambda x: x + 1)) == [2, 3]


def test_the_whole_set_as_one_batch():
    data = pairs()
    loader = DataLoader(data, batch_size=len(data))
    assert len(loader.dataset) == 10
    [(x, y)] = loader
    assert (x.tolist(), y.tolist()) == (X.tolist(), Y.tolist())


def test_a_data_set_with_a_constructor_of_its_own():
    class Own(Dataset):
        def __init__(self, rows):
            self.rows = rows

        def __len__(self):
            return len(self.rows)

        def __getitem__(self, index):
            return self.rows[index]

    assert [b.tolist() for b in DataLoader(Own([1, 2, 3]), batch_size=2)] == [[1, 2], [3]]


class Backwards(DataLoader):
    """A loader whose passes are its own."""

    def __iter__(self):
        return reversed(list(super().__iter__()))


@pytest.mark.parametrize("make", [
    lambda: DataLoader(Squares(), 3, shuffle=True, generator=1),
    lambda: DataLoader(Squares(), 3, sampler=range(9, -1, -1)),
    lambda: DataLoader(Squares(), batch_sampler=[[3, 1], [2], [5, 5, 5], [0]]),
    lambda: DataLoader(Squares(), 3, drop_last=True),
    lambda: DataLoader(Squares(), None, shuffle=True, generator=2),
    lambda: DataLoader(Stream(), 3),
    lambda: DataLoader(Stream(), None),
    lambda: Backwards(Squares(), 3),
])  # fmt: skip
def test_a_pass_from_a_later_batch(make):
    def said(batches):
        return [str(batch) for batch in batches]

    whole = said(make())
    for first in range(len(whole) + 3):
        assert said(make().iter_from(first)) == whole[first:]
    with pytest.raises(ValueError, match="batch"):
        make().iter_from(-1)


def test_what_is_left_out_is_not_loaded():
    loaded = []

    class Told(Squares):
        def __getitem__(self, index):
            loaded.append(index)
            return super().__getitem__(index)

    list(DataLoader(Told(), 4).iter_from(2))
    assert loaded == [8, 9]
