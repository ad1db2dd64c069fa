"""NUTS at its default settings on every exposure-response data set: er_sampling.csv holds the last run."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.validation.er_sampling import HERE, SIMULATED, cases, sampled

DATA = {"hyperglycaemia", "d_sim_emax", "rstanemax", "biom", "IBS", "glycobrom", "migraine", "ADER",
        "NONMEM records", "CUI-MET"}  # fmt: skip


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(HERE / "er_sampling.csv")


def test_every_data_set_and_both_sizes_were_sampled(table):
    assert set(table["data"]) == DATA | {f"simulated {n}" for n in SIMULATED}
    assert set(table["data"] + ": " + table["model"]) == set(cases())
    for n in SIMULATED:
        assert set(table.loc[table["data"] == f"simulated {n}", "n"]) == {n}


def test_no_fit_diverged_or_was_repeated(table):
    """At 4 x 2,000 draws and target acceptance 0.9, the first settings."""
    assert (table["divergences"] == 0).all()
    assert (table["refits"] == 0).all()
    assert (table["draws"] == 8000).all()


def test_every_fit_passed_the_gate(table):
    assert table["passed"].all()
    assert table["rhat"].max() < 1.01
    assert table["ess"].min() >= 400


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in cases() if not n.startswith("simulated")])
def test_files_are_sampled_again(name):
    row = sampled(name)
    print(", ".join(f"{k} {v}" for k, v in row.items()))
    assert (row["divergences"], row["refits"], row["passed"]) == (0, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in cases() if n.startswith("simulated")])
def test_simulated_patients_are_sampled_again(name):
    row = sampled(name)
    print(", ".join(f"{k} {v}" for k, v in row.items()))
    assert (row["divergences"], row["refits"], row["passed"]) == (0, 0, 1)
