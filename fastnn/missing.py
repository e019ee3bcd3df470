"""Errors for PyTorch's names that are not here: they say what is nearest."""

from __future__ import annotations

import sys
from collections.abc import Iterable

__all__ = ["absent", "refusal"]

_IMAGES = "fastnn trains feed-forward networks: nn.Flatten and nn.Linear take images as rows"
_SEQUENCES = "fastnn trains feed-forward networks, with nn.Linear on inputs of a fixed size"
_CPU = "fastnn runs on the CPU: leave it out, or ask fastnn.cuda.is_available(), which is False"
_HOOKS = "hooks are not here: forward may keep what it computes, retain_grad() keeps gradients"
_FASTER = "nothing needs compiling: fastnn.Trainer runs a whole epoch in C++"
_FILES = "fastnn.save and fastnn.load keep a state_dict, without pickle"
_SECOND = "gradients of gradients are not here; fastnn.autograd.grad gives first ones"
_HALF = "float32 and float64 are the types with kernels: use .float() or .double()"
_COMPLEX = "real numbers only: keep two tensors"
_DTYPE = "make models with .double(), and tensors with dtype=fastnn.float64"

# a name, or the beginning of one that ends with *, and what to do instead
_NEAREST = {
    "Conv*": _IMAGES, "conv*": _IMAGES, "MaxPool*": _IMAGES, "AvgPool*": _IMAGES,
    "Adaptive*": _IMAGES, "BatchNorm2d": "nn.BatchNorm1d takes rows; " + _IMAGES,
    "BatchNorm3d": "nn.BatchNorm1d takes rows; " + _IMAGES, "Dropout2d": "see nn.Dropout",
    "Dropout3d": "see nn.Dropout", "max_pool*": _IMAGES, "avg_pool*": _IMAGES,
    "InstanceNorm*": "see nn.BatchNorm1d and nn.LayerNorm", "GroupNorm": "see nn.LayerNorm",
    "SyncBatchNorm": "see nn.BatchNorm1d", "Upsample": _IMAGES, "interpolate": _IMAGES,
    "RNN*": _SEQUENCES, "LSTM*": _SEQUENCES, "GRU*": _SEQUENCES, "Transformer*": _SEQUENCES,
    "MultiheadAttention": _SEQUENCES, "scaled_dot_product_attention": _SEQUENCES,
    "Embedding*": "one-hot rows into nn.Linear give the same: functional.one_hot(y).float()",
    "embedding*": "one-hot rows into nn.Linear give the same: functional.one_hot(y).float()",
    "Lazy*": "give nn.Linear its in_features: x.shape[1]", "Bilinear": "see nn.Linear",
    "CTCLoss": "see nn.CrossEntropyLoss",
    "KLDivLoss": "nn.CrossEntropyLoss with soft labels has its gradient",
    "kl_div": "cross_entropy with soft labels has its gradient",
    "MultiMarginLoss": "see nn.CrossEntropyLoss",
    "MultiLabel*": "see nn.BCEWithLogitsLoss", "TripletMarginLoss": "use tensor operations",
    "CosineSimilarity": "use (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))",
    "DataParallel": _CPU, "parallel": _CPU, "distributed": "one machine: fastnn.set_num_threads(n)",
    "multiprocessing": "one process with threads: fastnn.set_num_threads(n)",
    "cuda": _CPU, "is_cuda": _CPU, "pin_memory": _CPU, "mps": _CPU, "xpu": _CPU, "amp": _HALF,
    "autocast": _HALF, "GradScaler": _HALF, "half": _HALF, "float16": _HALF, "bfloat16": _HALF,
    "complex*": _COMPLEX, "fft": "use numpy.fft", "linalg": "use numpy.linalg on x.numpy()",
    "einsum": "use @, matmul, or a product and sum(dim)", "compile": _FASTER, "jit": _FASTER,
    "fx": _FASTER, "onnx": _FILES, "hub": _FILES, "package": _FILES, "quantization": _FASTER,
    "profiler": "Python's cProfile, or bench/run.py", "set_default_tensor_type": _DTYPE,
    "set_default_device": _CPU, "use_deterministic_algorithms": "results never depend on threads: "
    "fastnn.manual_seed(seed) is enough", "Function": "write forward with tensor operations",
    "register_forward*": _HOOKS, "register_full*": _HOOKS,
    "register_backward*": _HOOKS, "register_hook": _HOOKS, "hessian": _SECOND, "jacobian": _SECOND,
    "LBFGS": "see optim.Adam, or optim.SGD with momentum", "Adadelta": "see optim.RMSprop",
    "Adafactor": "see optim.AdamW", "Adamax": "see optim.Adam", "NAdam": "see optim.Adam",
    "RAdam": "see optim.AdamW", "ASGD": "see optim.SGD", "Rprop": "see optim.RMSprop",
    "SparseAdam": "see optim.Adam", "CyclicLR": "see OneCycleLR", "share_memory*": _CPU,
    "to_sparse": "tensors are dense", "sparse*": "tensors are dense", "storage": "see numpy()",
    "vmap": "operations take whole batches", "func": _SECOND,
    "svd": "use numpy.linalg.svd on x.numpy()", "inverse": "use numpy.linalg.inv on x.numpy()",
    "pinverse": "use numpy.linalg.pinv on x.numpy()", "meshgrid": "use numpy.meshgrid",
    "histc": "use numpy.histogram on x.numpy()", "median": "use numpy.median on x.numpy()",
    "unsqueeze_": "write x = x.unsqueeze(dim)", "squeeze_": "write x = x.squeeze()",
    "logspace": "10 ** linspace(start, end, steps) is the same",
    "multinomial": "use numpy.random.Generator.choice(n, p=probabilities.numpy())",
    "bernoulli": "(rand_like(p) < p).float() is the same",
    "tril": "use numpy.tril on x.numpy()", "triu": "use numpy.triu on x.numpy()",
    "roll": "use numpy.roll on x.numpy()", "trace": "use x.diag().sum()",
    "repeat_interleave": "use numpy.repeat on x.numpy()", "broadcast_to": "use x.expand(shape)",
    "true_divide": "use divide", "diagonal": "use x.diag()", "addmm": "use a + b @ c",
    "addcmul_": "write x += value * a * b", "addcdiv_": "write x += value * a / b",
    "lerp": "use a + weight * (b - a)", "lerp_": "write x += weight * (y - x)",
    "tan": "use x.sin() / x.cos()", "rsqrt": "use x.sqrt().reciprocal()",
    "erf": "use scipy.special.erf on x.numpy()", "pad": "use cat with zeros",
    "quantile": "use numpy.quantile on x.numpy()", "cartesian_prod": "use numpy.meshgrid",
    "nan_to_num": "use where(x.isnan(), 0.0, x)",
    "set_default_dtype": _DTYPE,
    "get_rng_state": "fastnn.random.default_generator.get_state() gives it",
    "set_rng_state": "fastnn.random.default_generator.set_state(state) sets it",
    "pairwise_distance": "use (a - b).norm(dim=1)", "cdist": "use (a[:, None] - b).norm(dim=2)",
    "cosine_similarity": "use (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))",
    "normalize": "use x / x.norm(dim=1, keepdim=True)",
    "ParameterList": "set each as an attribute, or register_parameter(name, parameter)",
    "ParameterDict": "set each as an attribute, or register_parameter(name, parameter)",
    "ReLU6": "use x.clamp(0, 6)", "relu6": "use x.clamp(0, 6)", "Hardtanh": "use x.clamp(-1, 1)",
    "hardtanh": "use x.clamp(-1, 1)", "PReLU": "see nn.LeakyReLU", "prelu": "see leaky_relu",
    "RReLU": "see nn.LeakyReLU", "SELU": "see nn.ELU", "selu": "see elu", "CELU": "see nn.ELU",
    "celu": "see elu", "Mish": "x * softplus(x).tanh(), or see nn.SiLU",
    "mish": "x * softplus(x).tanh(), or see silu", "Hardswish": "see nn.SiLU",
    "Hardsigmoid": "see nn.Sigmoid", "Softsign": "use x / (1 + x.abs())",
    "softsign": "use x / (1 + x.abs())", "LogSigmoid": "use -softplus(-x)",
    "logsigmoid": "use -softplus(-x)", "Tanhshrink": "use x - x.tanh()",
    "Softmin": "softmax(-x) is the same", "softmin": "softmax(-x) is the same",
    "GaussianNLLLoss": "use ((x - y) ** 2 / var + var.log()).mean() / 2",
    "MarginRankingLoss": "use (margin - y * (a - b)).clamp(min=0).mean()",
    "HingeEmbeddingLoss": "use tensor operations, with clamp(min=0)",
    "CosineEmbeddingLoss": "use tensor operations", "PolynomialLR": "see LambdaLR",
    "MultiplicativeLR": "see LambdaLR and ExponentialLR",
    "ChainedScheduler": "call step() of each, or see SequentialLR",
    "Random*": "transforms.Lambda(f) takes any function of an image",
    "ToPILImage": "use PIL.Image.fromarray on an array", "t_": "write x = x.t()",
    "resize_": "write x = x.reshape(...)",
}  # fmt: skip


