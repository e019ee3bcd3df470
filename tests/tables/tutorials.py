"""Programs in the manner of well-known tutorials, as they are written for PyTorch."""

TUTORIALS = {
    "tensors": """
import torch
import numpy as np

data = [[1, 2], [3, 4]]
x_data = torch.tensor(data)
np_array = np.array(data)
x_np = torch.from_numpy(np_array)
x_ones = torch.ones_like(x_data)
x_rand = torch.rand_like(x_data, dtype=torch.float)
print(f"Random Tensor: \\n {x_rand} \\n")
shape = (2, 3,)
rand_tensor, ones_tensor, zeros_tensor = torch.rand(shape), torch.ones(shape), torch.zeros(shape)
print(f"Shape: {rand_tensor.shape}, {rand_tensor.dtype}, {rand_tensor.device}")
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
tensor = torch.ones(4, 4).to(device)
print("First row: ", tensor[0], "last column:", tensor[..., -1])
tensor[:, 1] = 0
t1 = torch.cat([tensor, tensor, tensor], dim=1)
assert t1.shape == (4, 12)
y1 = tensor @ tensor.T
y2 = tensor.matmul(tensor.T)
y3 = torch.rand_like(tensor)
assert torch.equal(y1, y2) and torch.allclose(torch.matmul(tensor, tensor.T), y1)
assert (tensor * tensor).sum() == tensor.mul(tensor).sum()
agg_item = tensor.sum().item()
assert agg_item == 12.0 and type(agg_item) is float
tensor.add_(5)
assert tensor[0].tolist() == [6.0, 5.0, 6.0, 6.0]
t = torch.ones(5)
n = t.numpy()
t.add_(1)
assert n.tolist() == [2.0] * 5
n = np.ones(5)
t = torch.from_numpy(n)
np.add(n, 1, out=n)
assert t.tolist() == [2.0] * 5
assert x_ones.size() == (2, 2) and x_np.dtype == torch.int64 and torch.is_tensor(x_np)
x = torch.arange(12)
X = x.reshape(3, 4)
assert x.numel() == 12 and X.size(0) == 3
x = torch.tensor([1.0, 2, 4, 8])
y = torch.tensor([2, 2, 2, 2])
assert (x**y).tolist() == [1, 4, 16, 64] and (x / y).dtype == torch.float32
a, b = torch.arange(3).reshape((3, 1)), torch.arange(2).reshape((1, 2))
assert (a + b).tolist() == [[0, 1], [1, 2], [2, 3]]
Z = torch.zeros_like(X)
before = id(Z)
Z[:] = X + 1
assert id(Z) == before and Z.sum() == 78
assert float(torch.tensor([3.5])) == 3.5 and int(torch.tensor([3.5])) == 3
A = np.array(torch.ones(2, 2))
assert isinstance(A, np.ndarray)
A = torch.arange(6, dtype=torch.float32).reshape(2, 3)
assert A.sum(axis=[0, 1]) == A.sum() and torch.mv(A, torch.ones(3)).tolist() == [3, 12]
sum_A = A.sum(axis=1, keepdims=True)
assert torch.allclose((A / sum_A).sum(1), torch.ones(2))
u = torch.tensor([3.0, -4.0])
assert torch.norm(u) == 5 and torch.abs(u).sum() == 7
""",
    "autograd": """
import torch

x = torch.arange(4.0)
x.requires_grad_(True)
assert x.grad is None
y = 2 * torch.dot(x, x)
y.backward()
assert (x.grad == 4 * x).all()
x.grad.zero_()
y = x.sum()
y.backward()
assert x.grad.tolist() == [1, 1, 1, 1]
x.grad.zero_()
y = x * x
y.sum().backward()
x.grad.data.zero_()
y = x * x
u = y.detach()
z = u * x
z.sum().backward()
assert torch.equal(x.grad, u)


def f(a):
    b = a * 2
    while b.norm() < 1000:
        b = b * 2
    if b.sum() > 0:
        c = b
    else:
        c = 100 * b
    return c


a = torch.randn(size=(), requires_grad=True)
d = f(a)
d.backward()
assert torch.allclose(a.grad, d / a)
w = torch.randn(5, 3, requires_grad=True)
b = torch.randn(3, requires_grad=True)
z = torch.matmul(torch.ones(5), w) + b
print(f"Gradient function for z = {z.grad_fn}")
with torch.no_grad():
    z = torch.matmul(torch.ones(5), w) + b
assert not z.requires_grad
inp = torch.eye(4, 5, requires_grad=True)
out = (inp + 1).pow(2).t()
out.backward(torch.ones_like(out), retain_graph=True)
first = inp.grad.clone()
out.backward(torch.ones_like(out), retain_graph=True)
assert torch.equal(inp.grad, 2 * first)
inp.grad.zero_()
out.backward(torch.ones_like(out))
assert torch.equal(inp.grad, first)
v = torch.tensor([2.0], requires_grad=True)
m = v * 3
m.retain_grad()
(m * m).backward()
assert m.grad.item() == 12 and v.grad.item() == 36 and v.is_leaf and not m.is_leaf
(g,) = torch.autograd.grad(v**3, v)
assert g.item() == 12
""",
    "linear regression from scratch": """
import random
import torch


def synthetic_data(w, b, num_examples):
    X = torch.normal(0, 1, (num_examples, len(w)))
    y = torch.matmul(X, w) + b
    y += torch.normal(0, 0.01, y.shape)
    return X, y.reshape((-1, 1))


def data_iter(batch_size, features, labels):
    num_examples = len(features)
    indices = list(range(num_examples))
    random.shuffle(indices)
    for i in range(0, num_examples, batch_size):
        batch_indices = torch.tensor(indices[i : min(i + batch_size, num_examples)])
        yield features[batch_indices], labels[batch_indices]


random.seed(0)
torch.manual_seed(0)
true_w = torch.tensor([2, -3.4])
true_b = 4.2
features, labels = synthetic_data(true_w, true_b, 300)
w = torch.normal(0, 0.01, size=(2, 1), requires_grad=True)
b = torch.zeros(1, requires_grad=True)


def linreg(X, w, b):
    return torch.matmul(X, w) + b


def squared_loss(y_hat, y):
    return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2


def sgd(params, lr, batch_size):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad / batch_size
            param.grad.zero_()


for epoch in range(6):
    for X, y in data_iter(10, features, labels):
        l = squared_loss(linreg(X, w, b), y)
        l.sum().backward()
        sgd([w, b], 0.03, 10)
    with torch.no_grad():
        train_l = squared_loss(linreg(features, w, b), labels)
        print(f"epoch {epoch + 1}, loss {float(train_l.mean()):f}")
assert (true_w - w.reshape(true_w.shape)).abs().max() < 0.02
""",
    "softmax regression from scratch": """
import torch

torch.manual_seed(1)
num_inputs, num_outputs = 4, 3
centers = torch.randn(3, 4) * 3
y_all = torch.randint(0, 3, (200,))
X_all = centers[y_all] + torch.randn(200, 4)
W = torch.normal(0, 0.01, size=(num_inputs, num_outputs), requires_grad=True)
b = torch.zeros(num_outputs, requires_grad=True)


def softmax(X):
    X_exp = torch.exp(X)
    partition = X_exp.sum(1, keepdim=True)
    return X_exp / partition


def net(X):
    return softmax(torch.matmul(X.reshape((-1, W.shape[0])), W) + b)


def cross_entropy(y_hat, y):
    return -torch.log(y_hat[range(len(y_hat)), y])


def accuracy(y_hat, y):
    if len(y_hat.shape) > 1 and y_hat.shape[1] > 1:
        y_hat = y_hat.argmax(axis=1)
    cmp = y_hat.type(y.dtype) == y
    return float(cmp.type(y.dtype).sum())


for epoch in range(20):
    for i in range(0, 200, 20):
        X, y = X_all[i : i + 20], y_all[i : i + 20]
        l = cross_entropy(net(X), y)
        l.sum().backward()
        with torch.no_grad():
            for param in (W, b):
                param -= 0.1 * param.grad / X.shape[0]
                param.grad.zero_()
acc = accuracy(net(X_all), y_all) / len(y_all)
print(acc)
assert acc > 0.9
""",
    "concise regression with init": """
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
X = torch.randn(200, 20)
y = X.argmax(dim=1) % 4
net = nn.Sequential(nn.Flatten(), nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))


def init_weights(m):
    if type(m) == nn.Linear:
        m.weight.data.normal_(0, 0.1)
        m.bias.data.fill_(0)


net.apply(init_weights)
assert net[1].bias.abs().sum() == 0 and net[1].weight.std() < 0.2
loss = nn.CrossEntropyLoss(reduction="none")
trainer = torch.optim.SGD(net.parameters(), lr=0.3)
train_iter = DataLoader(TensorDataset(X, y), 20, shuffle=True)
first = loss(net(X), y).mean().item()
for epoch in range(5):
    for xb, yb in train_iter:
        l = loss(net(xb), yb)
        trainer.zero_grad()
        l.mean().backward()
        trainer.step()
assert loss(net(X), y).mean().item() < first
print(net)
print(sum(p.numel() for p in net.parameters() if p.requires_grad))
for name, param in net.named_parameters():
    print(f"Layer: {name} | Size: {param.size()} | Values : {param[:2]} \\n")
assert [n for n, _ in net.named_parameters()] == ["1.weight", "1.bias", "3.weight", "3.bias"]
""",
    "quickstart": """
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset

device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)
torch.cuda.manual_seed_all(0)
torch.backends.cudnn.deterministic = True


class Digits(Dataset):
    def __init__(self, n):
        self.x = torch.rand(n, 1, 4, 4)
        self.y = (self.x[:, 0, 0, 0] > 0.5).long()

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(16, 32)
        self.fc2 = nn.Linear(32, 32)
        self.fc3 = nn.Linear(32, 2)

    def forward(self, x):
        x = self.flatten(x)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x)) + x
        return self.fc3(x)


def train(model, device, train_loader, optimizer, epoch, log_interval=5):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.cross_entropy(output, target)
        loss.backward()
        optimizer.step()
        if batch_idx % log_interval == 0:
            print("Train Epoch: {} [{}/{} ({:.0f}%)]\\tLoss: {:.6f}".format(
                epoch, batch_idx * len(data), len(train_loader.dataset),
                100.0 * batch_idx / len(train_loader), loss.item()))


def test(model, device, test_loader):
    model.eval()
    test_loss = 0
    correct = 0
    with torch.no_grad():
        for data, target in test_loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            test_loss += F.cross_entropy(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    test_loss /= len(test_loader.dataset)
    print(f"Average loss: {test_loss:.4f}, Accuracy: {correct}/{len(test_loader.dataset)}")
    return correct / len(test_loader.dataset)


model = Net().to(device)
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
train_loader = DataLoader(Digits(256), batch_size=32, shuffle=True)
test_loader = DataLoader(Digits(100), batch_size=50)
for epoch in range(1, 11):
    train(model, device, train_loader, optimizer, epoch)
assert test(model, device, test_loader) > 0.8
assert next(model.parameters()).device == device
params = list(model.parameters())
assert len(params) == 6 and params[0].size() == (32, 16)
""",
    "xor": """
import torch
import torch.nn as nn

torch.manual_seed(2)
X = torch.Tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = torch.LongTensor([0, 1, 1, 0])
model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
losses = []
for step in range(150):
    loss = nn.CrossEntropyLoss()(model(X), Y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < losses[0]
_, predicted = torch.max(model(X).data, 1)
assert (predicted == Y).all(), predicted
""",
    "spiral": """
import math
import torch
from torch import nn

torch.manual_seed(0)
N, D, C = 60, 2, 3
X = torch.zeros(N * C, D)
y = torch.zeros(N * C, dtype=torch.long)
for c in range(C):
    index = 0
    t = torch.linspace(0, 1, N)
    angle = 2 * math.pi / C
    inner_var = torch.linspace(angle * c, angle * (2 + c), N) + torch.randn(N) * 0.1
    for ix in range(N * c, N * (c + 1)):
        angles = inner_var[index]
        X[ix] = t[index] * torch.stack((torch.sin(angles), torch.cos(angles)))
        y[ix] = c
        index += 1
model = nn.Sequential(nn.Linear(D, 100), nn.ReLU(), nn.Linear(100, C))
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-5)
for t in range(150):
    y_pred = model(X)
    loss = criterion(y_pred, y)
    score, predicted = torch.max(y_pred, 1)
    acc = (y == predicted).sum().float() / len(y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("[EPOCH]: %i, [LOSS]: %.6f, [ACCURACY]: %.3f" % (t, loss.item(), acc))
assert acc > 0.8
xx = torch.arange(-1.0, 1.0, 0.5)
grid = torch.stack([xx.repeat(4), xx.view(-1, 1).expand(4, 4).reshape(-1)], dim=1)
assert model(grid).argmax(1).reshape(4, 4).shape == (4, 4)
""",
    "sine by polynomial": """
import math
import torch

dtype = torch.float
device = torch.device("cpu")
torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 500, device=device, dtype=dtype)
y = torch.sin(x)
a = torch.randn((), device=device, dtype=dtype, requires_grad=True)
b = torch.randn((), device=device, dtype=dtype, requires_grad=True)
c = torch.randn((), device=device, dtype=dtype, requires_grad=True)
d = torch.randn((), device=device, dtype=dtype, requires_grad=True)
for t in range(500):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = (y_pred - y).pow(2).mean()
    if t == 0:
        first = loss.item()
    loss.backward()
    with torch.no_grad():
        a -= 1e-3 * a.grad
        b -= 1e-3 * b.grad
        c -= 1e-3 * c.grad
        d -= 1e-3 * d.grad
        a.grad = None
        b.grad = None
        c.grad = None
        d.grad = None
print(f"Result: y = {a.item()} + {b.item()} x + {c.item()} x^2 + {d.item()} x^3")
assert loss.item() < first / 3


class Polynomial3(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.randn(()))
        self.b = torch.nn.Parameter(torch.randn(()))

    def forward(self, x):
        return self.a + self.b * x

    def string(self):
        return f"y = {self.a.item()} + {self.b.item()} x"


model = Polynomial3()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
for t in range(100):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(model.string())
xx = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
loss = (model(xx) - y).pow(2).sum()
model.zero_grad()
loss.backward()
with torch.no_grad():
    for param in model.parameters():
        param -= 1e-6 * param.grad
assert ((model(xx) - y).pow(2).sum() < loss).item()
""",
    "two layers by hand": """
import torch

torch.manual_seed(0)
N, D_in, H, D_out = 32, 50, 20, 5
x = torch.randn(N, D_in)
y = torch.randn(N, D_out)
w1 = torch.randn(D_in, H)
w2 = torch.randn(H, D_out)
start = None
for t in range(30):
    h = x.mm(w1)
    h_relu = h.clamp(min=0)
    y_pred = h_relu.mm(w2)
    loss = (y_pred - y).pow(2).sum().item()
    start = start or loss
    grad_y_pred = 2.0 * (y_pred - y)
    grad_w2 = h_relu.t().mm(grad_y_pred)
    grad_h_relu = grad_y_pred.mm(w2.t())
    grad_h = grad_h_relu.clone()
    grad_h[h < 0] = 0
    grad_w1 = x.t().mm(grad_h)
    w1 -= 1e-5 * grad_w1
    w2 -= 1e-5 * grad_w2
assert loss < start
v1, v2 = w1.clone().requires_grad_(), w2.clone().requires_grad_()
(x.mm(v1).clamp(min=0).mm(v2) - y).pow(2).sum().backward()
h = x.mm(w1)
g = 2.0 * (h.clamp(min=0).mm(w2) - y)
grad_h = g.mm(w2.t()) * (h > 0).float()
assert torch.allclose(v2.grad, h.clamp(min=0).t().mm(g), rtol=1e-4)
assert torch.allclose(v1.grad, x.t().mm(grad_h), rtol=1e-4, atol=1e-2)
v1.data -= 1e-5 * v1.grad.data
v1.grad.data.zero_()
assert v1.grad.abs().sum() == 0 and v1.is_leaf
""",
    "autoencoder": """
import torch
from torch import nn

torch.manual_seed(0)


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 16))

    def forward(self, x):
        encoded = self.encoder(x)
        decoded = self.decoder(encoded)
        return encoded, decoded


model = Autoencoder()
codes = torch.randn(100, 3)
data = codes @ torch.randn(3, 16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
history = []
for epoch in range(60):
    encoded, decoded = model(data)
    l1 = 1e-4 * sum(p.abs().sum() for p in model.parameters())
    loss = ((decoded - data) ** 2).mean() + l1
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(loss.item())
assert history[-1] < history[0] / 2
assert encoded.detach().numpy().shape == (100, 3)
""",
    "early stopping": """
import copy
import numpy as np
import torch
import torch.nn as nn

np.random.seed(0)
torch.manual_seed(0)
X = np.random.randn(120, 5).astype(np.float32)
y = (X.sum(axis=1) > 0).astype(np.int64)
X_train, y_train = torch.from_numpy(X[:80]), torch.from_numpy(y[:80])
X_val, y_val = torch.tensor(X[80:]), torch.tensor(y[80:])
model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
best_loss, best_state, patience, wait = float("inf"), None, 3, 0
losses = np.zeros(100)
for epoch in range(100):
    model.train()
    loss = criterion(model(X_train), y_train)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses[epoch] = loss.item()
    model.eval()
    with torch.inference_mode():
        val_loss = criterion(model(X_val), y_val)
    if val_loss < best_loss:
        best_loss, wait = val_loss, 0
        best_state = copy.deepcopy(model.state_dict())
    else:
        wait += 1
        if wait == patience:
            break
print(model.load_state_dict(best_state))
with torch.no_grad():
    assert criterion(model(X_val), y_val) == best_loss
    probabilities = torch.exp(model(X_val)) / torch.exp(model(X_val)).sum(dim=1, keepdim=True)
    confidence, label = probabilities.max(dim=1)
assert (label.numpy() == y[80:]).mean() > 0.85 and confidence.min() >= 0.5
twin = copy.deepcopy(model)
assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters()))
""",
    "residual blocks in a list": """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.lin = nn.Linear(width, width)

    def forward(self, x):
        identity = x
        out = self.lin(x)
        out += identity
        return F.relu(out)


class ResMLP(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.heads = nn.ModuleDict({"a": nn.Linear(width, 1), "b": nn.Linear(2 * width, 1)})
        self.register_buffer("center", torch.zeros(width))
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        x = (x - self.center) * self.scale
        first = x
        for i, block in enumerate(self.blocks):
            x = block(x)
        both = torch.cat((first, x), dim=1)
        return self.heads["a"](x).squeeze(-1), self.heads["b"](both).squeeze(1)


torch.manual_seed(0)
model = ResMLP(6, 3)
x = torch.randn(10, 6)
a, b = model(x)
assert a.shape == b.shape == (10,)
loss = (a - 1).pow(2).mean() + 0.5 * (b + 1).abs().mean()
l2 = torch.tensor(0.0)
for p in model.parameters():
    l2 += p.norm() ** 2
loss = loss + 1e-3 * l2
loss.backward()
assert all(p.grad is not None for p in model.parameters())
names = list(model.state_dict())
assert names[:3] == ["scale", "center", "blocks.0.lin.weight"], names
assert sum(b.numel() for b in model.buffers()) == 6
total = torch.norm(torch.stack([p.grad.detach().norm(2) for p in model.parameters()]), 2)
for p in model.parameters():
    p.grad.mul_(1.0 / total)
for p in model.blocks.parameters():
    p.requires_grad = False
optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.1)
optimizer.step()
print(len(model.blocks), model.heads.keys(), [n for n, m in model.named_modules()][:4])
""",
    "gradient accumulation and checkpoints": """
import os
import tempfile
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(0)
dataset = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
train_set, val_set = random_split(dataset, [48, 16])
loader = DataLoader(train_set, batch_size=8, shuffle=True)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters())
optimizer.zero_grad()
running_loss = 0.0
for i, (inputs, labels) in enumerate(loader, 0):
    loss = criterion(model(inputs), labels) / 2
    loss.backward()
    if (i + 1) % 2 == 0:
        optimizer.step()
        optimizer.zero_grad()
    running_loss += loss.item() * inputs.size(0)
print("loss: %.3f" % (running_loss / len(train_set)))
path = os.path.join(tempfile.mkdtemp(), "net.pth")
torch.save(model.state_dict(), path)
other = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
result = other.load_state_dict(torch.load(path))
assert not result.missing_keys and not result.unexpected_keys
x = torch.ones(1, 4)
assert torch.equal(model(x), other(x))
correct, total = 0, 0
with torch.no_grad():
    for data in DataLoader(val_set, batch_size=4):
        images, labels = data
        _, predicted = torch.max(other(images).data, 1)
        total += labels.size(0)
        correct += (predicted == labels).sum().item()
print(f"Accuracy: {100 * correct // total} %")
classes = ("a", "b", "c")
print(" ".join(f"{classes[labels[j]]:5s}" for j in range(4)))
values, indices = torch.topk(other(images), k=2)
assert values.shape == (4, 2) and (values[:, 0] >= values[:, 1]).all()
one_hot = torch.zeros(4, 3).scatter_(1, labels.unsqueeze(1), 1.0)
assert (one_hot.argmax(1) == labels).all()
assert not any(p.requires_grad for p in [t for t in model.state_dict().values()])
""",
    "named layers and surgery": """
import torch
import torch.nn as nn
from collections import OrderedDict

torch.manual_seed(0)
net = nn.Sequential(OrderedDict([
    ("hidden1", nn.Linear(4, 5)), ("act1", nn.ReLU()), ("output", nn.Linear(5, 2))]))
assert net.hidden1.weight.shape == (5, 4) and net[0] is net.hidden1
assert [n for n, _ in net[:2].named_parameters()] == ["hidden1.weight", "hidden1.bias"]
net.add_module("extra", nn.Linear(2, 2))
net.output = nn.Linear(5, 2, bias=False)
assert list(net.state_dict()) == ["hidden1.weight", "hidden1.bias", "output.weight",
                                  "extra.weight", "extra.bias"]
for m in net.modules():
    if isinstance(m, nn.Linear):
        with torch.no_grad():
            m.weight.copy_(torch.eye(*m.weight.shape))
            if m.bias is not None:
                m.bias.zero_()
assert net(torch.ones(1, 4)).tolist() == [[1.0, 1.0]]
net.hidden1.weight.data[:] += 1
net.hidden1.weight.data[0, 0] = 42
assert net.hidden1.weight[0].tolist() == [42, 1, 1, 1]
shared = nn.Linear(3, 3)
tied = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), shared, nn.ReLU(), shared)
assert len(list(tied.parameters())) == 4 and len(tied.state_dict()) == 6
tied(torch.ones(2, 3)).sum().backward()
assert (tied[2].weight.grad == tied[4].weight.grad).all()
x, y = torch.randn(6, 4), torch.randn(6, 2)
opt = torch.optim.SGD([
    {"params": net.hidden1.parameters(), "lr": 0.01}, {"params": net.output.parameters()}], lr=0.1)
loss = (net(x) - y).square().sum(dim=1).mean()
loss.backward()
opt.step()
for group in opt.param_groups:
    group["lr"] *= 0.5
assert [g["lr"] for g in opt.param_groups] == [0.005, 0.05]
assert net.get_submodule("hidden1") is net.hidden1 and len(list(net.children())) == 4
""",
    "masks, types and devices": """
import torch
import numpy as np

x = torch.tensor([[1.0, -2.0, 3.0], [0.0, 5.0, -6.0]], requires_grad=True)
mask = x > 0
assert mask.dtype == torch.bool and mask.sum().item() == 3 and mask.any() and not mask.all()
loss = x[mask].sum() + x.masked_fill(~mask, 0).pow(2).sum()
loss = loss - torch.where(x > 2, x, torch.zeros_like(x)).sum()
loss.backward()
assert torch.equal(x.grad, torch.tensor([[3.0, 0, 6], [0, 10, 0]]))
with torch.no_grad():
    x[x < 0] = 0
    x.clamp_(max=4)
assert x.tolist() == [[1, 0, 3], [0, 4, 0]]
device = (
    "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
)
z = x.to(device).to(torch.float64).detach()
assert z.dtype == torch.float64 and z.cpu().numpy().dtype == np.float64
labels = torch.tensor([2, 0])
log_probs = z - z.logsumexp(dim=1, keepdim=True)
nll = -log_probs[range(2), labels].mean()
assert torch.isclose(nll, -log_probs.gather(1, labels.view(-1, 1)).mean())
assert z.argmax(dim=-1).tolist() == [2, 1]
target = torch.tensor([1, 0, 1], dtype=torch.float32)
pred = torch.tensor([0.7, 0.6, 0.2])
acc = ((pred > 0.5).float() == target).float().mean()
assert abs(acc.item() - 1 / 3) < 1e-6
assert ((pred - target.long()) ** 2).dtype == torch.float32
torch.set_printoptions(precision=4)
torch.set_grad_enabled(False)
assert not (x * 2).requires_grad
torch.set_grad_enabled(True)
with torch.set_grad_enabled(False):
    assert not torch.is_grad_enabled()
assert torch.is_grad_enabled()


@torch.no_grad()
def evaluate(v):
    return (v * 2).requires_grad


assert not evaluate(x)
mean, std = z.mean(dim=0), z.std(dim=0, unbiased=False)
assert torch.isnan(torch.tensor([float("nan"), 1.0])).tolist() == [True, False]
a, b = torch.split(torch.arange(10).reshape(5, 2), [1, 4])
assert a.shape == (1, 2) and b.shape == (4, 2)
for xb, yb in zip(torch.arange(6).split(2), torch.arange(6).chunk(3)):
    assert torch.equal(xb, yb)
perm = torch.randperm(6)
assert torch.arange(6)[perm].sort()[0].tolist() == list(range(6))
""",
    "an average of weights": """
import torch
import torch.nn as nn


class EMA:
    def __init__(self, model, decay):
        self.decay, self.shadow, self.backup = decay, {}, {}
        for name, param in model.named_parameters():
            if param.requires_grad:
                self.shadow[name] = param.data.clone()

    def update(self, model):
        for name, param in model.named_parameters():
            average = (1.0 - self.decay) * param.data + self.decay * self.shadow[name]
            self.shadow[name] = average.clone()

    def apply_shadow(self, model):
        for name, param in model.named_parameters():
            self.backup[name] = param.data
            param.data = self.shadow[name]

    def restore(self, model):
        for name, param in model.named_parameters():
            param.data = self.backup[name]


model = nn.Linear(2, 1)
nn.init.constant_(model.weight, 1.0)
nn.init.zeros_(model.bias)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
ema = EMA(model, 0.5)
x = torch.tensor([[1.0, 2.0]])
for _ in range(3):
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()
    ema.update(model)
trained = [p.clone() for p in model.parameters()]
assert torch.allclose(model.weight, torch.tensor([[0.7, 0.4]]))
ema.apply_shadow(model)
assert torch.allclose(model.weight, torch.tensor([[0.7875, 0.575]]))
ema.restore(model)
assert all(torch.equal(a, b) for a, b in zip(trained, model.parameters()))
optimizer.step()
assert torch.allclose(model.weight, torch.tensor([[0.6, 0.2]]))
""",
    "layers by hand and tied weights": """
import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.parameter import Parameter


class MyLinear(nn.Module):
    def __init__(self, size_in, size_out, bias=True):
        self.size_in, self.size_out = size_in, size_out
        super().__init__()
        self.weights = Parameter(torch.Tensor(size_out, size_in))
        if bias:
            self.bias = Parameter(torch.Tensor(size_out))
        else:
            self.register_parameter("bias", None)
        nn.init.kaiming_uniform_(self.weights, a=math.sqrt(5))
        fan_in, _ = nn.init._calculate_fan_in_and_fan_out(self.weights)
        bound = 1 / math.sqrt(fan_in)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x):
        return torch.add(torch.mm(x, self.weights.t()), self.bias)

    def extra_repr(self):
        return f"size_in={self.size_in}, size_out={self.size_out}"


class TiedAutoencoder(nn.Module):
    def __init__(self, width, code):
        super().__init__()
        self.encoder = nn.Linear(width, code)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        code = torch.sigmoid(self.encoder(x))
        return F.linear(code, self.encoder.weight.t(), self.bias)


torch.manual_seed(0)
layer = MyLinear(4, 3)
assert str(layer) == "MyLinear(size_in=4, size_out=3)"
assert layer(torch.ones(2, 4)).shape == (2, 3) and layer.bias.abs().max() <= 0.5
model = TiedAutoencoder(4, 3)
assert len(list(model.parameters())) == 3
x = torch.rand(20, 4)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
first = F.mse_loss(model(x), x).item()
for _ in range(30):
    loss = F.mse_loss(model(x), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
assert loss.item() < first
assert model.encoder.weight.grad.shape == (3, 4)
""",
    "tables of float64": """
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = (X.sum(axis=1) * 4).round().astype(int)
X_train, y_train = torch.Tensor(X[:40]), torch.from_numpy(y[:40])
X_test, y_test = torch.FloatTensor(X[40:]), torch.LongTensor(y[40:])
assert X_train.dtype == X_test.dtype == torch.float32 and y_test.dtype == torch.int64
labels = (y_train > 0).type(torch.LongTensor)
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
criterion = nn.MSELoss()
first = criterion(model(X_train).squeeze(1), y_train).item()
for epoch in range(20):
    for xb, yb in DataLoader(TensorDataset(X_train, y_train), batch_size=20):
        loss = criterion(model(xb).squeeze(1), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
assert loss.item() < first
print(f"Epoch {epoch} | loss {loss} | {loss:.4f} | label {y_test[0]}")
assert f"{loss}" == str(loss.item()) and f"{y_test[0]}" == str(y[40])
with torch.no_grad():
    residual = model(X_test).squeeze(1) - y_test
log_cosh = torch.mean(torch.log(torch.cosh(residual)))
assert log_cosh <= abs(residual).mean()
accuracy = ((model(X_train).squeeze(1) > 0).type(torch.FloatTensor) == labels).float().mean()
assert accuracy > 0.5
""",
    "adversaries": """
import numpy as np
import torch
import torch.nn as nn
from torch.autograd import Variable

Tensor = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor


def block(inputs, outputs, normalize=True):
    layers = [nn.Linear(inputs, outputs)]
    if normalize:
        layers.append(nn.BatchNorm1d(outputs, 0.8))
    layers.append(nn.LeakyReLU(0.2, inplace=True))
    return layers


generator = nn.Sequential(
    *block(4, 8, normalize=False), *block(8, 16), nn.Linear(16, 2), nn.Tanh())
discriminator = nn.Sequential(
    nn.Linear(2, 16), nn.LeakyReLU(0.2, inplace=True), nn.Linear(16, 1), nn.Sigmoid())
loss = nn.BCELoss()
optimizer_G = torch.optim.Adam(generator.parameters(), lr=0.002, betas=(0.5, 0.999))
optimizer_D = torch.optim.Adam(discriminator.parameters(), lr=0.002, betas=(0.5, 0.999))
for i in range(3):
    real = Variable(torch.randn(8, 2).type(Tensor))
    valid = Variable(Tensor(real.size(0), 1).fill_(1.0), requires_grad=False)
    fake = Variable(Tensor(real.size(0), 1).fill_(0.0), requires_grad=False)
    optimizer_G.zero_grad()
    made = generator(Variable(Tensor(np.random.normal(0, 1, (8, 4)))))
    g_loss = loss(discriminator(made), valid)
    g_loss.backward()
    optimizer_G.step()
    optimizer_D.zero_grad()
    d_loss = (loss(discriminator(real), valid) + loss(discriminator(made.detach()), fake)) / 2
    d_loss.backward()
    optimizer_D.step()
print("[D loss: %f] [G loss: %f]" % (d_loss.item(), g_loss.item()))
assert valid.dtype == torch.float32 and 0 < d_loss < 5
""",
    "unbalanced classes": """
import os
import tempfile
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.sampler import SubsetRandomSampler, WeightedRandomSampler

torch.manual_seed(0)
y = torch.tensor([0] * 90 + [1] * 8 + [2] * 2)
x = F.one_hot(y, num_classes=3).float() + 0.1 * torch.randn(100, 3)
counts = torch.tensor([(y == c).sum() for c in torch.unique(y, sorted=True)])
weight = 1.0 / counts.float()
samples_weight = torch.tensor([weight[c] for c in y])
data = TensorDataset(x, y)
loader = DataLoader(data, batch_size=50, sampler=WeightedRandomSampler(samples_weight, 100))
model = nn.Linear(3, 3)
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for epoch in range(20):
    for xb, yb in loader:
        loss = F.cross_entropy(model(xb), yb, weight=counts.sum() / (3.0 * counts))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
confusion = torch.zeros(3, 3, dtype=torch.int64)
with torch.no_grad():
    for xb, yb in DataLoader(data, batch_size=30, sampler=SubsetRandomSampler(range(100))):
        for t, p in zip(yb.view(-1), model(xb).argmax(1).view(-1)):
            confusion[t.long(), p.long()] += 1
print(confusion, confusion.diag() / confusion.sum(1))
assert confusion.diag().sum() > 95
path = os.path.join(tempfile.mkdtemp(), "model.pth")
torch.save(obj=model.state_dict(), f=path)
assert str(model.load_state_dict(torch.load(f=path))) == "<All keys matched successfully>"
many = F.one_hot(y).float()
pos_weight = (many == 0.0).sum(dim=0) / many.sum(dim=0)
loss = nn.BCEWithLogitsLoss(pos_weight=pos_weight)(model(x), many)
assert torch.logical_and(many.bool(), torch.flip(many, dims=(1,)).bool()).sum() == 8
assert torch.prod(torch.tensor([[0.0, 1.0], [2.0, 3.0]]), dim=1).tolist() == [0, 6] and loss > 0
assert str(many[:1]) == "tensor([[1., 0., 0.]])" and str(weight[1]) == "tensor(0.1250)"
""",
}
