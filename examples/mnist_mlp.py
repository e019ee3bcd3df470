"""Handwritten digits: the training loop of the tutorials, written out.

A 784-512-512-10 network with ReLU, Adam at 1e-3, batches of 100. After 10 epochs it is right on
98.0 % of the test images, give or take 0.1: seeds 0, 1 and 2 end at 97.94, 98.07 and 97.97 %.
The import lines are all that differs from a PyTorch program. The digits, MNIST, come with fastnn.
"""

import argparse
from pathlib import Path

import fastnn as torch
import fastnn.nn as nn
import fastnn.optim as optim
from fastnn import plot
from fastnn.data import DataLoader, Subset
from fastnn.vision import datasets, transforms


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 512)
        self.fc3 = nn.Linear(512, 10)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        return self.fc3(x)


def accuracy(model, loader):
    """The share of images whose largest output is that of their label."""
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for images, labels in loader:
            _, predicted = torch.max(model(images.reshape(-1, 784)), 1)
            correct += (predicted == labels).sum().item()
            total += labels.size(0)
    model.train()
    return correct / total


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=10, help="passes over the data (10)")
    parser.add_argument("--lr", type=float, default=1e-3, help="learning rate (0.001)")
    parser.add_argument("--batch-size", type=int, default=100, help="images a step (100)")
    parser.add_argument("--limit", type=int, help="take only so many training images")
    parser.add_argument("--seed", type=int, default=1, help="of weights and shuffles (1)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for mnist_mlp.png (.)")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train = datasets.MNIST(train=True, transform=transforms.ToTensor(), download=True)
    test = datasets.MNIST(train=False, transform=transforms.ToTensor())
    if args.limit:
        train = Subset(train, range(args.limit))
    train_loader = DataLoader(train, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(test, batch_size=1000)

    model = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=args.lr)

    steps, losses, accuracies = [], [], []
    for epoch in range(args.epochs):
        since = []
        for i, (images, labels) in enumerate(train_loader, start=1):
            outputs = model(images.reshape(-1, 784))
            loss = criterion(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            since.append(loss.item())
            if i % 100 == 0 or i == len(train_loader):
                steps.append(epoch + i / len(train_loader))
                losses.append(sum(since) / len(since))
                since.clear()
                print(f"epoch {epoch + 1}/{args.epochs}, step {i}/{len(train_loader)}, "
                      f"loss {losses[-1]:.4f}")  # fmt: skip
        accuracies.append(100 * accuracy(model, test_loader))
        print(f"epoch {epoch + 1}/{args.epochs}: test accuracy {accuracies[-1]:.2f} %")

    picture = args.out / "mnist_mlp.png"
    plot.curves({"training loss (cross-entropy)": {"mean of 100 steps": (steps, losses)},
                 "test accuracy (%)": {"after the epoch": accuracies}}, picture)  # fmt: skip
    print(f"test accuracy: {accuracies[-1]:.2f} %; curves in {picture}")


if __name__ == "__main__":
    main()
