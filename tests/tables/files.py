"""Files and commands: those that are refused with one line, and those that are taken."""

from collections.abc import Sequence

SHORT = ("--epochs", "2", "--hidden", "4", "--weight-decay", "0.1",
         "--activation", "silu")  # fmt: skip
TRAIN = ["train", "t.csv", "--target", "y", *SHORT]
PREDICT = ["predict", "flowers.model", "t.csv"]
EVALUATE = ["evaluate", "flowers.model", "t.csv"]
NO_FILE = "No such file or directory: "
AGES = "age,place,y\n" + "".join(
    f"{20 + 3 * i % 41},{'xyz'[i % 3]},{'no' if i % 2 else 'yes'}\n" for i in range(40)
)
LINES = AGES.splitlines(keepends=True)


def changed(row: int, line: str) -> str:
    """The table with another line for a row, counted from 1."""
    return "".join([*LINES[:row], line + "\n", *LINES[row + 1 :]])


def column(cells: Sequence[object], name: str = "more") -> str:
    """The table with a column more."""
    given = [name, *map(str, cells)]
    return "".join(f"{cell},{line}" for cell, line in zip(given, LINES, strict=True))


# name: the file, the command, what its one line says
REFUSED: dict[str, tuple[str | bytes, list[str], str]] = {
    "empty file": ("", TRAIN, "t.csv: expected a header and rows, got an empty file"),
    "header only": (LINES[0], TRAIN, "t.csv: expected rows below the header, got none"),
    "no header": ("".join(f"{i},{i},{i % 2}\n" for i in range(40)), TRAIN, "expected a header"),
    "short row": (changed(5, "31,x"), TRAIN, "t.csv: row 5 (line 6): expected 3 values"),
    "long row": (changed(5, "31,x,no,1"), TRAIN, "row 5 (line 6): expected 3 values"),
    "open quote": (changed(7, '31,"x,no'), TRAIN, "t.csv: line 8: a quotation mark opens"),
    "huge cell": (changed(7, "31," + "x" * 200_000 + ",no"), TRAIN, "t.csv: line 8: "),
    "NUL": (changed(3, "3\x001,x,no"), TRAIN, "t.csv: line 4: expected text, got a NUL"),
    "latin-1": (changed(3, "31,é,no").encode("latin-1"), TRAIN, "line 4: expected utf-8 text"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), TRAIN, "t.csv: line 1: "),
    "a workbook": (b"PK\x03\x04" + bytes(100), TRAIN, "got a workbook or an archive"),
    "half a Parquet file": (b"PAR1" + bytes(100), TRAIN, "expected a whole Parquet file"),
    "duplicate columns": ("age,age,y\n1,2,no\n", TRAIN, "two named 'age': columns 1 and 2"),
    "text in numbers": (changed(9, "old,x,no"), TRAIN, "column 'age', row 9 (line 10): expected a "
                        "number, as in 39 other rows, got 'old'"),
    "decimal comma": (changed(9, '"31,5",x,no'), TRAIN, "got '31,5'; write 1.5, not 1,5"),
    "underscores in numbers": (changed(9, "3_1,x,no"), TRAIN, "column 'age', row 9 (line 10)"),
    "inf": (changed(9, "inf,x,no"), TRAIN, "row 9 (line 10): expected a number of at most 1e+100"),
    "1e400": (changed(9, "1e400,x,no"), TRAIN, "row 9 (line 10): expected a number of at most"),
    "one class": (AGES.replace("yes", "no"), TRAIN, "expected at least two classes, got only 'no'"),
    "no value to learn": ("age,y\n" + "1,\n" * 20, TRAIN, "column 'y': expected values to learn"),
    "few values to learn": ("age,y\n" + "1,a\n2,b\n" * 4 + "1,\n" * 20, TRAIN, "at least 10 rows"),
    "few rows": ("".join(LINES[:8]), TRAIN, "expected at least 10 rows with a value in"),
    "a class for each row": (column(range(40), "q"), [*TRAIN[:3], "q", "--task", "classification"],
                             "expected classes that repeat, got 40 different values in 40 rows"),
    "names as a quantity": (AGES, [*TRAIN, "--task", "regression"],
                            "column 'y', row 1 (line 2): expected a number, got 'yes'"),
    "one quantity": ("age,y\n" + "".join(f"{i},0.5\n" for i in range(20)), TRAIN, "that differ"),
    "wrong separator": (AGES, [*TRAIN, "--separator", ";"], "expected the column 'y', which"),
    "separated by blanks": (AGES.replace(",", " "), TRAIN, "expected the column 'y', which"),
    "wrong encoding": (AGES, [*TRAIN, "--encoding", "utf-16"], "expected utf-16 text"),
    "no such encoding": (AGES, [*TRAIN, "--encoding", "x"], "no encoding is named 'x'"),
    "wrong target": (AGES, [*TRAIN[:3], "Y"], "'Y', which the file does not have; did you mean"),
    "no column to learn from": ("y\n" + "a\nb\n" * 10, TRAIN, "a column to learn from beside"),
    "only constant columns": ("x,y\n" + "1,a\n1,b\n" * 10, TRAIN, "'x': it is the same"),
    "all columns ignored": (AGES, [*TRAIN, "--ignore", "age,place"], "'age': left out as asked"),
    "an unknown column": (AGES, [*TRAIN, "--ignore", "agee"], "'agee', which the file"),
    "a column twice": (AGES, [*TRAIN, "--numeric", "age", "--ignore", "age"], "'age' twice"),
    "names as numbers": (AGES, [*TRAIN, "--numeric", "place"], "row 1 (line 2): expected a number"),
    "a seed below 0": (AGES, [*TRAIN, "--seed", "-1"], "expected a seed from 0"),
    "divergence": (AGES, [*TRAIN, "--lr", "1e30", "--activation", "relu"], "epoch 1, batch"),
    "no such folder": (AGES, [*TRAIN, "--out", "no/m"], "no folder to write no/m in"),
    "a folder to write": (AGES, [*TRAIN, "--json", "."], "got the folder ."),
    "no such file": (AGES, ["train", "no.csv", "--target", "y"], NO_FILE + "no.csv"),
    "a folder to read": (AGES, ["train", ".", "--target", "y"], ".: expected a file, got a folder"),
    # predict and evaluate
    "missing columns": ("length\n1\n", PREDICT,
                        "expected the columns 'width', 'colour', which the file does not have"),
    "text at predict": ("length,width,colour\n1,wide,red\n", PREDICT,
                        "t.csv: column 'width', row 1 (line 2): expected a number, got 'wide'"),
    "inf at predict": ("length,width,colour\n1,inf,red\n", PREDICT,
                       "column 'width', row 1 (line 2): expected a number of at most"),
    "a number out of all bounds": ("length,width,colour\n1,1,red\n1,1e60,red\n",
                                   PREDICT, "t.csv: row 2: "),
    "nothing to predict": ("length,width,colour\n", PREDICT,
                           "expected rows below the header, got none"),
    "shares of a quantity": ("", ["predict", "prices.model", "prices.csv", "--proba"],
                             "expected a classification for probabilities"),
    "no folder for predictions": ("", ["predict", "flowers.model", "flowers.csv", "--out", "n/p"],
                                  "no folder to write n/p in"),
    "no target to compare": ("length,width,colour\n1,1,red\n", EVALUATE,
                             "expected the column 'kind', which the file does not have"),
    "a new class": ("length,width,colour,kind\n1,1,red,big\n1,1,red,huge\n",
                    EVALUATE, "t.csv: column 'kind', row 2 (line 3): "
                    "expected a class among 'big', 'small', got 'huge'"),
    "a table as a model": (AGES, ["predict", "t.csv", "t.csv"], "expected a safetensors file"),
    "a model as a table": (AGES, ["predict", "flowers.model", "flowers.model"], "flowers.model: "),
    "no such model": (AGES, ["evaluate", "no.model", "t.csv"], NO_FILE + "no.model"),
    "info of a table": (AGES, ["info", "t.csv"], "expected a safetensors file"),
    "info of nothing": (AGES, ["info", "no"], NO_FILE + "no"),
}  # fmt: skip

