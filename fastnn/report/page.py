"""An HTML page without links to anything: text, tables, pictures.

The page is a tree, written out by the standard library, which escapes every text and attribute:
names of classes and columns are user data.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from fastnn.serialization import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Page"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 2em auto;
       max-width: 60em; padding: 0 1.2em; }
h1 { font-size: 1.7em; margin: 0 0 .6em; }
h2 { font-size: 1.2em; margin: 2em 0 .6em; padding-top: .8em; border-top: 1px solid #ccc; }
figure { margin: 1em 0; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption, p { color: #444; margin: .4em 0; max-width: 45em; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd;
         vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; border-bottom-color: #888; }
tbody th { font-weight: 400; border-bottom-color: #ddd; }
th:first-child, table.words td { text-align: left; }
table.words th { min-width: 8em; }
pre { margin: 0; font: 13px/1.4 ui-monospace, monospace; white-space: pre-wrap; }
dl { display: flex; flex-wrap: wrap; gap: .8em 2.4em; margin: 0; }
dt { color: #555; font-size: .9em; }
dd { margin: 0; font-size: 1.5em; font-weight: 600; }
@media print { body { margin: 0; max-width: none; } h2, figure, table { break-inside: avoid; } }
"""


class Page:
    """What is added appears below what there is.

    Args:
        title: Of the page.
        folder: Where its pictures are written too.

    >>> page = Page("Mice & men", Path("."))
    >>> page.paragraph("a < b")
    >>> page.html().count("Mice &amp; men"), page.html().count("<p>a &lt; b</p>")
    (2, 1)
    """

    def __init__(self, title: str, folder: Path) -> None:
        self.folder = folder
        self.root = ET.Element("html", lang="en")
        head = ET.SubElement(self.root, "head")
        ET.SubElement(head, "meta", charset="utf-8")
        ET.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
        _add(head, "title", " ".join(title.split()))
        ET.SubElement(head, "style").text = _STYLE
        self.body = ET.SubElement(self.root, "body")
        _add(self.body, "h1", " ".join(title.split()))

    def heading(self, text: str) -> None:
        """Begin a section."""
        _add(self.body, "h2", text)

    def paragraph(self, text: str) -> None:
        """A sentence or two."""
        _add(self.body, "p", text)

    def figures(self, pairs: Iterable[tuple[str, str]]) -> None:
        """The numbers to see first: what each is, and its value."""
        listed = ET.SubElement(self.body, "dl")
        for name, value in pairs:
            entry = ET.SubElement(listed, "div")
            _add(entry, "dt", name)
            _add(entry, "dd", value)

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Numbers below the names of their columns; the first column names the row."""
        table = ET.SubElement(self.body, "table")
        top = ET.SubElement(ET.SubElement(table, "thead"), "tr")
        for cell in header:
            _add(top, "th", cell, scope="col")
        _rows(table, rows)

    def words(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Names and what they stand for; text of several lines keeps them."""
        _rows(ET.SubElement(self.body, "table", {"class": "words"}), pairs)

    def picture(self, name: str, figure: Figure, caption: str) -> None:
        """A figure within the page, and the same as `name`.png in the folder."""
        png = io.BytesIO()
        with warnings.catch_warnings():
            # a name in a script that matplotlib's font has not stands in the tables all the same
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            figure.savefig(png, format="png")
        write_atomically(self.folder / f"{name}.png", png.getvalue())
        data = base64.b64encode(png.getvalue()).decode()
        width, height = (str(round(96 * inches)) for inches in figure.get_size_inches())
        frame = ET.SubElement(self.body, "figure")
        source = f"data:image/png;base64,{data}"
        ET.SubElement(frame, "img", src=source, alt=caption, width=width, height=height)
        _add(frame, "figcaption", caption)

    def html(self) -> str:
        """The page as text."""
        return "<!DOCTYPE html>\n" + ET.tostring(self.root, encoding="unicode", method="html")

    def write(self, name: str) -> Path:
        """Write it into the folder; returns where it is."""
        path = self.folder / name
        write_atomically(path, self.html().encode(errors="replace"))
        return path


# what may not stand in a page, but for tabs and the ends of lines
_CONTROLS = dict.fromkeys(set(range(32)) - {9, 10}, "\ufffd")


def _add(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    text = text.translate(_CONTROLS)
    if "\n" in text:  # of a table's cell
        ET.SubElement(ET.SubElement(parent, tag, attributes), "pre").text = text
    else:
        ET.SubElement(parent, tag, attributes).text = text


def _rows(table: ET.Element, rows: Iterable[Sequence[str]]) -> None:
    body = ET.SubElement(table, "tbody")
    for first, *others in rows:
        line = ET.SubElement(body, "tr")
        _add(line, "th", first, scope="row")
        for cell in others:
            _add(line, "td", cell)
