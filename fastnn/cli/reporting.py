"""The report of `fastnn train`: what the rows held out tell, beside how the model was made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastnn import report
from fastnn.cli.results import UNITS, told
from fastnn.tabular.target import Classes

if TYPE_CHECKING:
    from fastnn.tabular import Trained

__all__ = ["write_report"]


def write_report(folder: Path, trained: Trained) -> Path:
    """Write the report of a training; returns the path of its page.

    Raises:
        ImportError: without matplotlib.
        OSError: if it cannot be written.
    """
    target, held_out = trained.target, trained.validation
    classes = isinstance(target, Classes)
    return report.write(
        folder,
        trained.history,
        targets=held_out.truth,
        outputs=held_out.outputs,
        names=target.labels if isinstance(target, Classes) else [target.name],
        rows=held_out.rows.tolist(),
        kind="classes" if classes else "numbers",
        results=_told(trained.scores),
        settings=_settings(trained),
        title=f"{target.name} of {trained.model.training['data']}",
    )


def _told(scores: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, str]]:
    return {who: {UNITS[name]: told(name, value) for name, value in values.items()}
            for who, values in scores.items()}  # fmt: skip


def _settings(trained: Trained) -> dict[str, Any]:
    training = trained.model.training
    recipe = {name.replace("_", " "): value for name, value in training["recipe"].items()}
    return {
        "target": trained.target.describe(),
        "rows": f"{trained.rows} to learn from, {len(trained.validation.rows)} held out",
        "columns": ", ".join(feature.name for feature in trained.model.features),
        "columns left out": "\n".join(f"{n}: {why}" for n, why in training["ignored"].items())
        or "none",
        "network": trained.model.network.summary(),
        **recipe,
        "weights of epoch": trained.best_epoch,
    }
