"""Random numbers: the words of Philox, dropout's masks, the laws of masks, shuffles and splits."""

import copy
import pickle
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from laws import LEVEL, chi_square
from support import DTYPES, awkward_sizes, bits, empty, place

import fastnn
from fastnn import Generator, _core, nn
from fastnn.data import DataLoader, random_split
from fastnn.nn import functional as F

TOP = 2**64 - 1

# --- Philox4x32-10 ---

# (seed, draw, block), words: the vectors published with the authors' Random123
KNOWN = [
    ((0, 0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((TOP, TOP, TOP), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x299F31D0A4093822, 0x0370734413198A2E, 0x85A308D3243F6A88),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def philox_words(seed: int, draw: int, block: int) -> list[int]:
    """One block in Python's integers, as the paper defines it."""
    low = 0xFFFFFFFF
    counter = [block & low, block >> 32, draw & low, draw >> 32]
    key = [seed & low, seed >> 32]
    for _ in range(10):
        product0, product1 = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [
            (product1 >> 32) ^ counter[1] ^ key[0],
            product1 & low,
            (product0 >> 32) ^ counter[3] ^ key[1],
            product0 & low,
        ]
        key = [(key[0] + 0x9E3779B9) & low, (key[1] + 0xBB67AE85) & low]
    return counter


@pytest.mark.parametrize(("numbers", "words"), KNOWN)
def test_philox_gives_the_published_words(
    isa: str, numbers: tuple[int, int, int], words: str
) -> None:
    expected = [int(word, 16) for word in words.split()]
    assert philox_words(*numbers) == expected
    out = np.empty(4, np.uint32)
    _core.philox(out, *numbers)
    assert out.tolist() == expected


@pytest.mark.parametrize("block", [0, 5, 2**32 - 3, TOP - 20])
def test_philox_counts_blocks(isa: str, block: int) -> None:
    """At every length, from any block on, past 2^32 and round at 2^64."""
    seed, draw = 0x0123456789ABCDEF, 0xFEDCBA9876543210
    blocks = [philox_words(seed, draw, (block + i) & TOP) for i in range(40)]
    expected = np.array(blocks, np.uint32).ravel()
    for n in (0, 1, 3, 4, 5, 63, 64, 65, 127, 160):
        out = empty(n, np.uint32, 1)
        _core.philox(out, seed, draw, block)
        np.testing.assert_array_equal(out, expected[:n])


def test_philox_of_wrong_kinds() -> None:
    with pytest.raises(TypeError, match=r"philox: words: expected uint32, got .*int64"):
        _core.philox(np.zeros(4, np.int64), 0, 0)
    with pytest.raises(TypeError, match="philox: words: expected an array"):
        _core.philox([0], 0, 0)
    for numbers in ((-1, 0, 0), (0, 2**64, 0), (0, 0, 0.5)):
        with pytest.raises(TypeError):
            _core.philox(np.zeros(4, np.uint32), *numbers)


# --- dropout's kernel ---


def words_of(n: int, seed: int, draw: int) -> np.ndarray:
    words = np.empty(n, np.uint32)
    _core.philox(words, seed, draw)
    return words


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("team", [1, 2, 5])
def test_dropout_keeps_words_below_the_threshold(
    isa: str, threads: Callable[[int], None], dtype: Any, team: int
) -> None:
    threads(team)
    for n in awkward_sizes(dtype):
        x = place(np.random.default_rng(n).standard_normal(n).astype(dtype), n % 3)
        for p in (0.0, 1e-9, 0.1, 0.5, 0.9, 1 - 1e-9, 1.0):
            kept = words_of(n, 7, 3) < round((1 - p) * 2**32)
            expected = x * np.where(kept, dtype(1 / (1 - p) if p < 1 else 0), dtype(0))
            y = empty(n, dtype, n % 2)
            _core.dropout(y, x, p, 7, 3)
            assert bits(y) == bits(expected), (n, p)
            in_place = x.copy()
            _core.dropout(in_place, in_place, p, 7, 3)
            assert bits(in_place) == bits(expected)


def test_dropout_does_not_hide(isa: str) -> None:
    for dtype in DTYPES:
        x = np.full(100, np.nan, dtype)
        for p in (0.0, 0.5, 1.0):
            y = np.empty_like(x)
            _core.dropout(y, x, p, 0, 0)
            assert np.isnan(y).all()


def test_one_mask_for_all_isas_and_teams(threads: Callable[[int], None]) -> None:
    results = set()
    x = np.random.default_rng(0).standard_normal(50_021).astype(np.float32)
    for isa in fastnn.available_isas():
        fastnn.set_isa(isa)
        for team in (1, 2, 3, 7):
            threads(team)
            y = np.empty_like(x)
            _core.dropout(y, x, 0.3, 11, 4)
            results.add(bits(y))
    assert len(results) == 1


@pytest.mark.parametrize("p", [-1e-9, 1.1, float("nan")])
def test_dropout_kernel_refuses(p: float) -> None:
    x = np.ones(3, np.float32)
    with pytest.raises(ValueError, match="dropout: p: expected 0 <= p <= 1"):
        _core.dropout(x, x, p, 0, 0)


# --- the layer ---


def mask_of(n: int, p: float) -> np.ndarray:
    """Which of n values the next dropout keeps."""
    return F.dropout(fastnn.ones(n), p).numpy() > 0


def test_the_mask_of_the_backward_is_that_of_the_forward() -> None:
    x = fastnn.randn(50, 20, requires_grad=True)
    y, z = F.dropout(x, 0.3), F.dropout(x, 0.3)
    (y * 2 + z * 3).sum().backward()
    kept_y, kept_z = y._array != 0, z._array != 0
    assert (kept_y != kept_z).any()
    scale = np.float32(1 / 0.7)
    np.testing.assert_allclose(x.grad.numpy(), scale * (2 * kept_y + 3 * kept_z), rtol=1e-6)
    np.testing.assert_array_equal(y._array, x._array * (kept_y * scale))


def test_masks_follow_from_the_seed() -> None:
    fastnn.manual_seed(5)
    first = [mask_of(100, 0.5) for _ in range(3)]
    assert len({bits(m) for m in first}) == 3
    fastnn.manual_seed(5)
    assert bits(*(mask_of(100, 0.5) for _ in range(3))) == bits(*first)
    fastnn.manual_seed(6)
    assert bits(mask_of(100, 0.5)) != bits(first[0])


def test_masks_go_on_from_two_numbers() -> None:
    generator = fastnn.manual_seed(5)
    mask_of(10, 0.5)
    seed, draws = generator.initial_seed(), generator.draws
    expected = mask_of(100, 0.5)
    fastnn.manual_seed(seed).draws = draws
    assert bits(mask_of(100, 0.5)) == bits(expected)


def test_masks_leave_the_stream_alone() -> None:
    """And the other way round: weights drawn in between change no mask."""
    fastnn.manual_seed(1)
    weights, mask = fastnn.rand(3), mask_of(100, 0.5)
    fastnn.manual_seed(1)
    assert bits(mask_of(100, 0.5)) == bits(mask)
    assert bits(fastnn.rand(3)) == bits(weights)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_copies_of_a_generator_go_on_alike(twin: Callable[[Generator], Generator]) -> None:
    generator = Generator(3)
    generator.next_draw()
    generator.next_seed()
    other = twin(generator)
    assert other.next_draw() == generator.next_draw() == (3, 1)
    assert other.next_seed() == generator.next_seed()


def test_nothing_is_drawn_where_nothing_is_dropped() -> None:
    generator = fastnn.manual_seed(0)
    x = fastnn.ones(5)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert nn.Dropout().eval()(x) is x
    assert generator.draws == 0
    F.dropout(x, 0.5, True, True)
    assert generator.draws == 1
    assert x.tolist() == [1] * 5  # even with inplace


@pytest.mark.parametrize(("p", "error"), [(1.5, ValueError), (-1, ValueError), ("a", TypeError)])
def test_functional_dropout_checks_p_in_either_mode(p: Any, error: type[Exception]) -> None:
    for training in (True, False):
        with pytest.raises(error, match="Dropout: expected"):
            F.dropout(fastnn.ones(1), p, training)


# --- laws of the masks ---

N = 1_000_000


def rate(mask: np.ndarray, p: float) -> float:
    kept = np.count_nonzero(mask)
    return chi_square([mask.size - kept, kept], [mask.size * p, mask.size * (1 - p)])


def pairs(a: np.ndarray, b: np.ndarray, p: float) -> float:
    """Independence of two masks: the four ways of a pair."""
    ways = np.bincount(a * 2 + b.astype(int), minlength=4)
    return chi_square(ways, a.size * np.outer([p, 1 - p], [p, 1 - p]).ravel())


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.8, 0.999])
def test_dropout_has_its_rate(p: float) -> None:
    assert rate(mask_of(N, p), p) > LEVEL


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_rate_sees_two_percent(p: float) -> None:
    assert rate(mask_of(N, 1.02 * p), p) < LEVEL / 100
    assert rate(mask_of(N, 0.98 * p), p) < LEVEL / 100


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 5, 8, 16, 31, 64, 4096])
def test_elements_are_independent(lag: int) -> None:
    mask = mask_of(N, 0.3)
    blocks = mask[: N // (2 * lag) * 2 * lag].reshape(-1, 2, lag)
    assert pairs(blocks[:, 0].ravel(), blocks[:, 1].ravel(), 0.3) > LEVEL


def test_independence_sees_two_percent_of_repeats() -> None:
    mask = mask_of(N, 0.3)
    mask[1::2] = np.where(np.random.default_rng(0).random(N // 2) < 0.02, mask[::2], mask[1::2])
    assert pairs(mask[::2], mask[1::2], 0.3) < LEVEL / 100


def test_eight_neighbours_take_all_ways_alike() -> None:
    ways = np.packbits(mask_of(N, 0.5).reshape(-1, 8), axis=1)
    assert chi_square(np.bincount(ways.ravel(), minlength=256), N / 8 / 256) > LEVEL


@pytest.mark.parametrize("later", [1, 2, 7])
def test_draws_are_independent(later: int) -> None:
    masks = [mask_of(N, 0.3) for _ in range(later + 1)]
    assert pairs(masks[0], masks[-1], 0.3) > LEVEL


@pytest.mark.parametrize("seeds", [(0, 1), (1, 2**32), (7, 7 + 2**63)])
def test_seeds_are_independent(seeds: tuple[int, int]) -> None:
    masks = []
    for seed in seeds:
        fastnn.manual_seed(seed)
        masks.append(mask_of(N, 0.3))
    assert pairs(*masks, 0.3) > LEVEL


def test_independence_sees_a_mask_that_comes_again() -> None:
    """As it would if the number of the draw were left out of the counter."""
    mask = mask_of(N, 0.3)
    assert pairs(mask, mask, 0.3) < LEVEL / 100
    shifted = np.roll(mask, -4)  # or added to the number of the block
    assert pairs(mask_of(N, 0.3), shifted, 0.3) > LEVEL
    assert pairs(np.roll(mask, -4), shifted, 0.3) < LEVEL / 100


# --- laws of shuffles and splits ---

ORDERS = {order: i for i, order in enumerate(permutations(range(4)))}


def orders_of(passes: Iterator[Any]) -> float:
    """All orders of four rows alike."""
    counts = np.zeros(len(ORDERS))
    for rows in passes:
        counts[ORDERS[tuple(int(row) for row in rows)]] += 1
    return chi_square(counts, counts.sum() / counts.size)


def shuffles(passes: int) -> Iterator[np.ndarray]:
    loader = DataLoader(np.arange(4), batch_size=4, shuffle=True)
    return (batch.numpy() for _ in range(passes) for batch in loader)


def test_a_loader_takes_all_orders_alike() -> None:
    assert orders_of(shuffles(2400)) > LEVEL


def test_orders_see_a_row_that_never_moves() -> None:
    fixed = (np.append(rows[rows != 3], 3) for rows in shuffles(2400))
    assert orders_of(fixed) < LEVEL / 100


def test_orders_see_a_shuffle_by_swaps_with_any_row() -> None:
    """The well-known wrong shuffle: each row swapped with any other, not with one from it on."""
    rng = np.random.default_rng(0)

    def wrong() -> Iterator[np.ndarray]:
        for _ in range(2400):
            rows = np.arange(4)
            for i in range(4):
                j = rng.integers(4)
                rows[[i, j]] = rows[[j, i]]
            yield rows

    assert orders_of(wrong()) < LEVEL / 100


def places(n: int, passes: int) -> np.ndarray:
    """How often each row came first, and last."""
    counts = np.zeros((2, n))
    loader = DataLoader(np.arange(n), batch_size=n, shuffle=True, generator=3)
    for batch in (batch.numpy() for _ in range(passes) for batch in loader):
        counts[0, int(batch[0])] += 1
        counts[1, int(batch[-1])] += 1
    return counts


def test_a_loader_puts_every_row_everywhere() -> None:
    """Also where the number of rows is no power of two, and epochs share one seed."""
    for counts in places(37, 1000):
        assert chi_square(counts, 1000 / 37) > LEVEL


def test_random_split_takes_all_subsets_alike() -> None:
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(1000):
        part, rest = random_split(range(5), [2, 3])
        chosen = tuple(sorted(int(i) for i in part.indices))
        assert sorted([*chosen, *rest.indices.tolist()]) == [0, 1, 2, 3, 4]
        counts[chosen] = counts.get(chosen, 0) + 1
    assert len(counts) == 10
    assert chi_square(list(counts.values()), 100) > LEVEL


def test_random_split_by_seeds_that_follow_each_other() -> None:
    split = (
        [int(i) for part in random_split(range(4), [1, 3], generator=seed) for i in part.indices]
        for seed in range(2400)
    )
    assert orders_of(split) > LEVEL
