"""Posteriors of separate outcomes joined: what a CUI, a decision and a comparison read from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import doseopt_bayes as dob
from doseopt_bayes.errors import DiagnosticsError, DoseOptError
from doseopt_bayes.inference.checks import Check, Diagnostics
from doseopt_bayes.inference.join import together
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.ordinal import OrdinalGrades
from tests.arms.cases import posterior
from tests.models.arm_cases import (
    DIARRHOEA,
    DOSES,
    count_fit,
    grade_fit,
    graded,
    read,
    stop_fit,
)

CELLS = [(30, 18, 6, 4), (22, 20, 10, 6)]
CUI = dob.CUI(
    {
        "p_eff": dob.Attribute(2, "benefit"),
        "p_tox": dob.Attribute(1, "harm"),
        "p_diarrhoea": dob.Attribute(1, "harm"),
        "rate_nausea": dob.Attribute(
            1, "harm", dob.PiecewiseLinear(points=((0.0, 1.0), (1.0, 0.6), (3.0, 0.0)))
        ),
        "p_toxicity": dob.Attribute(1, "harm"),
    }
)
MARGINS = [
    dob.Margin("eff", 0.15, "difference", "higher"),
    dob.Margin("diarrhoea", 0.0, "difference", "lower"),
    dob.Margin("rate_nausea", -0.5, "difference", "lower"),
    dob.Margin("mean_diarrhoea", 1.0, "ratio", "lower"),
]


@pytest.fixture(scope="module")
def joined():
    return together(posterior(CELLS), grade_fit(), count_fit(), stop_fit())


def test_each_part_keeps_its_own_numbers(joined):
    for part in (grade_fit(), count_fit(), stop_fit()):
        for name in map(str, part.draws.data_vars):
            np.testing.assert_allclose(
                joined.expect(joined[name]), part.expect(part[name]), rtol=1e-10
            )
    assert set(joined.parameters) >= {"log_odds", "grade_step", "log_rate", "log_hazard", "anchor"}
    np.testing.assert_array_equal(joined.draws["dose"], DOSES)


def test_longer_parts_are_thinned_evenly_and_said(joined):
    trial = posterior(CELLS)
    assert joined.draws.sizes["draw"] == 2000
    np.testing.assert_array_equal(joined["p_tox"], trial["p_tox"].isel(draw=slice(0, None, 5)))
    assert any("2000 evenly spaced of 10000 draws" in note for note in joined.notes)
    assert any("taken to be independent" in note for note in joined.notes)


def test_what_was_seen_stands_side_by_side(joined):
    ends = joined.seen["endpoint"].to_numpy().tolist()
    assert ends == ["tox", "eff", "diarrhoea", "nausea", "toxicity", "progression"]
    assert joined.seen["events"].sel(endpoint="diarrhoea").to_numpy().tolist() == [3, 9]
    # the largest part says how many were treated
    assert joined.seen["n_treated"].to_numpy().tolist() == [300, 300]
    assert any("patients by dose differ" in note for note in joined.notes)


def test_a_utility_of_all_outcomes_ranks_the_arms(joined):
    decision = dob.decide(joined, CUI, dob.TriedOnly())
    parts = (posterior(CELLS), grade_fit(), count_fit(), stop_fit())
    w = {n: a.weight / CUI.total for n, a in CUI.attributes.items()}
    own = {n: next(p for p in parts if n in p.draws) for n in CUI.attributes}
    # the mean of an additive utility does not depend on how the outcomes go together
    wanted = sum(
        w[n] * own[n].expect(a.curve(own[n][n])).to_numpy() for n, a in CUI.attributes.items()
    )
    found = decision.table["utility"].to_numpy()
    np.testing.assert_allclose(found, wanted, atol=0.003)
    assert float(decision.recommended) == DOSES[0]
    assert float(decision.table["rate_nausea_mcse"].max()) < 0.02


def test_arms_are_compared_on_probabilities_rates_and_means(joined):
    found = dob.compare_arms(joined, margins=MARGINS, utility=CUI)
    ends = found.table["endpoint"].to_numpy().tolist()
    assert ends[-1] == "utility"
    assert {"diarrhoea", "nausea", "toxicity", "rate_nausea", "mean_diarrhoea"} <= set(ends)
    at = found.table.isel(pair=0)
    rate = joined["rate_nausea"]
    wanted = float((rate.isel(dose=0) - rate.isel(dose=1)).mean())
    assert float(at["difference"].sel(endpoint="rate_nausea")) == pytest.approx(wanted)
    assert wanted < -0.5
    assert float(at["n"].sel(endpoint="rate_nausea", dose=DOSES[0])) == 120
    # independent outcomes: the joint probability is near the product
    p = at["within"].to_numpy()
    p_rises, mean_rises = (joined[n].diff("dose") > 0 for n in ("p_diarrhoea", "mean_diarrhoea"))
    grade = float(joined.prob(p_rises & mean_rises).item())
    assert float(at["joint"]) == pytest.approx(p[0] * p[2] * grade, abs=0.02)
    said = dob.arm_sensitivity(joined, found, seed=1)
    assert "rate_nausea" in str(said)
    assert "rate_nausea" in str(found)


def test_a_margin_of_a_rate_is_in_its_own_unit():
    assert dob.Margin("rate_nausea", 3.0, "difference", "lower").at_most == 3
    assert dob.Margin("mean_pain", -2.0, "difference", "lower").at_most == -2
    with pytest.raises(DoseOptError, match="a difference of probabilities"):
        dob.Margin("nausea", 3.0, "difference", "lower")
    with pytest.raises(DoseOptError, match="has no 'p_rate_vomiting'"):
        dob.compare_arms(
            posterior(CELLS), margins=[dob.Margin("rate_vomiting", 1, "ratio", "lower")],
            utility=dob.CUI({"p_eff": dob.Attribute(1, "benefit")}),
        )  # fmt: skip


def second(name="fatigue"):
    """Fit the same counts with the same seed and the same program, under another name."""
    model = OrdinalGrades(DOSES, DIARRHOEA, unit="mg")
    post = fit(model, read(graded(), DIARRHOEA), seed=11)
    groups = {
        g: t.to_dataset().rename({v: str(v).replace("diarrhoea", name) for v in t.data_vars})
        for g, t in post.tree.children.items()
    }
    ends = groups["seen"]["endpoint"].to_numpy()
    groups["seen"] = groups["seen"].assign_coords(
        endpoint=[str(e).replace("diarrhoea", name) for e in ends]
    )
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(post.tree.attrs)
    table = post.diagnostics.table
    titles = [str(q).replace("diarrhoea", name) for q in table["quantity"].to_numpy()]
    diagnostics = replace(post.diagnostics, table=table.assign_coords(quantity=titles))
    return replace(post, tree=tree, diagnostics=diagnostics)


def correlation(a, b):
    return float(np.corrcoef(a.to_numpy().ravel(), b.to_numpy().ravel())[0, 1])


def test_the_same_seed_makes_no_correlation_and_parameters_get_their_own_names():
    one, two = grade_fit(), second()
    both = together(one, two)
    assert {"log_odds", "log_odds_fatigue", "grade_step_fatigue"} <= set(both.parameters)
    titles = both.diagnostics.table["quantity"].to_numpy().tolist()
    assert "log_odds_fatigue[15]" in titles
    assert len(set(titles)) == len(titles)
    # chain beside chain the two are the same draws, and would seem to go together
    np.testing.assert_array_equal(one["log_odds"], two["log_odds"])
    shared = correlation(both["log_odds"].isel(dose=0), both["log_odds_fatigue"].isel(dose=0))
    assert abs(shared) < 0.06
    prior = both.tree["prior"].to_dataset()
    between = correlation(prior["log_odds"].isel(dose=0), prior["log_odds_fatigue"].isel(dose=0))
    assert abs(between) < 0.06
    low, high = float(two.mcse(two["p_fatigue"]).min()), float(two.mcse(two["p_fatigue"]).max())
    assert low * 0.8 < float(both.mcse(both["p_fatigue"]).min()) < high * 1.2


def test_dims_with_other_labels_get_their_own_name():
    other = second("cramp")
    longer = other.tree["posterior"].to_dataset().isel(grade=[0, 1]).assign_coords(grade=[3, 4])
    tree = other.tree.copy()
    tree["posterior"] = xr.DataTree(longer)
    both = together(grade_fit(), replace(other, tree=tree))
    assert both["grade_cramp"].dims == ("chain", "draw", "dose", "grade_of_cramp")
    assert both["grade_diarrhoea"]["grade"].to_numpy().tolist() == [0, 1, 2]


def test_a_part_that_failed_fails_the_whole():
    bad = Check("divergences", passed=False, measured="7", limit="0")
    failed = replace(grade_fit(), diagnostics=Diagnostics((bad,), grade_fit().diagnostics.table))
    whole = together(posterior(CELLS), failed)
    assert not whole.diagnostics.passed
    assert "diarrhoea: divergences" in str(whole.diagnostics)
    with pytest.raises(DiagnosticsError, match="diarrhoea: divergences: 7"):
        dob.decide(whole, dob.CUI({"p_diarrhoea": dob.Attribute(1, "harm")}), dob.TriedOnly())


def test_thinning_repeats_the_gate():
    short = posterior(CELLS)
    tree = short.tree.copy()
    tree["posterior"] = xr.DataTree(short.draws.isel(draw=slice(0, 500)))
    whole = together(grade_fit(), replace(short, tree=tree))
    assert whole.draws.sizes["draw"] == 500
    failed = [c.name for c in whole.diagnostics.failures]
    assert failed == ["diarrhoea: draws per chain"]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (lambda: (grade_fit(),), "one posterior alone"),
        (lambda: (grade_fit(), grade_fit()), "is in two parts"),
        (lambda: (posterior(CELLS, doses=(15.0, 40.0)), grade_fit()), "has the doses 15, 45"),
        (lambda: (posterior(CELLS, unit="ug"), grade_fit()), "never converted silently"),
        (lambda: (replace(grade_fit(), sample_dims=("sample",)), grade_fit()), "no chains"),
    ],
)
def test_what_cannot_be_joined_is_refused(parts, said):
    with pytest.raises(DoseOptError, match=said):
        together(*parts())


def test_numbers_of_chains_must_agree():
    trial = posterior(CELLS)
    tree = trial.tree.copy()
    tree["posterior"] = xr.DataTree(trial.draws.isel(chain=[0, 1, 2]))
    with pytest.raises(DoseOptError, match="same number of chains"):
        together(grade_fit(), replace(trial, tree=tree))
