"""Folders of images: classes, files that are broken or hostile, batches, and the cache."""

import contextlib
import copy
import io
import os
import pickle
import re

import numpy as np
import pytest
from bad_inputs.image_folders import flipped, png
from PIL import Image
from support import ROOT, run_python

from fastnn.data import DataLoader, Subset, stratified_split
from fastnn.errors import FileFormatError
from fastnn.tensor import Tensor
from fastnn.vision import folder, load_image
from fastnn.vision import transforms as T
from fastnn.vision.datasets import MNIST, ImageFolder

RANDOM = np.random.Generator(np.random.Philox(0))
PIXELS = RANDOM.integers(0, 256, (6, 5, 7, 3)).astype(np.uint8)
NAMES = ["cat/1.png", "cat/10.png", "cat/2.png", "dog/a.png", "dog/b/c.png", "Eel/x.png"]
ORDER = [5, 0, 1, 2, 3, 4]  # upper case first; folders by path, then files by name
LABELS = [0, 1, 1, 1, 2, 2]
INDICES = np.array([4, 0, 0, 2])


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def root(tmp_path):
    """Write six RGB images in three classes."""
    for name, pixels in zip(NAMES, PIXELS, strict=True):
        save(tmp_path / name, pixels)
    return tmp_path


def encoded(kind, pixels=PIXELS[0]):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


# --- classes and samples


def test_classes_and_samples(root):
    data = ImageFolder(root)
    assert data.classes == ["Eel", "cat", "dog"]
    assert data.class_to_idx == {"Eel": 0, "cat": 1, "dog": 2}
    assert data.samples == [
        (str(root / NAMES[i]), label) for i, label in zip(ORDER, LABELS, strict=True)
    ]
    assert data.imgs is data.samples
    assert data.targets == LABELS
    assert len(data) == 6
    assert repr(data).splitlines() == [
        "Dataset ImageFolder", "    Number of datapoints: 6", f"    Root location: {root}"
    ]  # fmt: skip


def test_a_sample_is_a_picture_as_in_torchvision(root):
    data = ImageFolder(str(root))
    for i, label in enumerate(LABELS):
        image, target = data[i]
        assert (image.mode, image.size, target, type(target)) == ("RGB", (7, 5), label, int)
        np.testing.assert_array_equal(np.asarray(image), PIXELS[ORDER[i]])
    np.testing.assert_array_equal(np.asarray(data[-1][0]), PIXELS[4])
    with pytest.raises(IndexError):
        data[6]


def test_what_is_left_out(root):
    for name in "top.png", "cat/notes.txt", "cat/.DS_Store", "cat/._1.png", ".git/x.png":
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"not an image")
    (root / "cat" / ".cache").mkdir()
    save(root / "cat" / ".cache" / "1.png", PIXELS[0])
    os.mkfifo(root / "cat" / "pipe.png")
    assert [path for path, _ in ImageFolder(root).samples] == [str(root / NAMES[i]) for i in ORDER]


def test_is_valid_file_decides_alone(root):
    (root / "cat" / "0.dat").write_bytes(encoded("PNG"))
    data = ImageFolder(root, is_valid_file=lambda path: path.endswith((".dat", "x.png", "a.png")))
    assert [os.path.basename(path) for path, _ in data.samples] == ["x.png", "0.dat", "a.png"]
    np.testing.assert_array_equal(np.asarray(data[1][0]), PIXELS[0])


def test_endings_of_any_case(tmp_path):
    for ending in "JPG", "jpeg", "Png", "ppm", "bmp", "pgm", "tif", "TIFF", "webp":
        save(tmp_path / "a" / f"x.{ending}", PIXELS[0, ..., 0] if ending == "pgm" else PIXELS[0])
    data = ImageFolder(tmp_path)
    assert len(data) == 9
    assert {data[i][0].mode for i in range(9)} == {"RGB"}


def test_classes_of_ones_own(root):
    class Pets(ImageFolder):
        def find_classes(self, directory):
            return ["cat", "dog"], {"cat": 1, "dog": 0}

    assert Pets(root).targets == [1, 1, 1, 0, 0]


def test_names_in_unicode_and_bytes(tmp_path):
    name = os.fsdecode("ü 猫\n".encode() + b"\xff")
    save(tmp_path / name / "1.png", PIXELS[0])
    (tmp_path / name / "2.png").write_bytes(b"")
    data = ImageFolder(tmp_path)
    assert data.classes == [name]
    assert data[0][1] == 0
    with pytest.raises(FileFormatError, match="empty file"):
        data[1]


# --- folders that cannot be


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ImageFolder(tmp_path / "nowhere")
    file = save(tmp_path / "top.png", PIXELS[0])
    with pytest.raises(NotADirectoryError, match=r"top\.png"):
        ImageFolder(file)
    with pytest.raises(FileNotFoundError, match=f"one folder for each class in {tmp_path}"):
        ImageFolder(tmp_path)


