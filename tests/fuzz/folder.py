"""Folders of images, told as text: `kind path content`, a line for each entry.

The kinds: `d` folder, `f` file, `l` link to a path in the tree, `p` pipe.
"""

import os
import shutil
from random import Random

import numpy as np

from fastnn import FileFormatError
from fastnn.vision import datasets
from fuzz import scratch

ALLOWED = (OSError, ValueError)  # FileFormatError among them
BLUNT = 0.1
_NAMES = ("a", "b", "B", ".hidden", "a b", "\u00e9", "1.pgm", "2.PGM", "3.png", ".4.pgm", "x.txt",
          "\udc80.pgm", "n" * 250 + ".pgm", "\n.pgm")  # fmt: skip
_IMAGES = ("P5 2 1 255 ab", "P5 1 1 255 a", "P5 2 1 255 a", "P6 1 1 255 abc", "", "junk")


def read(content: bytes) -> datasets.ImageFolder:
    root = str(scratch.folder() / "tree")
    shutil.rmtree(root, ignore_errors=True)
    _make(root, content.decode(errors="surrogateescape"))
    return datasets.ImageFolder(root)


def verify(content: bytes, data: datasets.ImageFolder) -> str:
    assert data.classes == sorted(data.classes)
    assert len(data) == len(data.targets) > 0
    assert set(data.targets) == set(range(len(data.classes)))
    refused = 0
    for path, label in data.samples:
        assert path.startswith(os.path.join(data.root, data.classes[label]) + os.sep)
    for i in range(len(data)):
        try:
            image, label = data[i]
        except (FileFormatError, OSError):
            refused += 1
            continue
        assert np.array_equal(np.asarray(data[i][0]), np.asarray(image)), "another image when kept"
    if not refused and len({data[i][0].size for i in range(len(data))}) == 1:
        images, labels = data.fetch(np.arange(len(data)))
        assert len(images) == len(labels) == len(data)
    return f"{len(data.classes)} {min(len(data), 4)} {min(refused, 2)}"


def _make(root: str, text: str) -> None:
    """The tree as far as the system lets us make it."""
    os.mkdir(root)
    for line in text.split("\n")[:40]:
        kind, name, content = (*line.split(" ", 2), "", "")[:3]
        path = _inside(root, name)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if kind == "d":
                os.makedirs(path, exist_ok=True)
            elif kind == "l":
                os.symlink(_inside(root, content), path)
            elif kind == "p":
                os.mkfifo(path)
            elif kind == "f":
                with open(path, "xb") as file:
                    file.write(content.encode(errors="surrogateescape"))
        except (OSError, ValueError):  # names too long, there already, or with NUL
            continue


def _inside(root: str, name: str) -> str:
    """A path below `root`, wherever the name would lead."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return os.path.join(root, *parts[:6])


def change(content: bytes, chance: Random) -> bytes:
    """An entry added, changed, removed or doubled."""
    lines = content.decode(errors="surrogateescape").split("\n")
    i = chance.randrange(len(lines))
    what = chance.randrange(4)
    if what == 0:
        lines[i] = " ".join((chance.choice("dflp"), *lines[i].split(" ", 2)[1:]))
    elif what == 1 and len(lines) > 1:
        del lines[i]
    else:
        path = "/".join(chance.choice(_NAMES) for _ in range(chance.randint(1, 4)))
        if what == 2 and " " in lines[i]:
            path = lines[i].split(" ")[1] + "/" + path
        end = chance.choice(_IMAGES) if chance.random() < 0.7 else path.rpartition("/")[0]
        lines.insert(i, f"{chance.choice('ddfffflp')} {path} {end}")
    return "\n".join(lines).encode(errors="surrogateescape")


def seeds() -> dict[str, bytes]:
    two = "f cat/1.pgm P5 2 1 255 ab\nf dog/1.pgm P5 2 1 255 cd\n"
    trees = {
        "good-two-classes": two,
        "good-nested": two + "f cat/x/y/2.pgm P5 2 1 255 ab\nf cat/.git/3.pgm junk\n",
        "good-link": two + "l cat/link dog\n",
        "good-dead-link": two + "l cat/2.png nowhere\n",
        "good-pipe": two + "p cat/2.pgm\n",
        "good-damaged-image": two + "f cat/2.pgm P5 2 1 255 a\n",
        "good-sizes": two + "f cat/2.pgm P5 1 1 255 a\n",
        "good-names": two + "f \u00e9/1.pgm P5 2 1 255 ab\nf a\u2028b/1.PGM P5 2 1 255 ab\n",
        "bad-empty": "",
        "bad-no-class": "f 1.pgm P5 2 1 255 ab\n",
        "bad-empty-class": two + "d empty\n",
        "bad-loop": two + "l cat/link cat\n",
    }
    return {name: text.encode() for name, text in trees.items()}
