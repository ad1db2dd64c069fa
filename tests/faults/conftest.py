"""One fitted and saved analysis for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import doseopt_bayes as dob

MODELS = Path(__file__).parents[2] / "models"
THALL = MODELS / "efftox-thall2014.toml"
TRIAL = "ID,Dose,Toxicity,Efficacy\n" + "".join(
    f"{i:03d},{dose},{tox},{eff}\n"
    for i, (dose, tox, eff) in enumerate(
        [(1, 0, 0), (1, 0, 0), (1, 0, 1), (2, 0, 1), (2, 0, 1), (2, 1, 1)], start=1
    )
)


@pytest.fixture(scope="session")
def trial(tmp_path_factory):
    path = tmp_path_factory.mktemp("trial") / "interim.csv"
    path.write_text(TRIAL, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def analysis(trial):
    return dob.Spec.load(THALL).run(trial)


@pytest.fixture(scope="session")
def saved(analysis, tmp_path_factory):
    """Return a results folder; whoever changes a file of it puts it back."""
    folder = tmp_path_factory.mktemp("saved")
    dob.save(analysis, folder)
    return folder
