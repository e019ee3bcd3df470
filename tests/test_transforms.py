"""Transforms on Pillow images, arrays, Tensors and whole batches: from their definitions."""

import numpy as np
import pytest
from PIL import Image
from support import run_python

import fastnn
from fastnn.tensor import Tensor, as_array
from fastnn.vision import transforms as T

RANDOM = np.random.Generator(np.random.Philox(0))
RGB = RANDOM.integers(0, 256, (5, 6, 8, 3)).astype(np.uint8)
GREY = RGB[..., 0].copy()


def luma(rgb):
    """L = 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point, rounded: Pillow's convert("L")."""
    r, g, b = (rgb[..., i].astype(np.int64) for i in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 32768) // 65536).astype(np.uint8)


def pictures(arrays):
    return [Image.fromarray(array) for array in arrays]


def values(image):
    return as_array(image) if isinstance(image, Tensor) else np.asarray(image)


def tensors(arrays):
    """Channels first, in [0, 1]."""
    return T.ToTensor().batch(arrays)


# --- a batch is its images, whatever they are made of

BATCHED = {
    "Grayscale": T.Grayscale(),
    "Grayscale 3": T.Grayscale(3),
    "Resize (h, w)": T.Resize((4, 3)),
    "Resize shorter": T.Resize(3),
    "Resize larger": T.Resize((13, 9)),
    "Resize nearest": T.Resize((3, 5), T.InterpolationMode.NEAREST),
    "Resize same": T.Resize((6, 8)),
    "Invert": T.Invert(),
    "CenterCrop": T.CenterCrop((3, 5)),
    "CenterCrop pads": T.CenterCrop((9, 4)),
    "Compose": T.Compose([T.Resize(4), T.Grayscale(), T.CenterCrop(4), T.Invert()]),
}


@pytest.mark.parametrize("transform", BATCHED.values(), ids=BATCHED.keys())
@pytest.mark.parametrize("images", [RGB, GREY], ids=["RGB", "grey"])
def test_pictures_arrays_and_batches_agree(transform, images):
    expected = np.stack([np.asarray(transform(picture)) for picture in pictures(images)])
    ones = [transform(image) for image in images]
    np.testing.assert_array_equal(np.stack(ones), expected)
    for batch in images, list(images), pictures(images):
        got = transform.batch(batch)
        assert isinstance(got, np.ndarray) == (not isinstance(batch[0], Image.Image))
        np.testing.assert_array_equal(np.stack([np.asarray(image) for image in got]), expected)
    assert expected.dtype == np.uint8
    strided = np.repeat(images, 2, axis=2)[:, :, ::2]
    np.testing.assert_array_equal(transform.batch(strided), expected)


@pytest.mark.parametrize("transform", BATCHED.values(), ids=BATCHED.keys())
@pytest.mark.parametrize("images", [RGB, GREY], ids=["RGB", "grey"])
def test_tensors_agree_with_raw_images(transform, images):
    batch = tensors(images)
    got = transform.batch(batch)
    assert (type(got), got.dtype) == (Tensor, np.float32)
    expected = tensors(transform.batch(images)).numpy()
    if "3" in repr(transform) and images is GREY:
        got = Tensor.of(got.numpy()[:, : expected.shape[1]])
    np.testing.assert_allclose(got.numpy(), expected, atol=2.1 / 255)
    np.testing.assert_array_equal(transform(batch[0]).numpy(), transform.batch(batch)[0].numpy())


@pytest.mark.parametrize("transform", BATCHED.values(), ids=BATCHED.keys())
def test_a_batch_of_none(transform):
    assert len(transform.batch(RGB[:0])) == 0
    assert len(transform.batch(tensors(RGB)[:0])) == 0


@pytest.mark.parametrize("transform", BATCHED.values(), ids=BATCHED.keys())
def test_the_input_is_left_alone(transform):
    before = RGB.copy()
    transform.batch(RGB)
    np.testing.assert_array_equal(RGB, before)


