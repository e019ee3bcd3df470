"""Layers and containers."""

from typing import Any

import numpy as np

from fastnn import nn
from tables.activations import relu
from tables.kinds import Array, ModuleCase


def linear(x: Array, weight: Array, bias: Array | float = 0.0) -> Array:
    return x @ weight.T + bias


def _two_layers(x: Array, **p: Array) -> Array:
    return linear(relu(linear(x, p["_0_weight"], p["_0_bias"])), p["_2_weight"], p["_2_bias"])


def normalized(x: Array, axes: tuple[int, ...], eps: float = 1e-5) -> Array:
    mean = x.mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + eps)


def by_channel(values: Array | float, x: Array) -> Array:
    return np.reshape(values, (1, -1, *[1] * (x.ndim - 2)))


def batch_norm(
    x: Array, weight: Any = 1.0, bias: Any = 0.0, eps: float = 1e-5, **_: Array
) -> Array:
    axes = (0, *range(2, x.ndim))
    return normalized(x, axes, eps) * by_channel(weight, x) + by_channel(bias, x)


def batch_norm_eval(
    x: Array,
    running_mean: Array,
    running_var: Array,
    weight: Any = 1.0,
    bias: Any = 0.0,
    **_: Array,
) -> Array:
    z = (x - by_channel(running_mean, x)) / np.sqrt(by_channel(running_var, x) + 1e-5)
    return z * by_channel(weight, x) + by_channel(bias, x)


def layer_norm(x: Array, weight: Any = 1.0, bias: Any = 0.0, dims: int = 1) -> Array:
    return normalized(x, tuple(range(-dims, 0))) * weight + bias


def lively(module: nn.Module) -> Any:
    """The module with weights, biases and statistics that differ from where they start."""
    rng = np.random.default_rng(5)
    for name, tensor in module.state_dict().items():
        if tensor.dtype.kind == "f":
            tensor.copy_(rng.uniform(0.5, 2, tensor.shape) * (-1 if name == "bias" else 1))
    return module


_DROPOUT_ERRORS = (
    (nn.Dropout, (-0.1,), ValueError, r"Dropout: expected .*0 <= p <= 1, got -0\.1"),
    (nn.Dropout, (1.5,), ValueError, r"Dropout: expected .*0 <= p <= 1, got 1\.5"),
    (nn.Dropout, (float("nan"),), ValueError, r"Dropout: expected .*got nan"),
    (nn.Dropout, ("0.5",), TypeError, r"Dropout: expected p to be a number, got '0\.5'"),
    (nn.Dropout, (None,), TypeError, r"Dropout: expected p to be a number, got None"),
    (nn.Dropout, (True,), TypeError, r"Dropout: expected p to be a number, got True"),
)

_BATCH_NORM_ERRORS = (
    ((np.zeros((5, 3)),), ValueError, r"BatchNorm1d\(4\): expected .*\(N, 4, L\), got \(5, 3\)"),
    ((np.zeros((5, 3, 4)),), ValueError, r"BatchNorm1d\(4\): expected .*got \(5, 3, 4\)"),
    ((np.zeros(4),), ValueError, r"BatchNorm1d\(4\): expected .*\(N, 4\).*, got \(4,\)"),
    ((np.zeros((2, 4, 3, 3)),), ValueError, r"BatchNorm1d\(4\): expected .*got \(2, 4, 3, 3\)"),
    ((np.zeros((5, 4), np.float32),), TypeError, r"float64 as running_mean is, got float32"),
    ((np.zeros((5, 4), np.int64),), TypeError, r"float32 or float64 input, got int64"),
)
_ONE_VALUE = (
    ((np.zeros((1, 4)),), ValueError, r"more than 1 value per channel when training.*\(1, 4\)"),
    ((np.zeros((1, 4, 1)),), ValueError, r"more than 1 value per channel .*\(1, 4, 1\)"),
    ((np.zeros((0, 4)),), ValueError, r"more than 1 value per channel .*\(0, 4\)"),
)


def _batch_norm_case(id: str, shape: tuple[int, ...], training: bool, **options: Any) -> ModuleCase:
    channels = shape[1]
    affine, tracks = options.get("affine", True), options.get("track_running_stats", True)
    return ModuleCase(
        f"BatchNorm1d-{id}",
        make=lambda: lively(nn.BatchNorm1d(channels, **options)).train(training),
        inputs=(shape,),
        reference=batch_norm if training or not tracks else batch_norm_eval,
        repr=(
            f"BatchNorm1d({channels}, eps=1e-05, momentum={options.get('momentum', 0.1)}, "
            f"affine={affine}, bias={affine and options.get('bias', True)}, "
            f"track_running_stats={tracks})"
        ),
        training=training,
        errors=(*_BATCH_NORM_ERRORS, *(_ONE_VALUE if training else ()))
        if channels == 4 and tracks
        else (),
        bad_arguments=(
            (nn.BatchNorm1d, (2.0,), TypeError, r"BatchNorm1d: .*integer num_features, got 2\.0"),
            (nn.BatchNorm1d, (-1,), ValueError, r"BatchNorm1d: .*num_features >= 0, got -1"),
        ),
    )


