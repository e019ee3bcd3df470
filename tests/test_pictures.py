"""Pictures of answers and weights: what they hold, and that it can be seen and read."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from picture_support import grey, is_blank, overhang
from PIL import Image
from sklearn.metrics import confusion_matrix, r2_score, root_mean_squared_error

import fastnn
from fastnn import nn, plot

_rng = np.random.default_rng(0)
TRUE = _rng.integers(0, 12, 300)
GIVEN = np.where(_rng.random(300) < 0.7, TRUE, _rng.integers(0, 12, 300))
NUMBERS = _rng.normal(50, 20, (300, 2))
IMAGES = (_rng.random((7, 28, 28)) < 0.3).astype(np.uint8) * 200
LONG = [f"a class with a long name, number {i}" for i in range(12)]
ODD = [r"$\frac{", "_hidden", "two\nlines", "<b>", "", "50 % & more", "%s {0}", "ß→∞", "#",
       "A" * 300, r"\n", "^_$"]  # fmt: skip

DRAWN: dict[str, Callable[[], Any]] = {
    "confusion": lambda: plot.confusion_matrix(TRUE, GIVEN),
    "confusion, long names": lambda: plot.confusion_matrix(TRUE, GIVEN, LONG),
    "confusion, odd names": lambda: plot.confusion_matrix(TRUE, GIVEN, ODD, title="$x_"),
    "confusion, two classes": lambda: plot.confusion_matrix(["no", "yes"], ["no", "no"]),
    "confusion, one class": lambda: plot.confusion_matrix([0], [0]),
    "confusion, part": lambda: plot.confusion_matrix(TRUE, GIVEN, limit=4),
    "digits": lambda: plot.digits(IMAGES, range(7), [0, 1, 2, 3, 9, 5, 6], title="$x_"),
    "digits, one": lambda: plot.digits(IMAGES[:1]),
    "digits, long names": lambda: plot.digits(IMAGES, range(7), range(1, 8), LONG),
    "digits, odd names": lambda: plot.digits(IMAGES, range(7), range(1, 8), ODD),
    "digits, small": lambda: plot.digits(np.eye(2)[None], [3], [4]),
    "weights": lambda: plot.weights(_rng.normal(size=(7, 64))),
    "weights, map": lambda: plot.weights(_rng.normal(size=(7, 13)), names=[*ODD, "last"]),
    "weights, one": lambda: plot.weights(-np.ones((1, 1))),
    "predictions": lambda: plot.predictions(NUMBERS[:, 0], NUMBERS[:, 1], names=["price ($)"]),
    "predictions, columns": lambda: plot.predictions(NUMBERS, NUMBERS + 1, names=ODD[:2]),
    "learning rate": lambda: plot.learning_rate(history([0.1, 0.01, 0.001])),
}


def history(rates: list[float], **logs: list[float]) -> fastnn.History:
    made = fastnn.History()
    for i, rate in enumerate(rates):
        made.add({"loss": 1.0, **{name: values[i] for name, values in logs.items()}}, rate, 1.0)
    return made


@pytest.mark.parametrize("name", DRAWN)
def test_it_can_be_seen_and_read(name: str) -> None:
    """Nothing is cut off, whatever the names; there is ink, in grey too; a README can hold it."""
    figure = DRAWN[name]()
    assert overhang(figure) < 2
    assert not is_blank(figure)
    width, height = figure.get_size_inches()
    assert 0.5 <= width <= 15
    assert 0.5 <= height <= 15
    assert figure.dpi == 150


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_it_is_written(suffix: str, tmp_path: Any) -> None:
    path = tmp_path / f"x.{suffix}"
    plot.confusion_matrix([0, 1], [1, 1], path=path)
    plot.digits(IMAGES, path=tmp_path / f"d.{suffix}")
    plot.weights(np.ones((2, 3)), tmp_path / f"w.{suffix}")
    plot.predictions([1.0], [2.0], tmp_path / f"p.{suffix}")
    plot.learning_rate(history([0.1]), tmp_path / f"l.{suffix}")
    heads = {file.read_bytes()[:4] for file in tmp_path.iterdir()}
    assert heads == {{"png": b"\x89PNG", "svg": b"<?xm", "pdf": b"%PDF"}[suffix]}
    assert len(list(tmp_path.iterdir())) == 5


def test_a_notebook_shows_it() -> None:
    figure = plot.predictions([1.0, 2.0], [2.0, 1.0])
    png, size = figure._repr_png_()
    image = Image.open(io.BytesIO(png))
    width, height = figure.get_size_inches()
    assert image.size == (round(150 * width), round(150 * height))
    assert size == {"width": round(96 * width), "height": round(96 * height)}


# --- classes ---


@pytest.mark.parametrize(("names", "limit"), [(None, 30), (LONG, 30), (LONG, 5)])
def test_confusion(names: Any, limit: int) -> None:
    figure = plot.confusion_matrix(TRUE, GIVEN, names, limit=limit)
    axes, bar = figure.axes
    counts = confusion_matrix(TRUE, GIVEN)
    mistakes = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal()
    chosen = np.sort(np.argsort(-mistakes, kind="stable")[:limit])
    part = counts[np.ix_(chosen, chosen)]
    written = {tuple(map(int, text.get_position()[::-1])): int(text.get_text())
               for text in axes.texts}  # fmt: skip
    assert written == {(i, j): n for (i, j), n in np.ndenumerate(part) if n}
    shares = 100 * part / counts.sum(1)[chosen][:, None]
    np.testing.assert_allclose(axes.images[0].get_array(), shares)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        words = [label.get_text() for label in labels]
        assert words == [("a class with a lo…" if names else str(c)) for c in chosen]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert bar.get_ylabel() == "share of the true class (%)"
    accuracy = f"accuracy {100 * np.mean(TRUE == GIVEN):.2f} %"
    assert axes.get_title() == accuracy + ("; 5 of 12 classes" if limit == 5 else "")


def test_numbers_stand_out_from_their_fields() -> None:
    """Black on light and white on dark, by the luminance of the field."""
    true, share = np.repeat(np.arange(20), 100), np.tile(np.arange(100), 20)
    figure = plot.confusion_matrix(true, np.where(share < 5 * true, 0, true))
    pixels, axes = grey(figure), figure.axes[0]
    for text in axes.texts:
        x, y = axes.transData.transform(np.add(text.get_position(), 0.4))
        field = (pixels[len(pixels) - int(y), int(x)] / 255) ** 2.2
        ink = {"white": 1.0, "black": 0.0}[text.get_color()]
        light, dark = max(ink, field) + 0.05, min(ink, field) + 0.05
        assert light / dark > 4.4  # WCAG asks for 4.5; sRGB is not quite a power


def test_numbers_fit_into_their_fields() -> None:
    """However much room the names take."""
    figure = plot.confusion_matrix(np.repeat(TRUE, 60), np.repeat(GIVEN, 60), LONG)
    grey(figure)  # lays it out
    axes = figure.axes[0]
    (x0, y0), (x1, y1) = axes.transData.transform([(0, 0), (1, 1)])
    for text in axes.texts:
        extent = text.get_window_extent()
        assert extent.width < abs(x1 - x0)
        assert extent.height < abs(y1 - y0)


# --- images ---


def test_digits_are_drawn_as_they_are() -> None:
    figure = plot.digits(IMAGES, list("abcdefg"), list("abXdefg"), columns=4)
    [axes] = figure.axes
    sheet = np.asarray(axes.images[0].get_array().filled(np.nan))
    ink = 1 - IMAGES / 255  # mostly dark: drawn as ink on paper
    height, width = sheet.shape[0] // 2, sheet.shape[1] // 4
    for i, picture in enumerate(ink):
        y, x = i // 4 * height, i % 4 * width
        assert np.array_equal(sheet[y : y + 28, x : x + 28], picture)
    assert np.isnan(sheet[height : height + 28, 3 * width :]).all()  # no eighth one
    words = [text.get_text() for text in axes.texts]
    assert words == ["a", "b", "c → X", "d", "e", "f", "g"]
    assert [text.get_color() != "black" for text in axes.texts] == [i == 2 for i in range(7)]
    assert plot.digits(IMAGES[:1], ["→"], ["→"]).axes[0].texts[0].get_color() == "black"


@pytest.mark.parametrize("form", ["rows", "channel first", "channel last", "floats", "tensor"])
def test_every_form_of_grey_images(form: str) -> None:
    given = {
        "rows": IMAGES.reshape(7, -1), "channel first": IMAGES[:, None],
        "channel last": IMAGES[..., None], "floats": IMAGES / 200 - 3,
        "tensor": fastnn.tensor(IMAGES),
    }[form]  # fmt: skip
    expected = plot.digits(IMAGES).axes[0].images[0].get_array()
    if form == "floats":  # from the darkest to the lightest there is
        expected = 1 - (1 - expected) * (255 / 200)
    got = plot.digits(given).axes[0].images[0].get_array()
    np.testing.assert_allclose(got.filled(9), expected.filled(9), atol=1e-12)


@pytest.mark.parametrize("first", [True, False])
def test_colours(first: bool) -> None:
    pictures = _rng.integers(0, 256, (2, 5, 6, 3)).astype(np.uint8)
    figure = plot.digits(np.moveaxis(pictures, 3, 1) if first else pictures)
    sheet = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_allclose(sheet[:5, :6], pictures[0] / 255)


def test_light_images_stay_as_they_are() -> None:
    light = 255 - IMAGES
    sheet = plot.digits(light).axes[0].images[0].get_array()
    np.testing.assert_allclose(sheet[:28, :28], light[0] / 255)


def test_only_the_first_are_drawn() -> None:
    figure = plot.digits(np.zeros((30, 4, 4)), np.arange(30), limit=12)
    assert [text.get_text() for text in figure.axes[0].texts] == [str(i) for i in range(12)]


@pytest.mark.parametrize("given", ["model", "layer", "parameter", "array"])
def test_weights_of_images(given: str) -> None:
    layer = nn.Linear(64, 5)
    array = layer.weight.detach().numpy()
    model = nn.Sequential(nn.Flatten(), nn.Sequential(layer), nn.ReLU(), nn.Linear(5, 2))
    forms = {"model": model, "layer": layer, "parameter": layer.weight, "array": array}
    figure = plot.weights(forms[given])
    axes, bar = figure.axes
    np.testing.assert_allclose(axes.images[0].get_array()[:8, :8], array[0].reshape(8, 8))
    assert [text.get_text() for text in axes.texts] == list("01234")
    low, high = axes.images[0].get_clim()
    assert low == -high < 0  # grey is zero
    assert bar.get_ylabel() == "weight"
    np.testing.assert_allclose(
        plot.weights(forms[given], shape=(4, 16)).axes[0].images[0].get_array()[:4, :16],
        array[0].reshape(4, 16),
    )


@pytest.mark.parametrize("inputs", [13, 49, 64])
def test_weights_of_columns(inputs: int) -> None:
    array = _rng.normal(size=(9, inputs))
    names = [f"n{i}" for i in range(inputs)]
    figure = plot.weights(array, names=names, shape=(1, inputs) if inputs == 64 else None, limit=6)
    axes = figure.axes[0]
    assert np.array_equal(axes.images[0].get_array(), array[:6])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("input", "unit")
    assert [label.get_text() for label in axes.get_xticklabels()] == names


def test_weights_are_told_apart_in_grey() -> None:
    """From the most negative to the largest weight the map only gets lighter."""
    figure = plot.weights(np.linspace(-1, 1, 20).reshape(1, 20))
    pixels, axes = grey(figure), figure.axes[0]
    places = [axes.transData.transform((x, 0)) for x in range(20)]
    shades = [int(pixels[len(pixels) - int(y), int(x)]) for x, y in places]
    assert np.diff(shades).min() >= 0
    assert shades[-1] - shades[0] > 150


# --- numbers ---


@pytest.mark.parametrize("shape", [(300,), (300, 1), (300, 2)])
def test_predictions(shape: tuple[int, ...]) -> None:
    true = NUMBERS.ravel()[: np.prod(shape)].reshape(shape)
    given = true * 0.9 + _rng.normal(0, 5, shape)
    columns = 1 if len(shape) == 1 else shape[1]
    figure = plot.predictions(true, given[:, 0] if shape == (300, 1) else given,
                              names=["a", "b"][:columns])  # fmt: skip
    for k, axes in enumerate(figure.axes):
        x, y = true.reshape(300, -1)[:, k], given.reshape(300, -1)[:, k]
        assert np.array_equal(axes.collections[0].get_offsets(), np.column_stack([x, y]))
        assert axes.get_xlabel() == f"true {'ab'[k]}"
        assert axes.get_ylabel() == f"predicted {'ab'[k]}"
        wanted = f"R² {r2_score(x, y):.3f}, RMSE {root_mean_squared_error(x, y):.4g}"
        assert axes.get_title() == wanted
        assert axes.get_xlim() == axes.get_ylim()
        line = axes.lines[0]
        assert np.array_equal(line.get_xdata(), line.get_ydata())
        assert axes.get_xlim()[0] < min(x.min(), y.min())
        assert axes.get_xlim()[1] > max(x.max(), y.max())
    assert len(figure.axes) == columns


def test_many_points_are_thinned_out() -> None:
    true = np.arange(12_001.0)
    figure = plot.predictions(true, true)
    points = figure.axes[0].collections[0].get_offsets()
    assert np.array_equal(points[:, 0], true[::3])


def test_equal_predictions() -> None:
    low, high = plot.predictions([3.0, 3.0], [3.0, 3.0]).axes[0].get_xlim()
    assert low < 3 < high


# --- learning rates ---


@pytest.mark.parametrize(("rates", "scale"), [
    ([0.1, 0.1], "linear"), ([0.0], "linear"), ([0.1, 0.01], "linear"), ([0.1, 0.001], "log"),
    ([0.1, 0.0], "linear"),
])  # fmt: skip
def test_learning_rate(rates: list[float], scale: str) -> None:
    [axes] = plot.learning_rate(history(rates)).axes
    assert axes.lines[0].get_ydata().tolist() == rates
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "learning rate")
    assert axes.get_yscale() == scale
    assert (axes.get_ylim()[0] == 0) == (scale == "linear")  # a constant rate looks constant
    assert axes.get_ylim()[1] > max(rates)
    assert axes.get_legend() is None


def test_learning_rates_of_groups() -> None:
    made = history([0.1, 0.2], lr_0=[0.1, 0.2], lr_1=[0.3, 0.4])
    [axes] = plot.learning_rate(made).axes
    drawn = {line.get_label(): line.get_ydata().tolist() for line in axes.lines}
    assert drawn == {"parameter group 0": [0.1, 0.2], "parameter group 1": [0.3, 0.4]}
    assert [axes.get_ylabel() for axes in made.plot().axes] == ["loss"]  # it has its own picture


# --- bad input ---

BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: plot.confusion_matrix([0], [0], limit=0), ValueError, "expected limit >= 1, got 0"),
    (lambda: plot.digits(np.zeros((2, 10))), ValueError, "rows of 3 x 3 = 9 values, got 10; pass"),
    (lambda: plot.digits(np.zeros((2, 9)), shape=(2, 4)), ValueError, "rows of 2 x 4 = 8 values"),
    (lambda: plot.digits(np.zeros((0, 4, 4))), ValueError, r"at least one, got shape \(0, 4, 4\)"),
    (lambda: plot.digits(np.zeros((2, 4, 4, 2))), ValueError, r"got shape \(2, 4, 4, 2\)"),
    (lambda: plot.digits(np.zeros(4)), ValueError, r"got shape \(4,\)"),
    (lambda: plot.digits(np.full((1, 4, 4), np.nan)), ValueError, "expected finite values"),
    (lambda: plot.digits(IMAGES, [1, 2]), ValueError, r"labels of shape \(7,\), one an image, "),
    (lambda: plot.digits(IMAGES, predicted=np.zeros((7, 10))), ValueError, "expected predicted"),
    (lambda: plot.digits(IMAGES, range(7), names=["a"]), IndexError, "0 to 0, got 1 in row 1"),
    (lambda: plot.digits(IMAGES, columns=0), ValueError, "expected columns >= 1, got 0"),
    (lambda: plot.weights(nn.ReLU()), ValueError, "expected a model with a Linear, got ReLU"),
    (lambda: plot.weights(np.zeros((2, 3, 4))), ValueError, r"got shape \(2, 3, 4\)"),
    (lambda: plot.weights(np.full((1, 4), np.inf)), ValueError, "expected finite weights"),
    (lambda: plot.weights(np.ones((2, 4)), names=["a"]), ValueError, "4 names, one an input, got"),
    (lambda: plot.weights(np.ones((2, 64)), shape=(8, 9)), ValueError, "8 x 9 = 72 values, got 64"),
    (lambda: plot.predictions([1.0], [1.0, 2.0]), ValueError, r"one shape, got \(1,\) and \(2,\)"),
    (lambda: plot.predictions([], []), ValueError, r"shape \(N,\) or \(N, K\), .* got \(0,\)"),
    (lambda: plot.predictions([1.0, np.nan], [1.0, 1.0]), ValueError, "finite targets, .* row 1"),
    (lambda: plot.predictions([1.0], [np.inf]), ValueError, "finite predictions, .* row 0"),
    (lambda: plot.predictions([1.0], [1.0], names=["a", "b"]), ValueError, "expected 1 names"),
    (lambda: plot.learning_rate(fastnn.History()), ValueError, "at least one epoch, got none"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "pattern"), BAD)
def test_bad_input(call: Callable[[], Any], error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call()
