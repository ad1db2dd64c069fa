"""The table of faults names every row, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from tests import faults

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^([B-I]\d\d)  (.+)$", faults.__doc__ or "", flags=re.MULTILINE)


def test_every_row_has_a_test_or_says_why_not():
    wanted = {
        f"{letter}{i:02d}"
        for letter, n in (("D", 13), ("E", 10), ("F", 13), ("G", 13), ("H", 10), ("I", 10))
        for i in range(1, n + 1)
    } | {"B13", "C01", "C06", "C07", "C10", "C14", "C16"}
    assert {row for row, _ in ROWS} == wanted
    without = {row for row, said in ROWS if said.startswith("not ")}
    assert without == {"E10", "F07", "F13", "G09", "H06", "H07", "I01", "I07", "I08"}


def test_every_named_test_exists():
    for row, said in ROWS:
        if said.startswith("not "):
            continue
        path, name = said.split("::")
        name, _, case = name.partition(" (")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {name}(" in text, row
        assert not case or f'"{case.removesuffix(")")}"' in text, row


def test_every_test_of_this_folder_is_named():
    named = {said.split("::")[1] for _, said in ROWS if "::" in said}
    letters = "|".join(row.lower() for row, _ in ROWS)
    for path in Path(__file__).parent.glob("test_*.py"):
        for row in set(re.findall(rf"def test_({letters})_", path.read_text(encoding="utf-8"))):
            assert any(name.startswith(f"test_{row}_") for name in named), row
