"""Files that nobody thought of: mutated tables are read, or refused with one line."""

import random
from pathlib import Path

import numpy as np
import pytest
from tables.files import ACCEPTED, AGES, REFUSED

from fastnn.tabular import read_table
from fastnn.tabular.features import encode
from fastnn.tabular.kinds import choose_kinds
from fastnn.tabular.target import choose_target, rows_with

SEEDS = [content if isinstance(content, bytes) else content.encode()
         for content, *_ in [*REFUSED.values(), *ACCEPTED.values()]
         if len(content) < 5000]  # fmt: skip
TOKENS = [b",", b";", b"\n", b"\r", b'"', b'""', b"\0", b"\xff", b"\xef\xbb\xbf", b"nan", b"inf",
          b"-", b"1e999", b"\t", b" ", b"y", "é".encode(), b"\xe9", b"1_0", b"?", b"'"]  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    """A table with a few bytes or lines lost, doubled, moved or put in."""
    content = rng.choice([AGES.encode(), rng.choice(SEEDS)])
    for _ in range(rng.randint(1, 6)):
        a, b = sorted(rng.randint(0, len(content)) for _ in range(2))
        b = min(b, a + rng.choice([1, 2, 10, 1000]))
        kind = rng.randrange(4)
        if kind == 0:
            content = content[:a] + content[b:]
        elif kind == 1:
            content = content[:b] + content[a:b] + content[b:]
        elif kind == 2:
            content = content[:a] + rng.choice(TOKENS) + content[a:]
        else:
            content = content.replace(rng.choice(TOKENS), rng.choice(TOKENS))
    return content


def look_at(path: Path) -> None:
    """All that `train` does before it trains."""
    table = read_table(path)
    assert {len(cells) for cells in table.columns.values()} == {len(table)}
    present = table.take(rows_with(table, "y"))
    target = choose_target(present, "y").fit(present, "y")
    assert np.isfinite(target.read(present)).all()
    features = choose_kinds(present, "y").fit(present)
    assert np.isfinite(encode(features, present)).all()


@pytest.mark.parametrize("seed", range(10))
def test_mutated_tables(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    path, good = tmp_path / "t.csv", 0
    for _ in range(100):
        path.write_bytes(mutated(rng))
        try:
            look_at(path)
            good += 1
        except ValueError as error:
            said = str(error)
            assert said.startswith(str(path)), said
            assert said.isprintable(), said
            assert len(said) < 1000
    assert 5 < good < 95