def refusal(owner: str, name: str, known: Iterable[str]) -> Exception:
    """What the module `owner` raises for a name it has not.

    `from owner import name` first asks quietly, then forgets the answer and says that it cannot
    import the name: the advice is seen only if it is an ImportError at once. A module of that name
    that is not loaded yet must be let through.
    """
    text = absent(owner, name, known)
    if sys._getframe(2).f_code.co_name == "_handle_fromlist":
        from importlib.util import find_spec

        if find_spec(f"{owner}.{name}") is None:
            return ImportError(text, name=owner)
    return AttributeError(text)


def absent(owner: str, name: str, known: Iterable[str]) -> str:
    """The message of the AttributeError for `owner.name`.

    Args:
        owner: What was asked: a module or a class.
        name: What it has not.
        known: The names it has.
    """
    text = f"{owner} has no attribute {name!r}"
    if name.startswith("__"):
        return text  # Python itself asks for these, and expects to be refused
    hint = _NEAREST.get(name) or next(
        (
            advice
            for pattern, advice in _NEAREST.items()
            if pattern.endswith("*") and name.startswith(pattern[:-1])
        ),
        None,
    )
    if hint is not None:
        return f"{text}: {hint}"
    import difflib

    names = {n: n for n in known if not n.startswith("_")}
    lower = {n.lower(): n for n in names}
    close = next(filter(None, (
        [given[n] for n in difflib.get_close_matches(asked, given, 3)]
        for asked, given in ((name, names), (name.lower(), lower))
    )), None)  # fmt: skip
    return f"{text}; did you mean {' or '.join(close)}?" if close else text
