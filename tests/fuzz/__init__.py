"""Fuzz targets for all that reads what others wrote, each a module of the same names.

`read(content)` reads a file of that content, or ends in one of the `ALLOWED` exceptions; any other
is wrong. `verify(content, value)` raises whatever shows that what was read is not the file's, and
returns a word for what it was. `change(content, chance)` makes another file of it that keeps most
of the format's rules, and `seeds()` are files to begin with: `good-` ones must be read and `bad-`
ones refused. `BLUNT` is the share of changes that look at bytes alone; few where a checksum finds
them all.

`python tests/fuzz/run.py` changes and reads by the million; what it finds becomes a file of
tests/corpus, which pytest replays (test_corpus.py) with the seeds that lie there (seed.py).
"""

TARGETS = ("idx", "packed", "checkpoint", "model", "state", "table", "picture", "folder")
