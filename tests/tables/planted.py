"""What a row of the tables of planted bugs holds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """A replacement that must make a test fail.

    Attributes:
        name: What is wrong.
        file: The file, from the project's folder.
        right: The text that stands there, once.
        wrong: What is put in its place.
        tests: Where it should be caught.
        area: Of a mutant: "kernels", "gates" or "readers".
    """

    name: str
    file: str
    right: str
    wrong: str
    tests: str
    area: str = ""