def test_empty_classes(root):
    (root / "ant").mkdir()
    (root / "bee" / "deep").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"\.png.* in each folder .* in: ant, bee"):
        ImageFolder(root)
    data = ImageFolder(root, allow_empty=True)
    assert data.classes == ["Eel", "ant", "bee", "cat", "dog"]
    assert data.targets == [0, 3, 3, 3, 4, 4]
    with pytest.raises(FileNotFoundError, match="expected images in each"):
        ImageFolder(root, is_valid_file=lambda path: False)


def test_links(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    save(elsewhere / "1.png", PIXELS[0])
    (root / "far").symlink_to(elsewhere)
    (root / "dog" / "far").symlink_to(elsewhere)
    data = ImageFolder(root)
    assert data.targets == [0, 1, 1, 1, 2, 2, 2, 3]
    (root / "dog" / "gone.png").symlink_to(root / "missing.png")
    index = [path for path, _ in ImageFolder(root).samples].index(str(root / "dog" / "gone.png"))
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        ImageFolder(root)[index]
    (elsewhere / "loop").symlink_to(root / "dog")
    with pytest.raises(ValueError, match="is a link to a folder that it lies in"):
        ImageFolder(root)


def test_deep_folders(tmp_path):
    deep = tmp_path.joinpath("a", *["d"] * 300)
    save(deep / "1.png", PIXELS[0])
    assert len(ImageFolder(tmp_path)) == 1


# --- files that cannot be


def test_a_bomb_that_pillow_warns_of(tmp_path):
    (tmp_path / "x.png").write_bytes(png(10_000, 10_000))
    with pytest.raises(FileFormatError, match=r"x\.png: .*smaller image.*100000000 pixels"):
        load_image(tmp_path / "x.png")


@pytest.mark.filterwarnings("ignore:Image size")
def test_a_bomb_is_refused_where_pillows_warning_is_silenced(tmp_path):
    (tmp_path / "x.png").write_bytes(png(10_000, 10_000))
    with pytest.raises(FileFormatError, match="1 to 89478485 pixels, got 10000 x 10000"):
        load_image(tmp_path / "x.png")


def test_max_pixels(tmp_path):
    path = save(tmp_path / "x.png", PIXELS[0])
    assert load_image(path, max_pixels=35).size == (7, 5)
    with pytest.raises(FileFormatError, match="1 to 34 pixels, got 7 x 5"):
        load_image(path, max_pixels=34)


def test_a_format_outside_the_list_is_refused_under_any_name(tmp_path):
    for kind in "GIF", "EPS", "ICO", "PCX":
        path = tmp_path / f"x.{kind.lower()}"
        path.write_bytes(encoded(kind))
        with pytest.raises(FileFormatError, match="BMP/JPEG/PNG/PPM/TIFF/WEBP image, got"):
            load_image(path)
    (tmp_path / "noname").write_bytes(encoded("PNG"))
    assert load_image(tmp_path / "noname").size == (7, 5)


def test_a_file_that_goes_away(root):
    data = ImageFolder(root, cache=False)
    data.fetch(np.arange(6))
    (root / NAMES[0]).unlink()
    with pytest.raises(FileNotFoundError, match=r"cat/1\.png"):
        data.fetch(np.arange(6))


def test_broken_bytes_never_do_more_than_raise(tmp_path):
    for kind, ending in ("PNG", "png"), ("JPEG", "jpg"), ("BMP", "bmp"), ("TIFF", "tif"):
        whole, path = encoded(kind), tmp_path / f"x.{ending}"
        for place in RANDOM.integers(0, len(whole), 60).tolist():
            path.write_bytes(flipped(whole, place) if place % 2 else whole[:place])
            with contextlib.suppress(FileFormatError):
                assert load_image(path).mode == "RGB"


# --- modes


def test_sixteen_bits_become_their_high_byte(tmp_path):
    grey = np.array([[0, 255, 256, 40_000, 65_535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "x.png")
    (tmp_path / "x.pgm").write_bytes(b"P5 5 1 65535 " + grey.astype(">u2").tobytes())
    Image.fromarray(grey).save(tmp_path / "x.tif")
    for ending in "png", "pgm", "tif":
        pixels = np.asarray(load_image(tmp_path / f"x.{ending}"))
        assert pixels[0, :, 1].tolist() == [0, 0, 1, 156, 255]


def test_other_modes_become_rgb(tmp_path):
    whole = Image.fromarray(PIXELS[0])
    expected = {
        "L": np.repeat(np.asarray(whole.convert("L"))[..., None], 3, -1),
        "RGBA": PIXELS[0],
        "P": np.asarray(whole.convert("P").convert("RGB")),
        "1": np.repeat(np.asarray(whole.convert("1"))[..., None] * np.uint8(255), 3, -1),
        "LA": np.repeat(np.asarray(whole.convert("L"))[..., None], 3, -1),
    }
    for mode, pixels in expected.items():
        whole.convert(mode).save(tmp_path / "x.png")
        np.testing.assert_array_equal(np.asarray(load_image(tmp_path / "x.png")), pixels)
    whole.convert("CMYK").save(tmp_path / "x.jpg", quality=100)
    assert load_image(tmp_path / "x.jpg").mode == "RGB"


def test_the_first_frame_and_no_rotation(tmp_path):
    frames = [Image.fromarray(pixels) for pixels in PIXELS[:3]]
    frames[0].save(tmp_path / "x.png", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(np.asarray(load_image(tmp_path / "x.png")), PIXELS[0])
    exif = Image.Exif()
    exif[0x0112] = 6
    frames[0].save(tmp_path / "y.jpg", exif=exif)
    assert load_image(tmp_path / "y.jpg").size == (7, 5)


# --- batches


class Shift(T.Transform):
    """A transform of one's own, on arrays or pictures."""

    def __call__(self, image):
        return Image.fromarray(np.asarray(image) // 2)


class Named(T.Grayscale):
    """One that needs the Pillow image, over an inherited `batch`."""

    def __call__(self, image):
        return image.convert("L")


flat = T.Lambda(lambda x: x.reshape(-1))
PIPELINES = {
    "ToTensor": T.ToTensor(),
    "grey": T.Compose([T.Grayscale(), T.ToTensor()]),
    "all of ours": T.Compose(
        [T.Grayscale(), T.Resize((4, 4)), T.CenterCrop(3), T.Invert(), T.ToTensor(),
         T.Normalize(0.5, 0.5), flat]
    ),
    "nested": T.Compose([T.Compose([T.Resize(3), T.Grayscale(3)]), T.ToTensor()]),
    "function on pictures": T.Compose([lambda im: im.convert("L"), T.ToTensor()]),
    "function after ours": T.Compose([T.Resize((2, 2)), lambda im: im.rotate(90), T.ToTensor()]),
    "Lambda on pictures": T.Compose([T.Lambda(lambda im: im.convert("L")), T.ToTensor()]),
    "own transform": T.Compose([Shift(), T.Grayscale(), T.ToTensor()]),
    "overridden call": T.Compose([Named(), T.ToTensor()]),
    "function to a Tensor": lambda im: Tensor.of(np.array(im)),
    "PILToTensor": T.Compose([T.PILToTensor(), T.ConvertImageDtype(np.float64)]),
}  # fmt: skip


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("transform", PIPELINES.values(), ids=PIPELINES.keys())
def test_a_batch_is_its_samples_stacked(root, transform, cache):
    data = ImageFolder(root, transform, cache=cache)
    samples = np.stack([data[int(i)][0].numpy() for i in INDICES])
    for _ in range(2):
        images, labels = data.fetch(INDICES)
        np.testing.assert_array_equal(images.numpy(), samples)
        assert images.dtype == samples.dtype
        assert labels.tolist() == [LABELS[i] for i in INDICES]
        assert labels.dtype == np.int64


def test_a_batch_without_a_transform_is_of_tensors(root):
    images, labels = next(iter(DataLoader(ImageFolder(root), batch_size=6)))
    expected = np.divide(PIXELS[ORDER].transpose(0, 3, 1, 2), np.float32(255), dtype=np.float32)
    np.testing.assert_array_equal(images.numpy(), expected)
    assert labels.tolist() == LABELS


def test_images_of_different_sizes(root):
    save(root / "cat" / "3.png", PIXELS[0, :4])
    resized = ImageFolder(root, T.Compose([T.Resize((4, 4)), T.Grayscale(), T.ToTensor()]))
    images, _ = resized.fetch(np.arange(7))
    assert images.shape == (7, 1, 4, 4)
    np.testing.assert_array_equal(images.numpy(), [resized[i][0].numpy() for i in range(7)])
    assert ImageFolder(root).fetch(np.array([0, 1]))[0].shape == (2, 3, 5, 7)
    with pytest.raises(ValueError, match=r"samples of one shape, got .*\(3, 5, 7\).*\(3, 4, 7\)"):
        ImageFolder(root).fetch(np.arange(7))


def test_pictures_do_not_make_a_batch(root):
    with pytest.raises(TypeError, match="got Image"):
        ImageFolder(root, T.Resize(3)).fetch(INDICES)


def test_target_transform(root):
    data = ImageFolder(root, target_transform=lambda label: label / 2)
    assert data[-1][1] == 1.0
    assert data.fetch(INDICES)[1].tolist() == [LABELS[i] / 2 for i in INDICES]


def test_a_loader_of_ones_own(root):
    paths = []

    def loader(path):
        paths.append(path)
        return Image.open(path).convert("L")

    data = ImageFolder(root, T.ToTensor(), loader=loader)
    images, _ = data.fetch(INDICES)
    data.fetch(INDICES)
    assert images.shape == (4, 1, 5, 7)
    assert paths == [data.samples[i][0] for i in INDICES] * 2
    np.testing.assert_array_equal(images.numpy()[0], data[4][0].numpy())
    arrays = ImageFolder(root, T.ToTensor(), loader=lambda path: PIXELS[0])
    assert arrays.fetch(INDICES)[0].shape == (4, 3, 5, 7)


def test_parts_of_a_folder(root):
    data = ImageFolder(root, T.ToTensor())
    assert Subset(data, [5, 1]).fetch(np.array([1]))[1].tolist() == [1]
    parts = stratified_split(Subset(data, [1, 2, 4, 5]), [0.5, 0.5])
    assert [sorted(part.fetch(np.arange(2))[1].tolist()) for part in parts] == [[1, 2], [1, 2]]


# --- the cache


@pytest.fixture
def reads(monkeypatch):
    """List the files that are read."""
    paths = []
    original = folder.load_image
    monkeypatch.setattr(folder, "load_image", lambda path: paths.append(path) or original(path))
    return paths


def test_small_images_are_read_once(root, reads):
    data = ImageFolder(root, T.ToTensor())
    first, _ = data.fetch(np.array([0, 3]))
    _ = data[3], data[4]
    everything, _ = data.fetch(np.arange(6))
    again, _ = data.fetch(np.arange(6))
    assert sorted(reads) == sorted(path for path, _ in data.samples)
    np.testing.assert_array_equal(everything.numpy(), again.numpy())
    np.testing.assert_array_equal(everything.numpy()[[0, 3]], first.numpy())


def test_what_is_kept_cannot_be_changed_from_outside(root):
    data = ImageFolder(root)
    before = data.fetch(np.arange(6))[0].numpy().copy()
    data[0][0].putpixel((0, 0), (1, 2, 3))
    ImageFolder(root, lambda image: image.paste(0, (0, 0, 5, 5)) or T.ToTensor()(image))[0]
    np.testing.assert_array_equal(data.fetch(np.arange(6))[0].numpy(), before)


@pytest.mark.parametrize("why", ["off", "too large", "sizes differ"])
def test_other_images_are_read_anew(root, reads, monkeypatch, why):
    if why == "sizes differ":
        save(root / "Eel" / "y.png", PIXELS[0, 1:])
    if why == "too large":
        monkeypatch.setattr(folder, "_CACHE_BYTES", PIXELS.nbytes - 1)
    data = ImageFolder(root, T.Compose([T.Resize((2, 2)), T.ToTensor()]), cache=why != "off")
    for _ in range(3):
        data.fetch(np.arange(len(data)))
    assert len(reads) == 3 * len(data)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies(root, duplicate):
    data = ImageFolder(root, T.ToTensor())
    expected = data.fetch(np.arange(3))[0].numpy()
    np.testing.assert_array_equal(duplicate(data).fetch(np.arange(3))[0].numpy(), expected)


def test_without_pillow(root):
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "from fastnn.vision.datasets import MNIST, ImageFolder\n"
        f"data = ImageFolder({str(root)!r})\n"
        "print(len(data))\n"
        "data[0]\n"
    )
    result = run_python(code)
    assert (result.returncode, result.stdout) == (1, "6\n")
    assert "needs Pillow: pip install 'fastnn[images]'" in result.stderr


# --- the example


def run_example(folder, *arguments):
    script = str(ROOT / "examples" / "digits_folder.py")
    code = (
        "import os, runpy, sys\n"
        "os.chdir(sys.argv.pop(1))\n"
        f"runpy.run_path({script!r}, run_name='__main__')\n"
    )
    result = run_python(code, str(folder), *arguments, timeout=100)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_example_writes_reads_and_plots(tmp_path):
    out = run_example(tmp_path, "--train", "500", "--test", "200", "--epochs", "4")
    assert float(re.search(r"test accuracy: ([\d.]+)%", out)[1]) > 70
    assert load_image(tmp_path / "digits_folder.png").width > 300
    digits = tmp_path / "digits"
    assert len(list(digits.glob("train/*/*.png"))) == 500
    first, label = ImageFolder(digits / "test")[0]
    np.testing.assert_array_equal(np.asarray(first)[..., 0], MNIST(train=False).data[3].numpy())
    assert label == 0
    (tmp_path / "own").mkdir()
    out = run_example(tmp_path, "digits/train", "--epochs", "1", "--out", "own")
    assert "curves in own/digits_folder.png" in out
