"""50 steps of training end in the same weights at any number of threads, again and again."""

import hashlib
import subprocess
import sys

import numpy as np
from support import environment, force_threads, mlp, state_bits

import fastnn
from fastnn import Trainer, nn, optim

TIMES, SHORT = 20, 1
THREADS = (1, 2, 3, 4, 5, 6, 7, 8, 16)
_ROWS, _STEPS = 3200, 50


def digest(compile: bool) -> str:
    """A hash of the weights after 50 steps: dropout, batch norm, Adam, batches of 64."""
    random = np.random.default_rng(1)
    data = random.standard_normal((_ROWS, 40)).astype(np.float32), random.integers(0, 7, _ROWS)
    fastnn.manual_seed(2)
    hidden = nn.Sequential(nn.Linear(40, 90), nn.BatchNorm1d(90), nn.ReLU(), nn.Dropout(0.2))
    model = nn.Sequential(hidden, mlp(90, 33, 7))
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), compile=compile)
    trainer.fit(data, epochs=1, batch_size=_ROWS // _STEPS, verbose=0)
    return hashlib.sha256(state_bits(model)).hexdigest()


def prove(times: int) -> dict[str, object]:
    """One hash an ISA, eagerly and compiled, while another process keeps a core busy."""
    before, neighbour = fastnn.isa(), _busy()
    threads, runs = THREADS if times == TIMES else THREADS[:3], 0
    try:
        for isa in fastnn.available_isas():
            fastnn.set_isa(isa)
            found = set()
            for n in threads * times:
                force_threads(n)
                found |= {digest(compile=True), digest(compile=False)}
                runs += 2
            assert len(found) == 1, f"{isa}: {len(found)} different ends"
    finally:
        fastnn.set_isa(before)
        neighbour.kill()
        neighbour.wait()
    assert _elsewhere() == _elsewhere(), "two processes end differently"
    return {"isas": fastnn.available_isas(), "threads": list(threads), "runs": runs, "hashes": 1}


def _busy() -> "subprocess.Popen[bytes]":
    """A process that works on until this one ends, even if that is by a kill."""
    code = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    return subprocess.Popen([sys.executable, "-c", code])


def _elsewhere() -> str:
    code = "import conftest; from reliability.determinism import digest; print(digest(True))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), cwd="/",
                          capture_output=True, text=True, check=True)  # fmt: skip
    return done.stdout
