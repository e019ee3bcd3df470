"""MNIST and Fashion-MNIST, their files in every layout, and image transforms on whole batches."""

import gzip
import struct

import numpy as np
import pytest

from fastnn.data import DataLoader, Subset
from fastnn.errors import FileFormatError
from fastnn.tensor import Tensor
from fastnn.vision import datasets, transforms
from fastnn.vision.datasets import MNIST, FashionMNIST, gather_images
from fastnn.vision.transforms import Compose, Lambda, Normalize, ToTensor

N = 6
IMAGES = np.random.Generator(np.random.Philox(0)).integers(0, 256, (N, 28, 28)).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)
INDICES = np.array([5, 0, 0, 2])
FLOATS = np.divide(IMAGES[:, None], np.float32(255), dtype=np.float32)


def idx(array):
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def write(folder, images=IMAGES, labels=LABELS, *, part="train", packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for kind, array in ("images-idx3", images), ("labels-idx1", labels):
        name = f"{part}-{kind}-ubyte"
        content = idx(array)
        (folder / (name + ".gz" * packed)).write_bytes(
            gzip.compress(content) if packed else content
        )
    return folder


@pytest.fixture(scope="module")
def bundled():
    return {"train": MNIST(), "test": MNIST(train=False)}


@pytest.fixture
def small(tmp_path):
    """Make a data set of six images with the given transform."""
    write(tmp_path)
    return lambda transform=None, **options: MNIST(tmp_path, transform=transform, **options)


# --- the bundled copy


@pytest.mark.parametrize(
    ("part", "counts"),
    [
        ("train", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        ("test", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ],
)
def test_bundled(bundled, part, counts):
    data = bundled[part]
    assert len(data) == sum(counts)
    assert data.data.shape == (sum(counts), 28, 28)
    assert data.data.numpy().dtype == np.uint8
    assert data.targets.numpy().dtype == np.int64
    assert np.bincount(data.targets.numpy()).tolist() == counts


def test_bundled_classes(bundled):
    data = bundled["test"]
    assert data.classes[7] == "7 - seven"
    assert data.class_to_idx["7 - seven"] == 7
    assert repr(data) == (
        "Dataset MNIST\n    Number of datapoints: 10000\n"
        "    Root location: bundled copy\n    Split: Test"
    )


@pytest.mark.parametrize("download", [False, True])
def test_a_root_without_files_gives_the_bundled_copy_and_stays_as_it_is(tmp_path, download):
    root = tmp_path / "data"
    assert len(MNIST(root, train=False, download=download)) == 10_000
    assert not root.exists()


def test_the_tutorials_call_works_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    steps = Compose([ToTensor(), Normalize((0.1307,), (0.3081,))])
    data = MNIST(root="data/mnist", train=False, download=True, transform=steps)
    np.testing.assert_allclose(data[0][0].numpy().min(), -0.1307 / 0.3081, rtol=1e-6)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_bundled_file_is_noticed(monkeypatch):
    monkeypatch.setitem(datasets._BUNDLED, "t10k-labels-idx1-ubyte", "0" * 64)
    with pytest.raises(FileFormatError, match=r"t10k-labels-idx1-ubyte\.gz: expected .*SHA-256"):
        MNIST(train=False)


# --- files of one's own


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("cls", [MNIST, FashionMNIST])
@pytest.mark.parametrize("below", [".", "raw", "{}/raw"])
@pytest.mark.parametrize(("train", "part"), [(True, "train"), (False, "t10k")])
def test_files_under_root(tmp_path, packed, cls, below, train, part):
    write(tmp_path / below.format(cls.__name__), part=part, packed=packed)
    data = cls(str(tmp_path), train=train)
    np.testing.assert_array_equal(data.data.numpy(), IMAGES)
    np.testing.assert_array_equal(data.targets.numpy(), LABELS)
    assert data.source == str(tmp_path / below.format(cls.__name__))


def test_torchvisions_folder_comes_first(tmp_path):
    write(tmp_path, labels=np.zeros(N))
    write(tmp_path / "MNIST" / "raw")
    assert MNIST(tmp_path).targets.tolist() == LABELS.tolist()


def test_fashion_mnist_where_the_system_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setattr(FashionMNIST, "system_folder", write(tmp_path / "system", packed=True))
    assert len(FashionMNIST()) == len(FashionMNIST(tmp_path / "empty")) == N


def test_fashion_mnist_says_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(FashionMNIST, "system_folder", tmp_path / "system")
    with pytest.raises(FileNotFoundError, match=r"downloads nothing\. Get .*zalando.*dataset-"):
        FashionMNIST(tmp_path, download=True)


@pytest.mark.parametrize("missing", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_half_a_data_set_is_not_filled_up_from_the_bundled_one(tmp_path, missing):
    (write(tmp_path) / missing).unlink()
    with pytest.raises(FileNotFoundError, match=f"expected {missing} or .* in {tmp_path}"):
        MNIST(tmp_path)
    with pytest.raises(FileNotFoundError, match="t10k-images"):
        MNIST(tmp_path, train=False)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (LABELS, LABELS, r"images-.*\(N, 28, 28\), got uint8 of shape \(6,\)"),
        (IMAGES, IMAGES, r"labels-.*\(N,\), got uint8 of shape \(6, 28, 28\)"),
        (IMAGES[:, 1:], LABELS, r"images-.*got uint8 of shape \(6, 27, 28\)"),
        (IMAGES, LABELS[:5], "labels-.*expected 6 labels .*images-.*got 5"),
        (IMAGES, [3, 1, 4, 255, 5, 9], "labels-.*0 to 9, got 255 for image 3, at byte 11"),
        (IMAGES, [3, 1, 4, 1, 5, 10], "labels-.*got 10 for image 5, at byte 13"),
    ],
    ids=["labels as images", "images as labels", "size", "H14 counts", "H29 255", "label 10"],
)
def test_files_that_are_not_what_they_should_be(tmp_path, images, labels, message):
    write(tmp_path, np.asarray(images), np.asarray(labels))
    with pytest.raises(FileFormatError, match=f"{tmp_path}.*{message}"):
        MNIST(tmp_path)


def test_a_data_set_of_no_images(tmp_path):
    data = MNIST(write(tmp_path, IMAGES[:0], LABELS[:0]))
    assert len(data) == 0
    assert list(DataLoader(data)) == []


# --- samples and batches


def test_gather_images_divides_exactly():
    every_byte = np.arange(256, dtype=np.uint8).reshape(256, 1)
    expected = np.arange(256, dtype=np.float32) / np.float32(255)
    np.testing.assert_array_equal(gather_images(every_byte, np.arange(256))[:, 0], expected)
    with pytest.raises(IndexError):
        gather_images(every_byte, np.array([256]))


def test_sample_and_batch(small):
    data = small()
    image, label = data[-1]
    assert (image.shape, label, type(label)) == ((1, 28, 28), 9, int)
    np.testing.assert_array_equal(image.numpy(), FLOATS[-1])
    images, labels = data.fetch(INDICES)
    np.testing.assert_array_equal(images.numpy(), FLOATS[INDICES])
    assert images.numpy().dtype == np.float32
    assert labels.tolist() == LABELS[INDICES].tolist()
    assert labels.numpy().dtype == np.int64
    with pytest.raises(IndexError):
        data[N]


class Shift(transforms.Transform):
    """A transform of one's own, without `batch`."""

    def __call__(self, image):
        return Tensor.of(image.numpy() - image.numpy().max())


class Halves(Normalize):
    """One that changes what happens to an image, over an inherited `batch`."""

    def __call__(self, image):
        return Tensor.of(image.numpy() * np.float32(0.5))


class Picture:
    """As much of a Pillow image as counts."""

    def __init__(self, pixels, mode="L"):
        self.pixels, self.mode = pixels, mode

    @property
    def __array_interface__(self):
        return self.pixels.__array_interface__

    def convert(self, mode):
        return Picture(self.pixels * np.uint8(255), mode)


flip = Lambda(lambda pixels: pixels[::-1])
flatten = Lambda(lambda image: image.reshape(-1))
PIPELINES = {
    "ToTensor": (ToTensor(), FLOATS),
    "Compose of one": (Compose([ToTensor()]), FLOATS),
    "nested": (Compose([Compose([ToTensor()]), Compose([])]), FLOATS),
    "Normalize": (
        Compose([ToTensor(), Normalize((0.1307,), (0.3081,))]),
        (FLOATS - np.float32(0.1307)) / np.float32(0.3081),
    ),
    "flatten": (Compose([ToTensor(), flatten]), FLOATS.reshape(N, -1)),
    "function": (lambda pixels: Tensor.of(np.array(pixels)), IMAGES),
    "function in Compose": (Compose([ToTensor(), lambda x: x[0]]), FLOATS[:, 0]),
    "no ToTensor": (Compose([]), IMAGES),
    "raw pixels": (Compose([flip, ToTensor()]), FLOATS[:, :, ::-1]),
    "Pillow": (Compose([Picture, ToTensor()]), FLOATS),
    "each by its maximum": (
        Compose([ToTensor(), Shift()]),
        FLOATS - FLOATS.max(axis=(1, 2, 3), keepdims=True),
    ),
    "overridden call": (Compose([ToTensor(), Halves(0, 1)]), FLOATS * np.float32(0.5)),
    "batched": (Compose([ToTensor(), Lambda(lambda x: 1 - x, batched=True)]), 1 - FLOATS),
}


@pytest.mark.parametrize(("transform", "expected"), PIPELINES.values(), ids=PIPELINES.keys())
def test_a_batch_is_its_samples_stacked(small, transform, expected):
    data = small(transform)
    images = np.asarray(data.fetch(INDICES)[0])
    np.testing.assert_array_equal(images, expected[INDICES])
    assert images.dtype == expected.dtype
    samples = [np.asarray(data[int(i)][0]) for i in INDICES]
    np.testing.assert_array_equal(np.stack(samples), images)


def test_target_transform(small):
    data = small(target_transform=lambda label: np.eye(10, dtype=np.float32)[label])
    assert data[0][1].argmax() == 3
    _, labels = data.fetch(INDICES)
    np.testing.assert_array_equal(labels.numpy(), np.eye(10, dtype=np.float32)[LABELS[INDICES]])


def test_data_may_be_cut_and_transform_set_later(small):
    data = small()
    data.data, data.targets = data.data[:3], data.targets[:3]
    data.transform = flatten
    loader = DataLoader(data, batch_size=2)
    assert [len(labels) for _, labels in loader] == [2, 1]
    assert next(iter(loader))[0].shape == (2, 784)


def test_a_subclass_may_override_getitem(tmp_path):
    class Indexed(MNIST):
        def __getitem__(self, index):
            return *super().__getitem__(index), index

    batch = next(iter(DataLoader(Indexed(write(tmp_path)), batch_size=4)))
    assert batch[0].shape == (4, 1, 28, 28)
    assert batch[2].tolist() == [0, 1, 2, 3]


def test_the_tutorials_loop(bundled):
    loader = DataLoader(dataset=bundled["test"], batch_size=100, shuffle=False)
    images, labels = next(iter(loader))
    assert images.reshape(-1, 28 * 28).shape == (100, 784)
    assert labels.tolist()[:5] == [7, 2, 1, 0, 4]
    part = DataLoader(Subset(bundled["train"], range(0, 60000, 1000)), batch_size=64)
    assert next(iter(part))[0].shape == (60, 1, 28, 28)


# --- transforms by themselves


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (IMAGES[0], FLOATS[0]),
        (np.stack([IMAGES[0]] * 3, axis=2), np.concatenate([FLOATS[0]] * 3)),
        (Tensor.of(IMAGES[:1]), FLOATS[0]),
        (Tensor.of(IMAGES[:, None]), FLOATS),
        (Picture(IMAGES[0]), FLOATS[0]),
        (Picture((IMAGES[0] > 99).astype(np.uint8), "1"), (IMAGES[:1] > 99).astype(np.float32)),
        (IMAGES[0].astype(np.float64), IMAGES[:1].astype(np.float64)),
        (IMAGES[0].astype(np.int32), IMAGES[:1].astype(np.int32)),
    ],
    ids=["HW", "HWC", "Tensor", "Tensors", "Pillow", "bilevel", "float64", "int32"],
)
def test_to_tensor(image, expected):
    out = ToTensor()(image)
    assert isinstance(out, Tensor)
    assert out.numpy().dtype == expected.dtype
    assert out.numpy().flags.c_contiguous
    np.testing.assert_array_equal(out.numpy(), expected)


