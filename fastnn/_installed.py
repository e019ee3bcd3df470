"""Says what is wrong where Python took the sources' folder for the installed package."""

from importlib.util import find_spec
from pathlib import Path

if find_spec("fastnn._core") is None:
    raise ImportError(
        "fastnn: expected its compiled core beside its sources, got none in "
        f"{Path(__file__).parent}; Python took the sources' folder for the installed package: "
        "start it in another folder, or with `python -P`, after `pip install .`"
    )
