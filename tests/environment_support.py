"""The program that must come to the same end in any environment, and what runs it there."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from support import environment, fpu_mode, mlp, state_bits
from tables.environments import Environment

import fastnn
from fastnn import Trainer, _core, nn, optim


def outcome(place: Environment, folder: Path) -> dict[str, Any]:
    """What the program comes to in an environment, which must say nothing.

    Returns:
        Its `bits` as a hash, its `losses`, and whether the floating-point `mode` is as it was.
    """
    code = (f"{place.first}\nimport fastnn\n{place.then}\n"
            "import environment_support as program\nprogram.main()")  # fmt: skip
    variables: dict[str, str] = environment()
    for name, value in place.variables.items():
        variables.pop(name, None)
        variables |= {} if value is None else {name: value}
    out = folder / "out"
    done = subprocess.run(
        ["sh", "-c", f'{place.shell} || exit 99; exec "$@"', "sh", sys.executable, *place.flags,
         "-c", code, str(folder), str(out)],
        env=variables, cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if not _of_openmp(line)]
    assert (done.returncode, done.stdout, said) == (0, "", []), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def _of_openmp(line: str) -> bool:
    """Whether GCC's library says that it does not understand a variable of its own."""
    return not line or line.startswith("libgomp: Invalid value for environment variable OMP_")


def main() -> None:
    folder, out = sys.argv[1:]
    before = fpu_mode()
    found = _work(Path(folder, "model.safetensors"))
    Path(out).write_text(json.dumps({**found, "mode": fpu_mode() == before}))


def _work(path: Path) -> dict[str, Any]:
    """Train, save, load and predict."""
    _core.set_serial_work(0)  # all the work in teams, where there are any
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((101, 19)).astype(np.float32), rng.integers(0, 5, 101)
    bits, losses = hashlib.sha256(), []
    for compiled in (True, False):
        model = mlp(19, 33, 5)
        rule = optim.Adam(model.parameters(), lr=0.01)
        trainer = Trainer(model, nn.CrossEntropyLoss(), rule, compile=compiled)
        losses += trainer.fit((x, y), epochs=2, batch_size=37, verbose=0).loss
        fastnn.save_model(model, path)
        loaded = fastnn.load_model(path)
        bits.update(state_bits(model) + state_bits(loaded) + trainer.predict(x).tobytes())
    return {"bits": bits.hexdigest(), "losses": losses}
