"""Digits in a folder of images, one folder a class: read, train, test, and plot its course.

    python examples/digits_folder.py              # writes the bundled MNIST to digits/ first
    python examples/digits_folder.py my/pictures  # one's own: my/pictures/<class>/<any>.png

A folder that holds `train` and `test` is taken as split so; of another, a fifth of each class is
kept for testing. Needs `pip install 'fastnn[images,plot]'`.
"""

import argparse
from pathlib import Path

from PIL import Image

import fastnn
from fastnn import nn, plot
from fastnn.data import stratified_split
from fastnn.vision import transforms
from fastnn.vision.datasets import MNIST, ImageFolder

SIDE = 28


def write_digits(folder, train, test):
    """Write so many digits of each part as folder/<part>/<digit>/<number>.png."""
    unfinished = folder.with_name(folder.name + ".unfinished")
    for part, count in ("train", train), ("test", test):
        digits = MNIST(train=part == "train")
        for label in range(10):
            (unfinished / part / str(label)).mkdir(parents=True, exist_ok=True)
        for i in range(min(count, len(digits))):
            path = unfinished / part / str(digits.targets[i].item()) / f"{i:05}.png"
            Image.fromarray(digits.data[i].numpy()).save(path, compress_level=1)
    unfinished.rename(folder)


def read(folder):
    """Return the training part, the test part and the number of classes."""
    steps = transforms.Compose(
        [transforms.Grayscale(), transforms.Resize((SIDE, SIDE)), transforms.ToTensor()]
    )
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        train, test = (ImageFolder(folder / part, steps) for part in ("train", "test"))
        if train.classes != test.classes:
            raise SystemExit(f"{folder}: train and test hold different classes")
        return train, test, len(train.classes)
    images = ImageFolder(folder, steps)
    return *stratified_split(images, [0.8, 0.2]), len(images.classes)


def main():
    """Read the folder, train on it, and say how good the model is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="default: digits, written from MNIST")
    parser.add_argument("--train", type=int, default=60_000, help="digits to write for training")
    parser.add_argument("--test", type=int, default=10_000, help="digits to write for testing")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for digits_folder.png (.)")
    options = parser.parse_args()

    folder = options.folder or Path("digits")
    if options.folder is None and not folder.exists():
        print(f"writing {folder}")
        write_digits(folder, options.train, options.test)

    fastnn.manual_seed(0)
    train, test, classes = read(folder)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(SIDE * SIDE, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(),
        nn.Linear(256, classes),
    )  # fmt: skip
    optimizer = fastnn.optim.Adam(model.parameters(), lr=1e-3)
    trainer = fastnn.Trainer(model, nn.CrossEntropyLoss(), optimizer)
    history = trainer.fit(train, epochs=options.epochs, batch_size=100, validation=test)
    accuracy = trainer.evaluate(test)["accuracy"]  # in eval mode, without gradients
    picture = options.out / "digits_folder.png"
    plot.curves({"cross-entropy": {"training": history.loss, "test": history.val_loss},
                 "accuracy (%)": {part: [100 * a for a in history.metrics[name]] for part, name in
                                  [("training", "accuracy"), ("test", "val_accuracy")]}},
                picture)  # fmt: skip
    print(f"test accuracy: {accuracy:.2%}; curves in {picture}")


if __name__ == "__main__":
    main()
