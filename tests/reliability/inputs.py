"""Bad inputs and odd environments end in the documented error or exactly the right result."""

import re

from reliability.suite import passed

TIMES = 1
CHECKS = 6  # error, message, time, memory, state, and what is left open: `test_bad_inputs.run`


def prove(times: int) -> dict[str, object]:
    """Run all rows, so many times."""
    for _ in range(times):
        names, _ = passed("tests/test_bad_inputs.py", "tests/test_environment.py")
    rows = [name for name in names if name.startswith("test_bad_input[")]
    places = [name for name in names if name.startswith("test_the_same_bits[")]
    kinds = {kind for name in rows + places for kind in re.findall(r"\[([A-JM]\d\d)\b", name)}
    return {"inputs": len(rows), "checks of each": CHECKS, "environments": len(places),
            "failure classes with a number": len(kinds)}  # fmt: skip
