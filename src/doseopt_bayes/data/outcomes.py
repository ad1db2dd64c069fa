"""The outcome mini-language: '1NNE 2EEB' is two cohorts, three patients each, at levels 1 and 2."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

import pandas as pd

from doseopt_bayes import names
from doseopt_bayes.errors import DataError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Cohort", "outcome_table", "parse_outcomes", "print_outcomes"]

Cohort = tuple[int, str]


def parse_outcomes(text: str, levels: int) -> tuple[Cohort, ...]:
    """Read cohorts in the order in which they stand.

    Parameters
    ----------
    text
        Cohorts separated by blanks: the dose level, counted from 1 in ascending doses, and one
        letter per patient: N neither, E efficacy only, T toxicity only, B both.
    levels
        Number of candidate doses.

    Returns
    -------
    tuple of (int, str)
        Level and letters of each cohort.

    Raises
    ------
    DataError
        With the position (from 1) of the first bad character of every bad cohort (B06), and every
        level that does not exist (C12).

    Examples
    --------
    >>> parse_outcomes("1NNE 2EEB", 5)
    ((1, 'NNE'), (2, 'EEB'))
    """
    problems: list[Problem] = []
    cohorts = []
    for match in re.finditer(r"\S+", text):
        token, start = match.group(), match.start() + 1
        number = re.match(r"[0-9]*", token)
        digits = number.group() if number else ""
        letters = token[len(digits) :]
        bad = next((i for i, c in enumerate(letters) if c not in names.CELLS), None)
        if not digits or bad is not None or not letters:
            offset = 0 if not digits else len(digits) + (bad or 0)
            problems.append(_bad_character(token, offset, start))
        elif not 1 <= int(digits) <= levels:
            rule = f"character {start}: level {int(digits)} is not one of 1..{levels}"
            repair = "levels count from 1 in ascending doses"
            problems.append(Problem("DOB-C12", rule, repair, column=token, value=digits))
        else:
            cohorts.append((int(digits), letters))
    if not cohorts and not problems:
        rule, repair = "no cohort in the text", "use TrialData.empty for a design without data"
        problems.append(Problem("DOB-A13", rule, repair))
    if problems:
        raise DataError(problems, f"the outcomes {text!r}")
    return tuple(cohorts)


def print_outcomes(cohorts: Iterable[tuple[int, int, str]]) -> str:
    """Write patients back, in their order, as the mini-language.

    Parameters
    ----------
    cohorts
        Per patient: number of the cohort, dose level from 1, and outcome letter.

    Examples
    --------
    >>> print_outcomes([(1, 1, "N"), (1, 1, "E"), (2, 3, "B")])
    '1NE 3B'
    """
    groups = groupby(cohorts, key=lambda p: (p[0], p[1]))
    return " ".join(f"{level}{''.join(p[2] for p in group)}" for (_, level), group in groups)


def outcome_table(cohorts: Sequence[Cohort], doses: Sequence[float]) -> pd.DataFrame:
    """Return one row per patient: id, dose, cohort (all from 1) and Int8 columns tox and eff.

    Parameters
    ----------
    cohorts
        Level and letters of each cohort.
    doses
        Candidate doses, ascending; level 1 is the first.
    """
    people = [
        (k, float(doses[level - 1]), letter)
        for k, (level, letters) in enumerate(cohorts, start=1)
        for letter in letters
    ]
    columns = {
        "id": pd.Series([str(i) for i, _ in enumerate(people, start=1)], dtype="str"),
        "dose": pd.Series([dose for _, dose, _ in people], dtype="float64"),
        "cohort": pd.Series([cohort for cohort, _, _ in people], dtype="int64"),
        names.TOX: pd.array([int(letter in "TB") for _, _, letter in people], dtype="Int8"),
        names.EFF: pd.array([int(letter in "EB") for _, _, letter in people], dtype="Int8"),
    }
    return pd.DataFrame(columns)


def _bad_character(token: str, offset: int, start: int) -> Problem:
    if offset >= len(token):
        rule = f"character {start + offset}: cohort {token!r} has a level but no patient"
        return Problem("DOB-B06", rule, "add one letter per patient", column=token)
    found = token[offset]
    if offset == 0:
        rule = f"character {start}: a cohort starts with its dose level, given {found!r}"
        return Problem("DOB-B06", rule, "write for example 1NNE", column=token, value=found)
    rule = f"character {start + offset}: {found!r} is not an outcome letter"
    repair = "N neither, E efficacy only, T toxicity only, B both"
    if found.upper() in names.CELLS:
        repair = f"did you mean {found.upper()!r}?"
    return Problem("DOB-B06", rule, repair, column=token, value=found)
