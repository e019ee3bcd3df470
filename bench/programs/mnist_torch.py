"""What `fastnn mnist --epochs 1` does, with PyTorch: bytes in memory, floats batch by batch."""

import sys

import idx
import torch
from torch import nn

width = int(sys.argv[1])
torch.manual_seed(0)
(x, y), (x_test, y_test) = (map(torch.tensor, idx.load(train)) for train in (True, False))
model = nn.Sequential(
    nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for rows in torch.randperm(len(x)).split(100):
    loss = criterion(model(x[rows].float() / 255), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    parts = [model(part.float() / 255).argmax(1) for part in x_test.split(1000)]
accuracy = (torch.cat(parts) == y_test).float().mean().item()
print(f"test accuracy: {100 * accuracy:.2f} %")