def _layer_norm_case(
    id: str, shape: tuple[int, ...], sizes: int | tuple[int, ...], **options: Any
) -> ModuleCase:
    sizes_shown = (sizes,) if isinstance(sizes, int) else sizes
    affine = options.get("elementwise_affine", True)
    return ModuleCase(
        f"LayerNorm-{id}",
        make=lambda: lively(nn.LayerNorm(sizes, **options)),
        inputs=(shape,),
        reference=lambda x, **p: layer_norm(x, **p, dims=len(sizes_shown)),
        repr=f"LayerNorm({sizes_shown}, eps=1e-05, elementwise_affine={affine}, "
        f"bias={affine and options.get('bias', True)})",
        errors=()
        if sizes != 4
        else (
            ((np.zeros((4, 3)),), ValueError, r"LayerNorm\(\(4,\)\): .*\(\*, 4\), got \(4, 3\)"),
            ((np.zeros(()),), ValueError, r"LayerNorm\(\(4,\)\): .*\(\*, 4\), got \(\)"),
            ((np.zeros((3, 4), np.float32),), TypeError, r"float64 as weight is, got float32"),
            ((np.zeros((3, 4), np.int64),), TypeError, r"float32 or float64 input, got int64"),
        ),
        bad_arguments=(
            (nn.LayerNorm, (2.5,), TypeError, r"LayerNorm: .*sequence of integers, got 2\.5"),
            (nn.LayerNorm, ("34",), TypeError, r"LayerNorm: .*sequence of integers, got '34'"),
            (nn.LayerNorm, ((3, 0),), ValueError, r"LayerNorm: .*at least 1, got \(3, 0\)"),
            (nn.LayerNorm, ((),), ValueError, r"LayerNorm: .*at least one size.*got \(\)"),
        ),
    )


