"""The report: a page that holds what it must, of nothing but itself, whatever the names are."""

import base64
import io
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import (
    mean_absolute_error,
    precision_recall_fscore_support,
    r2_score,
    root_mean_squared_error,
)
from support import run_python

import fastnn
from fastnn import History, report

_rng = np.random.default_rng(0)
TRUE = _rng.integers(0, 4, 120)
LOGITS = 2 * np.eye(4)[TRUE] + _rng.normal(size=(120, 4))
IMAGES = (_rng.random((120, 6, 6)) < 0.3).astype(np.uint8) * 200
PRICES = _rng.normal(200, 50, 60)
GUESSES = PRICES + _rng.normal(0, 10, 60)
EVIL = ["<script>alert(1)</script>", "\" onload='x' a=\"", "&amp; &lt;b&gt; </td></table>",
        "tab\tbell\x07 中文 -->"]  # fmt: skip


class Read(HTMLParser):
    """A page as a browser takes it: elements, texts, tables; refuses what is not well formed."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.images: list[dict[str, str | None]] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in ("meta", "img"):
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)
            if {"th", "td"} & set(self._open[-2:]):
                self.rows[-1][-1] += data

    def row(self, name: str) -> list[str]:
        """The cells behind a name, which is once at the beginning of a line."""
        [cells] = [row[1:] for row in self.rows if row[0] == name]
        return cells

    def below(self, first: str) -> list[list[str]]:
        """The lines of the table whose header begins so, up to the next header or the end."""
        start = next(i for i, row in enumerate(self.rows) if row[0] == first) + 1
        width = len(self.rows[start - 1])
        lines = []
        for row in self.rows[start:]:
            if len(row) != width:
                break
            lines.append(row)
        return lines


def history(epochs: int = 3) -> History:
    made = History()
    for e in range(1, epochs + 1):
        made.add({"loss": 1 / e, "accuracy": 1 - 0.5 / e, "val_loss": 1 + abs(e - 2),
                  "val_accuracy": 0.5 - 0.1 * abs(e - 2)}, 0.1 / e, 2.0)  # fmt: skip
    return made


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Read]:
    """Write a report and read it."""

    def make(*args: Any, **options: Any) -> Read:
        return Read(report.write(tmp_path / "new" / "folder", *args, **options))

    return make


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())


# --- what it is made of ---


def test_a_report_on_classes(read: Callable[..., Read], tmp_path: Path) -> None:
    page = read(history(), targets=TRUE, outputs=LOGITS, images=IMAGES, settings={"seed": 7})
    assert page.texts["h1"] == ["Training report"]
    assert page.texts["h2"] == ["Training", "Confusion matrix", "Classes", "Worst mistakes",
                                "Settings", "Environment"]  # fmt: skip
    accuracy = 100 * np.mean(LOGITS.argmax(1) == TRUE)
    shown = dict(zip(page.texts["dt"], page.texts["dd"], strict=True))
    assert shown == {"accuracy": f"{accuracy:.2f} %", "rows": "120", "classes": "4",
                     "epochs": "3", "training seconds": "6.0"}  # fmt: skip
    pictures = ["confusion.png", "curves.png", "learning_rate.png", "mistakes.png"]
    assert files(tmp_path) == [*pictures, "report.html"]
    assert page.row("val_loss") == ["2", "1", "2"]
    assert page.row("val_accuracy") == ["0.4", "0.5", "2"]
    assert page.row("loss") == ["0.3333", "0.3333", "3"]
    assert page.row("seed") == ["7"]


def test_a_report_on_numbers(read: Callable[..., Read], tmp_path: Path) -> None:
    page = read(history(), targets=PRICES, outputs=GUESSES[:, None], names=["price ($)"])
    assert page.texts["h2"] == ["Training", "Predicted and true", "Largest errors", "Environment"]
    assert files(tmp_path) == ["curves.png", "learning_rate.png", "predictions.png", "report.html"]
    r2, rmse = r2_score(PRICES, GUESSES), root_mean_squared_error(PRICES, GUESSES)
    assert page.texts["dd"][:3] == [f"{r2:.4f}", f"{rmse:.4g}", "60"]
    mae = mean_absolute_error(PRICES, GUESSES)
    assert page.row("price ($)") == [f"{r2:.4f}", f"{rmse:.4g}", f"{mae:.4g}",
                                     f"{np.std(PRICES):.4g}"]  # fmt: skip
    errors = GUESSES - PRICES
    worst = np.argsort(-np.abs(errors))[:15]
    assert page.below("row") == [
        [str(i), f"{PRICES[i]:.5g}", f"{GUESSES[i]:.5g}", f"{errors[i]:+.4g}"] for i in worst
    ]


def test_several_columns_of_numbers(read: Callable[..., Read]) -> None:
    true = np.column_stack([PRICES, PRICES / 1000, np.full(60, 3.0)])
    given = true + _rng.normal(size=(60, 3)) * [10, 0.02, 0]
    page = read(
        targets=true, outputs=given, names=["a", "b", "c"], rows=[f"r{i}" for i in range(60)]
    )
    for k, name in enumerate("ab"):
        assert page.row(name)[0] == f"{r2_score(true[:, k], given[:, k]):.4f}"
    assert page.row("c")[1:] == ["0", "0", "0"]
    lines = page.below("row")
    assert {line[1] for line in lines} <= {"a", "b"}  # by their spread, not by their unit
    assert [line[1] for line in lines].count("b") > 7
    assert all(line[0].startswith("r") for line in lines)
    assert page.texts["dt"] == ["R²", "rows"]


@pytest.mark.parametrize("targets", [TRUE, np.eye(4)[TRUE]], ids=["numbers", "one-hot"])
def test_each_class(targets: Any, read: Callable[..., Read]) -> None:
    names = ["ant", "bee", "cow", "doe"]
    page = read(targets=targets, outputs=fastnn.tensor(LOGITS), names=names)
    given = LOGITS.argmax(1)
    measured = precision_recall_fscore_support(TRUE, given)
    for c, name in enumerate(names):
        precision, recall, f1 = (f"{100 * m[c]:.2f} %" for m in measured[:3])
        counts = np.bincount(given[(c == TRUE) & (given != c)], minlength=4)
        rival = f"{names[counts.argmax()]} ({counts.max()})"
        assert page.row(name) == [str(measured[3][c]), precision, recall, f1, rival]


def test_worst_mistakes(read: Callable[..., Read]) -> None:
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    given, own = LOGITS.argmax(1), shares[np.arange(120), TRUE]
    wrong = np.flatnonzero(given != TRUE)
    worst = wrong[np.argsort(own[wrong])]
    pages = [read(targets=TRUE, outputs=form, rows=range(2, 122)) for form in (LOGITS, shares)]
    for page in pages:
        assert page.below("row") == [
            [str(i + 2), str(TRUE[i]), str(given[i]), f"{100 * own[i]:.2f} %",
             f"{100 * shares[i, given[i]]:.2f} %"] for i in worst[:15]
        ]  # fmt: skip


def test_worst_mistakes_as_images(read: Callable[..., Read], tmp_path: Path) -> None:
    page = read(targets=TRUE, outputs=LOGITS, images=IMAGES)
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    wrong = np.flatnonzero(LOGITS.argmax(1) != TRUE)
    worst = wrong[np.argsort(shares[wrong, TRUE[wrong]])][:40]
    figure = fastnn.plot.digits(IMAGES[worst], TRUE[worst], LOGITS.argmax(1)[worst])
    figure.savefig(tmp_path / "expected.png")
    drawn, expected = (np.asarray(Image.open(tmp_path / name))
                       for name in ("new/folder/mistakes.png", "expected.png"))  # fmt: skip
    assert np.array_equal(drawn, expected)
    assert f"the {len(worst)} of {len(wrong)} mistakes" in page.images[-1]["alt"]


def test_nothing_wrong(read: Callable[..., Read], tmp_path: Path) -> None:
    page = read(targets=[0, 1], outputs=[[1.0, 0.0], [0.0, 1.0]], images=IMAGES[:2])
    assert "Worst mistakes" not in page.texts["h2"]
    assert files(tmp_path) == ["confusion.png", "report.html"]


def test_a_class_without_rows(read: Callable[..., Read]) -> None:
    page = read(targets=["a", "b"], outputs=[[1, 0, 0], [1, 0, 0]], names=["a", "b", "c"])
    assert page.row("c") == ["0", "", "", "", ""]
    assert page.row("b") == ["1", "", "0.00 %", "0.00 %", "a (1)"]


def test_many_classes(read: Callable[..., Read]) -> None:
    targets = np.arange(300)
    outputs = np.eye(300)[np.where(targets < 280, (targets + 1) % 280, targets)]
    page = read(targets=targets, outputs=outputs)
    assert len(page.below("class")) == 100
    assert any("100 of 300 classes" in text for text in page.texts["p"])


@pytest.mark.parametrize(("targets", "outputs"), [
    ([0, 1, 1], [-3.0, 4.0, -0.5]), ([False, True, True], [[0.2], [0.9], [0.4]]),
    ([0, 1, 1], [0.2, 0.9, 0.4]), (["no", "yes", "yes"], [-1000.0, 1000.0, -0.5]),
])  # fmt: skip
def test_two_classes_by_one_output(targets: Any, outputs: Any, read: Callable[..., Read]) -> None:
    names = ["no", "yes"]
    page = read(targets=targets, outputs=outputs, names=names)
    assert page.texts["dd"][:3] == ["66.67 %", "3", "2"]
    assert page.row("no") == ["1", "50.00 %", "100.00 %", "66.67 %", ""]


@pytest.mark.parametrize(("targets", "outputs", "kind", "is_classes"), [
    (TRUE, LOGITS, None, True), (TRUE.astype(float), LOGITS[:, 0], None, False),
    (TRUE, LOGITS[:, 0], None, False), (TRUE > 1, LOGITS[:, 0], None, True),
    (TRUE % 2, LOGITS[:, 0], None, True), (TRUE % 2, LOGITS[:, 0], "numbers", False),
    (LOGITS, LOGITS + 1, None, False), (np.eye(4)[TRUE], LOGITS, "numbers", False),
    (fastnn.tensor(TRUE), LOGITS, None, True),
])  # fmt: skip
def test_classes_or_numbers(targets: Any, outputs: Any, kind: str | None, is_classes: bool,
                            read: Callable[..., Read]) -> None:  # fmt: skip
    page = read(targets=targets, outputs=outputs, kind=kind)
    assert ("Confusion matrix" in page.texts["h2"]) is is_classes


# --- a page of its own ---


def test_it_needs_no_other_file(read: Callable[..., Read], tmp_path: Path) -> None:
    page = read(history(), targets=TRUE, outputs=LOGITS, images=IMAGES)
    assert set(page.tags).isdisjoint({"script", "link", "iframe", "object", "a"})
    sources = [value or "" for name, value in page.attributes if name in ("src", "href")]
    assert len(sources) == len(page.images) == 4
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    beside = {path.read_bytes() for path in (tmp_path / "new" / "folder").glob("*.png")}
    embedded = [base64.b64decode(source.partition(",")[2]) for source in sources]
    assert set(embedded) == beside
    for png, image in zip(embedded, page.images, strict=True):
        width, height = Image.open(io.BytesIO(png)).size
        assert int(image["width"] or 0) == round(width * 96 / 150)
        assert int(image["height"] or 0) == pytest.approx(height * 96 / 150, abs=1)
        assert image["alt"]
        assert image["alt"] in page.texts["figcaption"]
    text = (tmp_path / "new" / "folder" / "report.html").read_text()
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert '<meta charset="utf-8">' in text
    assert "url(" not in text
    assert len(text) < 1_000_000


def test_names_are_shown_as_they_are(read: Callable[..., Read]) -> None:
    """Whatever they hold, they are text: no element and no attribute comes from them."""
    plain = read(history(), targets=TRUE, outputs=LOGITS, names=list("abcd"), images=IMAGES,
                 title="t", settings={"a": "b"}, results={"a": {"b": 1}, "c": "d"},
                 rows=["r"] * 120)  # fmt: skip
    page = read(history(), targets=TRUE, outputs=LOGITS, names=EVIL, images=IMAGES,
                title=EVIL[0], settings={EVIL[1]: EVIL[2]},
                results={EVIL[0]: {EVIL[1]: EVIL[2]}, EVIL[2]: EVIL[3]},
                rows=EVIL * 30)  # fmt: skip
    assert page.tags == plain.tags
    assert [name for name, _ in page.attributes] == [name for name, _ in plain.attributes]
    assert page.texts["h1"] == [EVIL[0]]
    assert page.texts["title"] == [EVIL[0]]
    shown = [name.replace("\x07", "\ufffd") for name in EVIL]
    assert [row[0] for row in page.below("class")] == shown
    assert ["", EVIL[1]] in page.rows
    assert [EVIL[1], EVIL[2]] in page.rows
    assert [EVIL[0], EVIL[2]] in page.rows
    assert [EVIL[2], shown[3]] in page.rows
    assert {row[1] for row in page.below("row")} <= set(shown)
    assert {row[0] for row in page.below("row")} <= set(shown)


def test_names_of_columns_are_shown_as_they_are(read: Callable[..., Read]) -> None:
    page = read(targets=LOGITS, outputs=LOGITS + 1, names=EVIL)
    shown = [name.replace("\x07", "\ufffd") for name in EVIL]
    assert [row[0] for row in page.below("")[:4]] == shown
    assert {row[1] for row in page.below("row")} <= set(shown)
    assert "script" not in page.tags


def test_text_that_no_file_can_hold(read: Callable[..., Read]) -> None:
    page = read(title="a\nb \ud800", settings={"half": "\ud800"})
    assert page.texts["h1"] == page.texts["title"] == ["a b ?"]
    assert page.row("half") == ["?"]


def test_lines_are_kept(read: Callable[..., Read]) -> None:
    model = fastnn.nn.Sequential(fastnn.nn.Linear(3, 2))
    page = read(settings={"model": model.summary(), "lr": np.float64(0.001), "none": None})
    assert page.texts["pre"] == [str(model.summary())]
    assert page.row("lr") == ["0.001"]
    assert page.row("none") == ["None"]


def test_results(read: Callable[..., Read]) -> None:
    page = read(results={"network": {"accuracy": 0.9512345, "loss": 0.1}, "linear": {"loss": 0.2},
                         "rows": 100})  # fmt: skip
    assert page.row("rows") == ["100"]
    assert page.below("") == [["network", "0.951234", "0.1"], ["linear", "", "0.2"]]


def test_environment(read: Callable[..., Read]) -> None:
    fastnn.set_num_threads(1)
    fastnn.set_isa("baseline")
    page = read()
    assert page.row("fastnn") == [fastnn.__version__]
    assert page.row("instructions") == ["baseline"]
    assert page.row("threads") == ["1"]
    assert page.row("numpy") == [np.__version__]
    for name in ("python", "cpu", "system", "written"):
        assert page.row(name) != [""]


def test_a_second_report_takes_the_place_of_the_first(
    read: Callable[..., Read], tmp_path: Path
) -> None:
    read(targets=TRUE, outputs=LOGITS, title="one")
    assert read(targets=TRUE, outputs=LOGITS, title="two").texts["h1"] == ["two"]
    assert files(tmp_path) == ["confusion.png", "report.html"]


def test_an_empty_history(read: Callable[..., Read]) -> None:
    assert read(History()).texts["h2"] == ["Environment"]


def test_it_is_loaded_when_it_is_asked_for() -> None:
    done = run_python(
        "import fastnn, sys; heavy = {'fastnn.report', 'xml.etree.ElementTree', 'matplotlib'}\n"
        "assert not heavy & sys.modules.keys(); fastnn.report.write\n"
        "from fastnn import report; assert report is fastnn.report\n"
        "assert 'matplotlib' not in sys.modules"
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- bad input ---

NAN = np.where(np.arange(120)[:, None] == 5, np.nan, LOGITS)
BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"targets": TRUE}, ValueError, "targets and outputs of the same rows, got one of them"),
    ({"targets": TRUE, "outputs": LOGITS[:50]}, ValueError, "as many predictions as targets"),
    ({"targets": TRUE, "outputs": NAN}, ValueError, "finite outputs, got NaN or .* in row 5"),
    ({"targets": TRUE, "outputs": LOGITS[:, :2]}, IndexError, "expected targets from 0 to 1"),
    ({"targets": TRUE, "outputs": LOGITS, "kind": "class"}, ValueError, "'classes' or 'numbers'"),
    ({"targets": TRUE, "outputs": LOGITS, "names": ["a"]}, ValueError, "names of 4 classes, got 1"),
    ({"targets": TRUE, "outputs": LOGITS, "images": IMAGES[:3]}, ValueError, "120 images, one a"),
    ({"targets": TRUE, "outputs": LOGITS, "rows": [1]}, ValueError, "expected 120 rows, one a row"),
    ({"targets": TRUE, "outputs": LOGITS[None], "kind": "classes"}, ValueError,
     r"outputs of shape \(N, C\) or \(N,\), .* got \(1, 120, 4\)"),
    ({"targets": PRICES, "outputs": LOGITS}, ValueError, r"one shape, got \(60,\) and \(120, 4\)"),
    ({"targets": PRICES, "outputs": GUESSES, "names": ["a", "b"]}, ValueError, "expected 1 names"),
    ({"targets": PRICES, "outputs": GUESSES, "rows": [1]}, ValueError, "expected 60 rows"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error", "pattern"), BAD)
def test_bad_input(
    options: dict[str, Any], error: type[Exception], pattern: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=pattern):
        report.write(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_no_such_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        report.write(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        report.prepare(tmp_path / "file" / "folder")
