"""What long runs write into docs/reliability.md."""

import platform
import time
from collections.abc import Iterable
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs/reliability.md"


def machine() -> str:
    """The day, the machine and the versions, for beside the figures."""
    import fastnn

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line[:10] == "model name"), "")
    return (f"{time.strftime('%Y-%m-%d')}: {model}, isas {', '.join(fastnn.available_isas())}, "
            f"fastnn {fastnn.__version__}, Python {platform.python_version()}")  # fmt: skip


def write(name: str, table: Iterable[str], machines: Iterable[str]) -> None:
    """Put a table between the two marks of a name."""
    start, end = (f"<!-- {name}: {place} -->\n" for place in ("start", "end"))
    text = "\n".join([*table, "", f"Run on {'; '.join(sorted(set(machines)))}.", ""])
    before, rest = PAGE.read_text().split(start)
    PAGE.write_text(f"{before}{start}\n{text}\n{end}{rest.split(end)[1]}")
