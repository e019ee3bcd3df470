"""`fastnn info`: this installation, or what is in a model file."""

from __future__ import annotations

import argparse
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastnn
from fastnn.cli.arguments import Commands, check_folders, write_json
from fastnn.cli.results import score_table

if TYPE_CHECKING:
    from fastnn.tabular import TableModel

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "info",
        help="tell about this installation, or about a model file",
        description="Without a file: versions, instruction sets and threads. With one: what it "
        "predicts from which columns, its layers, and how it was trained.",
    )
    parser.add_argument("model", type=Path, nargs="?", metavar="MODEL",
                        help="a file that train or fastnn.save_model wrote")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Show it."""
    check_folders(args.json)
    facts, text = _installation() if args.model is None else _file(args.model)
    if args.json:
        write_json(args.json, facts)
    print(text)


def _installation() -> tuple[dict[str, Any], str]:
    from importlib import metadata

    facts = {
        "fastnn": fastnn.__version__,
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "machine": platform.machine(),
        "isa": fastnn.isa(),
        "available_isas": list(fastnn.available_isas()),
        "threads": fastnn.get_num_threads(),
    }
    lines = [f"{name}: {', '.join(value) if isinstance(value, list) else value}"
             for name, value in facts.items()]  # fmt: skip
    return facts, "\n".join(lines)


def _file(path: Path) -> tuple[dict[str, Any], str]:
    """A model of a table, a model that save_model wrote, or tensors."""
    from fastnn.serialization import read_metadata
    from fastnn.tabular import TableModel

    metadata = read_metadata(path)
    if TableModel.is_in(metadata):
        return _table_model(TableModel.load(path))
    try:
        network = fastnn.load_model(path)
    except fastnn.FileFormatError:  # an architecture of classes that are not ours, or none
        return _tensors(path)
    facts = {"layers": _layers(network), "parameters": _count(network), "metadata": metadata}
    return facts, f"{network!r}\n{_count(network)} parameters"


def _table_model(model: TableModel) -> tuple[dict[str, Any], str]:
    facts = {
        "target": model.target.name,
        "task": model.target.task,
        "columns": {feature.name: feature.kind for feature in model.features},
        "layers": _layers(model.network),
        "parameters": _count(model.network),
        "training": model.training,
    }
    lines = [f"{model.target.name}: {model.target.describe()}, from {len(model.features)} columns:"]
    lines += [f"  {feature.name}: {feature.describe()}" for feature in model.features]
    lines += [repr(model.network), f"{_count(model.network)} parameters"]
    training = model.training
    lines.append(f"trained on {training['rows']} rows; on those held out:")
    lines.append(score_table(training["scores"]))
    return facts, "\n".join(lines)


def _tensors(path: Path) -> tuple[dict[str, Any], str]:
    tensors = _named(fastnn.load(path))
    facts = {"tensors": {name: [str(t.dtype), list(t.shape)] for name, t in tensors.items()}}
    lines = [f"{name}: {t.dtype} {tuple(t.shape)}" for name, t in tensors.items()]
    return facts, "\n".join(lines) or "no tensors"


def _named(value: Any, path: str = "") -> dict[str, fastnn.Tensor]:
    """All tensors of what a file holds, by the way to them."""
    if isinstance(value, fastnn.Tensor):
        return {path: value}
    items = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list | tuple) else ())  # fmt: skip
    found: dict[str, fastnn.Tensor] = {}
    for key, item in items:
        found |= _named(item, f"{path}.{key}" if path else str(key))
    return found


def _layers(network: fastnn.nn.Module) -> list[str]:
    leaves = [module for module in network.modules() if not any(module.children())]
    return [repr(module) for module in leaves]


def _count(network: fastnn.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())