# --- Grayscale


def test_grey_is_the_definition_and_pillows():
    rgb = RANDOM.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    grey = T.Grayscale()(rgb)
    np.testing.assert_array_equal(grey, luma(rgb))
    np.testing.assert_array_equal(grey, np.asarray(Image.fromarray(rgb).convert("L")))
    exact = rgb @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - exact).max() < 0.51
    three = T.Grayscale(3)(rgb)
    np.testing.assert_array_equal(three, np.stack([luma(rgb)] * 3, axis=-1))


def test_grey_of_floats_is_not_rounded():
    rgb = RANDOM.random((4, 5, 3))
    expected = 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]
    np.testing.assert_allclose(T.Grayscale()(rgb), expected, rtol=1e-15)
    x = Tensor.of(rgb.transpose(2, 0, 1).astype(np.float32))
    np.testing.assert_allclose(T.Grayscale()(x).numpy()[0], expected, rtol=1e-6)
    assert T.Grayscale(3)(x).shape == (3, 4, 5)


def test_grey_keeps_grey_and_drops_alpha():
    alpha = np.concatenate([RGB[0], GREY[0][..., None]], axis=-1)
    np.testing.assert_array_equal(T.Grayscale()(alpha), luma(RGB[0]))
    np.testing.assert_array_equal(T.Grayscale()(GREY[0]), GREY[0])
    np.testing.assert_array_equal(T.Grayscale()(GREY[0][..., None]), GREY[0])
    assert T.Grayscale()(Image.new("CMYK", (3, 2))).mode == "L"
    assert T.Grayscale(3)(Image.new("1", (3, 2))).mode == "RGB"


# --- Resize


def test_halving_is_the_triangle_filter():
    row = np.array([[0, 40, 80, 240, 16, 0, 0, 200]])
    # a triangle of width 4 around the middle of two pixels weighs 1 3 3 1; at the edge 3 3 1
    inner = (row[0, 1] + 3 * row[0, 2] + 3 * row[0, 3] + row[0, 4]) / 8
    first = (3 * 0 + 3 * 40 + 80) / 7
    got = T.Resize((1, 4))(row.astype(np.uint8))[0]
    assert got[:2].tolist() == [round(first), round(inner)]
    floats = T.Resize((1, 4))(row.astype(np.float32))[0]
    np.testing.assert_allclose(floats[:2], [first, inner], rtol=1e-6)


@pytest.mark.parametrize("mode", T.InterpolationMode)
def test_modes_are_pillows(mode):
    method = Image.Resampling[mode.name]
    for image in RGB[0], GREY[0]:
        expected = np.asarray(Image.fromarray(image).resize((13, 4), method))
        np.testing.assert_array_equal(T.Resize((4, 13), mode)(image), expected)
        np.testing.assert_array_equal(T.Resize((4, 13), mode.value)(image), expected)


def test_nearest_takes_pixels():
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert T.Resize((2, 2), "nearest")(image).tolist() == [[5, 7], [13, 15]]


@pytest.mark.parametrize(
    ("size", "max_size", "shape", "expected"),
    [
        (10, None, (20, 40), (10, 20)),
        (10, None, (40, 20), (20, 10)),
        (7, None, (20, 31), (7, 10)),
        ([10], None, (20, 40), (10, 20)),
        (10, None, (10, 55), (10, 55)),
        ((3, 50), None, (20, 40), (3, 50)),
        (10, 15, (20, 40), (7, 15)),
        (10, 15, (40, 20), (15, 7)),
        (10, 30, (20, 40), (10, 20)),
        (5, 6, (1, 100), (1, 6)),
    ],
)
def test_sizes(size, max_size, shape, expected):
    resize = T.Resize(size, max_size=max_size)
    assert resize(np.zeros(shape, np.uint8)).shape == expected
    assert resize(Image.new("RGB", shape[::-1])).size == expected[::-1]
    assert resize(Tensor.of(np.zeros((2, *shape), np.float32))).shape == (2, *expected)