ACCEPTED: dict[str, tuple[str | bytes, list[str], str]] = {
    "plain": (AGES, TRAIN, ""),
    "quoted newlines": (AGES.replace("x", '"x\ny"'), TRAIN, ""),
    "UTF-8 mark": (b"\xef\xbb\xbf" + AGES.encode(), TRAIN, ""),
    "UTF-16": (AGES.encode("utf-16"), TRAIN, ""),
    "CRLF": (AGES.replace("\n", "\r\n"), TRAIN, ""),
    "no final newline": (AGES.rstrip(), TRAIN, ""),
    "blank lines": (AGES.replace("\n", "\n\n"), TRAIN, ""),
    "semicolons": (AGES.replace(",", ";"), TRAIN, ""),
    "blanks, as asked": (AGES.replace(",", " "), [*TRAIN, "--separator", " "], ""),
    "tabs, as asked": (AGES.replace(",", "\t"), [*TRAIN, "--separator", "tab"], ""),
    "latin-1, as asked": (AGES.replace("x", "é").encode("latin-1"),
                          [*TRAIN, "--encoding", "latin-1"], ""),
    "quoted header": (AGES.replace("age,place", '"age","place"'), TRAIN, ""),
    "text in numbers, as asked": (changed(9, "old,x,no"), [*TRAIN, "--categorical", "age"], ""),
    "missing values": (changed(9, ",?,no"), TRAIN, ""),
    "a target with missing values": (changed(9, "31,x,"), TRAIN,
                                     "rows without 'y' are left out: 1"),
    "10,000 categories": (
        "name,x,y\n" + "".join(f"n{i % 10_000},{i % 7},{'ab'[i % 2]}\n" for i in range(20_002)),
        ["train", "t.csv", "--target", "y", "--epochs", "1", "--batch-size", "4000"],
        ""),
    "names of the rows": (column([f"n{i}" for i in range(40)]), TRAIN, "it names the rows"),
    "numbers of the rows": (column(range(40), "id"), TRAIN, "it numbers the rows"),
    "an index without a name": (column(range(40), ""), TRAIN, "column '' is left out"),
    "a column of nothing": (column([""] * 40), TRAIN, "column 'more' is left out: it is empty"),
    "a constant column": (column([5] * 40), TRAIN, "column 'more' is left out: it is the same"),
    "a column that is ignored": (AGES, [*TRAIN, "--ignore", "place"], "left out as asked"),
    "a class of one row": (changed(9, "31,x,maybe"), TRAIN, ""),
    "large numbers": (column([1e99 * (-1) ** i for i in range(40)]), TRAIN, ""),
    "small numbers": (column([1e-300 * i for i in range(40)]), TRAIN, ""),
    "names with a comma": (AGES.replace("place", '"pl,ace"'), TRAIN, ""),
    "a name as long as a page": (AGES.replace("place", "p" * 5000), TRAIN, ""),
    # predict and evaluate
    "re-ordered columns": ("colour,width,length\nred,9,2\n", PREDICT, ""),
    "extra columns": ("x,length,y,width,colour\n1,2,3,9,red\n", PREDICT,
                      ""),
    "an unknown category": ("length,width,colour\n2,9,red\n2,9,pink\n",
                            PREDICT, "note: t.csv: column 'colour', "
                            "row 2 (line 3): 'pink' was not among the categories"),
    "missing values at predict": ("length,width,colour\n,9,red\n2,NA,\n",
                                  PREDICT, ""),
    "missing targets at evaluate": ("length,width,colour,kind\n2,9,red,\n2,9,red,big\n",
                                    EVALUATE, ""),
}  # fmt: skip
