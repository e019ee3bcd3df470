"""The table of fuzzing figures in docs/reliability.md."""

import platform
import time
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent.parent / "docs/reliability.md"
START, END = "<!-- fuzzing: start -->\n", "<!-- fuzzing: end -->"


def machine() -> str:
    import fastnn

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line[:10] == "model name"), "")
    return (f"{time.strftime('%Y-%m-%d')}: {model}, fastnn {fastnn.__version__}, "
            f"Python {platform.python_version()}")  # fmt: skip


def write(results: list[dict[str, Any]]) -> None:
    """Put a table of the sums between the two marks of the page."""
    rows: dict[str, dict[str, Any]] = {}
    for result in results:
        for name, found in result["targets"].items():
            row = rows.setdefault(name, dict.fromkeys(
                ("executions", "read", "refused", "ways to end", "seconds"), 0) | {"finds": set()}
            )  # fmt: skip
            for key in ("executions", "read", "refused", "seconds"):
                row[key] += found[key]
            row["ways to end"] = max(row["ways to end"], found["ways to end"])
            row["finds"] |= set(found["finds"])
    lines = [
        "| target | files | of them read | ways to end | open finds | seconds |",
        "| :--- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| `{name}` | {row['executions']:,} | {row['read']:,} | {row['ways to end']} | "
            f"{len(row['finds'])} | {row['seconds']:,.0f} |"
            for name, row in rows.items()
        ),
        f"| all | {sum(row['executions'] for row in rows.values()):,} | | | | |",
        "",
        f"Run on {'; '.join(sorted({result['machine'] for result in results}))}.",
        "",
    ]
    before, rest = PAGE.read_text().split(START)
    PAGE.write_text(before + START + "\n" + "\n".join(lines) + "\n" + END + rest.split(END)[1])