def test_a_flat_image_stays_flat():
    for value in 0, 77, 255:
        image = np.full((9, 13, 3), value, np.uint8)
        assert np.unique(T.Resize((4, 29))(image)).tolist() == [value]


# --- CenterCrop


@pytest.mark.parametrize(
    ("n", "wanted", "expected"),
    [
        (6, 2, [2, 3]),
        (5, 2, [2, 3]),  # 1.5 rounds to the even 2, as in torchvision
        (7, 2, [2, 3]),  # and so does 2.5
        (3, 3, [0, 1, 2]),
        (2, 4, [0, 0, 1, 0]),
        (2, 5, [0, 0, 1, 0, 0]),
        (1, 4, [0, 0, 0, 0]),
    ],
)
def test_center_crop(n, wanted, expected):
    image = np.arange(n, dtype=np.uint8)
    assert T.CenterCrop((wanted, 1))(image[:, None])[:, 0].tolist() == expected
    assert T.CenterCrop((1, wanted))(image[None])[0].tolist() == expected
    picture = T.CenterCrop((1, wanted))(Image.fromarray(image[None]))
    assert np.asarray(picture)[0].tolist() == expected


# --- Invert


def test_invert():
    np.testing.assert_array_equal(T.Invert()(RGB[0]), 255 - RGB[0].astype(int))
    x = Tensor.of(np.array([[[0.0, 0.25, 1.0]]]))
    assert T.Invert()(x).tolist() == [[[1.0, 0.75, 0.0]]]
    assert T.Invert()(x).dtype == np.float64


def test_random_invert():
    fastnn.manual_seed(0)
    images = np.zeros((4000, 1, 1), np.uint8)
    batch = T.RandomInvert(0.3).batch(images)
    share = np.count_nonzero(batch) / 4000
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 4000)
    fastnn.manual_seed(0)
    one_by_one = np.stack([T.RandomInvert(0.3)(image) for image in images])
    np.testing.assert_array_equal(batch, one_by_one)
    assert set(np.unique(batch)) == {0, 255}
    assert not T.RandomInvert(0.0).batch(images).any()
    assert T.RandomInvert(1.0).batch(images).all()


# --- types


def test_pil_to_tensor_keeps_bytes():
    for image in RGB[0], Image.fromarray(RGB[0]):
        out = T.PILToTensor()(image)
        assert (type(out), out.dtype) == (Tensor, np.uint8)
        np.testing.assert_array_equal(out.numpy(), RGB[0].transpose(2, 0, 1))
    np.testing.assert_array_equal(T.PILToTensor().batch(RGB).numpy(), RGB.transpose(0, 3, 1, 2))


def test_convert_image_dtype():
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    for dtype in np.float32, np.float64:
        floats = T.ConvertImageDtype(dtype)(Tensor.of(every))
        np.testing.assert_array_equal(floats.numpy(), every / np.array(255, dtype))
        assert floats.dtype == dtype
        back = T.ConvertImageDtype(fastnn.uint8).batch(floats)
        np.testing.assert_array_equal(back.numpy(), every)
    steps = T.Compose([T.PILToTensor(), T.ConvertImageDtype(fastnn.float32)])
    np.testing.assert_array_equal(steps.batch(RGB).numpy(), T.ToTensor().batch(RGB).numpy())
    assert (
        T.ConvertImageDtype(np.float64)(Tensor.of(np.ones((1, 1, 1), np.float32))).dtype
        == "float64"
    )