def test_to_tensor_puts_channels_first():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    expected = image.transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_array_equal(ToTensor()(image).numpy(), expected)
    np.testing.assert_array_equal(ToTensor().batch(image[None]).numpy(), expected[None])
    np.testing.assert_array_equal(ToTensor().batch([image] * 2).numpy(), [expected] * 2)


def test_normalize_by_channel():
    x = np.ones((2, 3, 4, 4), np.float32)
    out = Normalize((0, 1, 2), (1, 2, 4))(Tensor.of(x)).numpy()
    np.testing.assert_array_equal(out[:, :, 0, 0], [[1, 0, -0.25]] * 2)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(x, 1)
    np.testing.assert_array_equal(Normalize(0.5, 0.5)(Tensor.of(x)).numpy(), x)
    assert Normalize(0.5, 0.5)(Tensor.of(x.astype(np.float64))).numpy().dtype == np.float64


def test_repr():
    steps = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    assert repr(steps) == "Compose(\n    ToTensor()\n    Normalize(mean=(0.5,), std=(0.5,))\n)"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ToTensor()("cat.png"), TypeError, "ToTensor: .*got str"),
        (lambda: ToTensor()(IMAGES[0, 0]), ValueError, r"ToTensor: .*got \(28,\)"),
        (lambda: ToTensor()(IMAGES[:, None]), ValueError, r"got \(6, 1, 28, 28\); call .batch"),
        (lambda: Normalize(0, 1)(Tensor.of(IMAGES)), TypeError, "got uint8; put ToTensor"),
        (lambda: Normalize(0, 1)([1.0]), TypeError, "Normalize: .*got list"),
        (lambda: Normalize(0, 1)(Tensor.of(FLOATS[0, 0])), ValueError, r"C, H, W.*got \(28, 28\)"),
        (
            lambda: Normalize((0, 0, 0), 1)(Tensor.of(FLOATS)),
            ValueError,
            r"\(3 and 1\), got \(6, 1",
        ),
        (lambda: Normalize(0, (1, 0)), ValueError, "std without zeros"),
        (lambda: Normalize((), 1), ValueError, "finite numbers as mean"),
        (lambda: Normalize(0, float("nan")), ValueError, "finite numbers as std"),
        (lambda: Compose([ToTensor(), 3]), TypeError, "got int at position 1"),
        (lambda: Lambda("x"), TypeError, "Lambda: expected a function, got str"),
    ],
)
def test_transform_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
