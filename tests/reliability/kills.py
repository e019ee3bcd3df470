"""A training that is killed at any moment and resumed ends in the bits of one left alone."""

import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from resume_support import LAYERS, OPTIMIZERS, SCHEDULES, make_run, outcome
from support import environment

import fastnn

TIMES, SHORT = 200, 2
_CODE = """
import sys, conftest
from resume_support import make_run
trainer, given = make_run(*sys.argv[3:])
trainer.compile = sys.argv[2] == "compiled"
print("began", flush=True)
trainer.fit(**given, checkpoint_dir=sys.argv[1], checkpoint_every=1, resume=True)
print("ended", flush=True)
"""


def prove(times: int) -> dict[str, object]:
    """So many SIGKILLs at random moments, over optimizers, schedules and layers."""
    chance = random.Random(0)
    cases = list(itertools.product(OPTIMIZERS, SCHEDULES, LAYERS))
    chance.shuffle(cases)
    kills = resumes = 0
    for case in itertools.cycle(cases):
        if kills >= times:
            break
        with tempfile.TemporaryDirectory() as folder:
            killed = _killed(folder, case, chance)
            kills += killed
            resumes += bool(killed)
            _check(Path(folder), case)
    return {"kills": kills, "resumed trainings": resumes, "different ends": 0}


def _killed(folder: str, case: tuple[str, ...], chance: random.Random) -> int:
    """Kill a training up to three times; how often it could be done before the end."""
    kills, form = 0, chance.choice(["compiled", "eager"])
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", _CODE, folder, form, *case], cwd="/",
                                   env=environment(), stdout=subprocess.PIPE)  # fmt: skip
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.1))
            process.kill()
            ended = b"ended" in process.stdout.read()
        assert process.returncode in (0, -signal.SIGKILL)
        kills += not ended
    return kills


def _check(folder: Path, case: tuple[str, ...]) -> None:
    for path in folder.glob("*.safetensors"):
        fastnn.load(path)  # whatever was under way, each file that has its name is whole
    trainer, given = make_run(*case, seed=int(bool(os.listdir(folder))))
    trainer.fit(**given, checkpoint_dir=folder, resume=True)
    expected, given = make_run(*case)
    expected.fit(**given)
    assert outcome(trainer) == outcome(expected), case