# --- errors


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: T.Grayscale(2), ValueError, "num_output_channels of 1 or 3, got 2"),
        (lambda: T.Grayscale()("a.png"), TypeError, "Grayscale: .*got str"),
        (lambda: T.Grayscale()(RGB), ValueError, r"got \(5, 6, 8, 3\); call .batch"),
        (
            lambda: T.Grayscale()(np.zeros((2, 2, 5), np.uint8)),
            ValueError,
            "1 to 4 channels, got 5",
        ),
        (lambda: T.Grayscale()(np.zeros((2, 2, 3), np.int32)), TypeError, "got int32"),
        (
            lambda: T.Grayscale()(Tensor.of(np.zeros((2, 2)))),
            ValueError,
            r"C, H, W\), got \(2, 2\)",
        ),
        (lambda: T.Resize(0), ValueError, "Resize: expected size >= 1, got 0"),
        (lambda: T.Resize(2.5), TypeError, r"integer size, got 2\.5"),
        (lambda: T.Resize((1, 2, 3)), ValueError, r"\(height, width\), got \(1, 2, 3\)"),
        (lambda: T.Resize(3, "cubic"), ValueError, "interpolation in .*got 'cubic'"),
        (lambda: T.Resize(3, antialias=False), ValueError, "antialias=True"),
        (lambda: T.Resize(3, max_size=3), ValueError, "max_size above size"),
        (lambda: T.Resize((3, 3), max_size=9), ValueError, "size as one number"),
        (lambda: T.Resize(3)(RGB), ValueError, "call .batch"),
        (lambda: T.Resize(3)(np.zeros((4, 4))), TypeError, "bytes or float32 values, got float64"),
        (lambda: T.Resize(3)(np.zeros((0, 4), np.uint8)), ValueError, r"got shape \(0, 4\)"),
        (lambda: T.Resize(3)("a.png"), TypeError, "Resize: .*got str"),
        (lambda: T.CenterCrop(-1), ValueError, "CenterCrop: expected size >= 1"),
        (lambda: T.CenterCrop(2)(np.zeros(3)), ValueError, r"got shape \(3,\)"),
        (lambda: T.Invert()(np.zeros((2, 2), np.int64)), TypeError, "Invert: .*got int64"),
        (lambda: T.Invert()(Image.new("RGBA", (1, 1))), TypeError, 'got "RGBA"'),
        (lambda: T.RandomInvert(1.5), ValueError, "0 <= p <= 1, got 1.5"),
        (lambda: T.PILToTensor()(Tensor.of(GREY)), TypeError, "PILToTensor: .*got Tensor"),
        (lambda: T.ConvertImageDtype(np.int32), TypeError, "got int32"),
        (lambda: T.ConvertImageDtype(np.uint8)(GREY), TypeError, "got ndarray; put PILToTensor"),
        (
            lambda: T.ConvertImageDtype(np.uint8)(Tensor.of(np.array([0.5, np.nan]))),
            ValueError,
            "from 0 to 1 .*nan",
        ),
        (lambda: T.ConvertImageDtype(np.uint8)(Tensor.of(np.array([1.01]))), ValueError, "0 to 1"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_repr():
    steps = T.Compose([T.Grayscale(), T.Resize((3, 4)), T.CenterCrop(3), T.RandomInvert()])
    assert repr(steps) == (
        "Compose(\n    Grayscale(num_output_channels=1)\n"
        "    Resize(size=(3, 4), interpolation=bilinear)\n"
        "    CenterCrop(size=(3, 3))\n    RandomInvert(p=0.5)\n)"
    )
    assert repr(T.Resize(7)) == "Resize(size=7, interpolation=bilinear)"
    assert repr(T.ConvertImageDtype(np.uint8)) == "ConvertImageDtype(dtype=uint8)"


def test_functional_is_not_there():
    with pytest.raises(AttributeError, match="functional"):
        _ = T.functional


def test_without_pillow():
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "import numpy as np\n"
        "from fastnn.vision import transforms as T\n"
        "x = np.zeros((4, 4), np.uint8)\n"
        "T.Compose([T.Grayscale(), T.CenterCrop(2), T.Invert(), T.ToTensor()])(x)\n"
        "T.Resize(2)(x)\n"
    )
    result = run_python(code)
    assert result.returncode == 1
    assert "ImportError: Resize: needs Pillow: pip install 'fastnn[images]'" in result.stderr
