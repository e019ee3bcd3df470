"""What must hold for any model, array, file and training holds for those that hypothesis draws."""

import re

from reliability.suite import passed

TIMES = 1


def prove(times: int) -> dict[str, object]:
    """Draw the examples of the long profile, so many times."""
    examples = properties = 0
    for _ in range(times):
        names, said = passed("tests/properties", "--hypothesis-profile=long",
                             "--hypothesis-show-statistics")  # fmt: skip
        properties = len(names)
        examples += sum(map(int, re.findall(r"(\d+) passing, ", said)))
    return {"properties": properties, "examples": examples}