LAYERS = [
    ModuleCase(
        "Linear",
        make=lambda: nn.Linear(4, 3),
        inputs=((5, 4),),
        reference=linear,
        repr="Linear(in_features=4, out_features=3, bias=True)",
        errors=(
            (
                (np.zeros((5, 3)),),
                ValueError,
                r"Linear\(4 -> 3\): expected .*\(N, 4\), got \(5, 3\)",
            ),
            ((np.zeros(()),), ValueError, r"Linear\(4 -> 3\): expected .*\(N, 4\), got \(\)"),
            ((np.zeros((5, 4), np.int64),), TypeError, r"Linear\(4 -> 3\): .* got int64"),
            ((np.zeros((5, 4), complex),), TypeError, r"real numbers, got an array of complex128"),
            ((None,), TypeError, r"real numbers, got NoneType None"),
        ),
        bad_arguments=(
            (nn.Linear, (2.0, 3), TypeError, r"Linear: .*integer in_features, got 2\.0"),
            (nn.Linear, ("3", 4), TypeError, r"Linear: .*integer in_features, got '3'"),
            (nn.Linear, (3, None), TypeError, r"Linear: .*integer out_features, got None"),
            (nn.Linear, (-1, 3), ValueError, r"Linear: .*in_features >= 0, got -1"),
            (nn.Linear, (3, 4, True, np.int64), TypeError, r"float32 or float64.*got int64"),
        ),
    ),
    ModuleCase(
        "Linear-no-bias",
        make=lambda: nn.Linear(3, 5, bias=False),
        inputs=((2, 3),),
        reference=linear,
        repr="Linear(in_features=3, out_features=5, bias=False)",
    ),
    ModuleCase(
        "Linear-3d-input",
        make=lambda: nn.Linear(3, 2),
        inputs=((2, 4, 3),),
        reference=linear,
        repr="Linear(in_features=3, out_features=2, bias=True)",
    ),
    ModuleCase(
        "Linear-1d-input",
        make=lambda: nn.Linear(3, 2),
        inputs=((3,),),
        reference=linear,
        repr="Linear(in_features=3, out_features=2, bias=True)",
    ),
    ModuleCase(
        "Linear-one-feature",
        make=lambda: nn.Linear(1, 1),
        inputs=((17, 1),),
        reference=linear,
        repr="Linear(in_features=1, out_features=1, bias=True)",
    ),
    ModuleCase(
        "Linear-wide",
        make=lambda: nn.Linear(33, 19),
        inputs=((3, 33),),
        reference=linear,
        repr="Linear(in_features=33, out_features=19, bias=True)",
    ),
    ModuleCase(
        "Flatten",
        make=nn.Flatten,
        inputs=((2, 3, 4),),
        reference=lambda x: x.reshape(2, 12),
        repr="Flatten(start_dim=1, end_dim=-1)",
    ),
    ModuleCase(
        "Flatten-inner",
        make=lambda: nn.Flatten(1, 2),
        inputs=((2, 3, 4, 2),),
        reference=lambda x: x.reshape(2, 12, 2),
        repr="Flatten(start_dim=1, end_dim=2)",
    ),
    ModuleCase(
        "Sequential",
        make=lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)),
        inputs=((5, 4),),
        reference=_two_layers,
        repr=(
            "Sequential(\n"
            "  (0): Linear(in_features=4, out_features=6, bias=True)\n"
            "  (1): ReLU()\n"
            "  (2): Linear(in_features=6, out_features=3, bias=True)\n"
            ")"
        ),
        smooth=False,
        errors=(((np.zeros((5, 3)),), ValueError, r"Linear\(4 -> 6\): expected .*got \(5, 3\)"),),
        bad_arguments=(
            (nn.Sequential, (nn.ReLU(), 3), TypeError, r"expected modules, got int at 1"),
            (nn.Sequential, (nn.ReLU,), TypeError, r"expected modules, got type at 0"),
        ),
    ),
    ModuleCase(
        "Sequential-empty",
        make=nn.Sequential,
        inputs=((2, 3),),
        reference=lambda x: x,
        repr="Sequential()",
    ),
    ModuleCase(
        "Identity",
        make=lambda: nn.Identity(54, unused=True),
        inputs=((2, 3),),
        reference=lambda x: x,
        repr="Identity()",
    ),
    ModuleCase(
        "Dropout-eval",
        make=lambda: nn.Dropout().eval(),
        inputs=((3, 5),),
        reference=lambda x: x,
        repr="Dropout(p=0.5, inplace=False)",
        training=False,
        bad_arguments=_DROPOUT_ERRORS,
    ),
    ModuleCase(
        "Dropout-none",
        make=lambda: nn.Dropout(0.0, inplace=True),
        inputs=((3, 5),),
        reference=lambda x: x,
        repr="Dropout(p=0.0, inplace=True)",
    ),
    ModuleCase(
        "Dropout-all",
        make=lambda: nn.Dropout(1),
        inputs=((3, 5),),
        reference=lambda x: 0 * x,
        repr="Dropout(p=1, inplace=False)",
        errors=(((np.zeros(3, np.int64),), TypeError, r"float32 or float64, got .*int64"),),
    ),
    _batch_norm_case("train", (7, 4), True),
    _batch_norm_case("eval", (7, 4), False),
    _batch_norm_case("wide", (5, 67), True),
    _batch_norm_case("wide-eval", (5, 35), False),
    _batch_norm_case("one-channel", (3, 1), True),
    _batch_norm_case("length", (3, 4, 5), True),
    _batch_norm_case("length-eval", (3, 4, 5), False),
    _batch_norm_case("long", (2, 3, 35), True),
    _batch_norm_case("long-eval", (2, 3, 17), False),
    _batch_norm_case("one-row-of-length", (1, 4, 6), True),
    _batch_norm_case("cumulative", (6, 3), True, momentum=None),
    _batch_norm_case("no-affine", (6, 3), True, affine=False),
    _batch_norm_case("no-affine-eval", (6, 3), False, affine=False),
    _batch_norm_case("no-bias", (6, 3), True, bias=False),
    _batch_norm_case("no-statistics", (6, 3), True, track_running_stats=False),
    _batch_norm_case("no-statistics-eval", (6, 3), False, track_running_stats=False),
    _batch_norm_case("nothing", (6, 3, 2), True, track_running_stats=False, affine=False),
    _layer_norm_case("rows", (5, 4), 4),
    _layer_norm_case("wide", (3, 67), 67),
    _layer_norm_case("sixteen", (3, 16), (16,)),
    _layer_norm_case("3d", (2, 3, 5), 5),
    _layer_norm_case("two-dimensions", (4, 3, 5), (3, 5)),
    _layer_norm_case("whole", (3, 5), (3, 5)),
    _layer_norm_case("no-affine", (4, 5), 5, elementwise_affine=False),
    _layer_norm_case("no-bias", (4, 5), 5, bias=False),
]
