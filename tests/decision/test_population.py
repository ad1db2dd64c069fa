"""The population: averages inside each draw, against exact moments; shares, counts, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.population import population
from doseopt_bayes.decision.rules import AnyDose
from doseopt_bayes.errors import DoseOptError
from tests.decision.subgroup_cases import EVENTS, N, conjugate, particles

EFFECT = CUI({"p_eff": Attribute(1, "benefit")})


def posteriors(endpoint):
    """(subgroup, dose): the exact Beta of each cell."""
    x = EVENTS[endpoint]
    return stats.beta(1 + x, 1 + N - x)


@pytest.mark.parametrize("make", [lambda p: p, particles], ids=["draws", "particles"])
def test_mean_and_variance_are_those_of_the_weighted_sum(make):
    post = make(conjugate(draws=4000))
    found = population(post, {"laBCC": 3, "mBCC": 1})
    share = np.array([[0.75], [0.25]])
    exact = posteriors("eff")
    x = found["p_eff"]
    mean = (share * exact.mean()).sum(0)
    assert (abs(found.expect(x) - mean) < 4 * found.mcse(x)).all()
    variance = (share**2 * exact.var()).sum(0)
    away = x - xr.DataArray(mean, dims="dose")
    np.testing.assert_allclose(found.expect(away**2), variance, rtol=0.06)
    assert type(found) is type(post)


def test_the_probability_of_the_best_dose_is_that_of_quadrature():
    """Pr(1/2 (a + b) > 1/2 (c + d)) of four independent Betas, by integrating over three of them."""
    post = conjugate(draws=8000)
    found = decide(population(post, {"laBCC": 1, "mBCC": 1}), EFFECT, AnyDose())
    x = EVENTS["eff"]
    exact = [[stats.beta(1 + x[g, j], 1 + N[g, j] - x[g, j]) for j in range(2)] for g in range(2)]
    nodes, weight = np.polynomial.legendre.leggauss(120)
    nodes, weight = (nodes + 1) / 2, weight / 2
    a, b, c = (e.pdf(nodes) * weight for e in (exact[0][0], exact[1][0], exact[0][1]))
    bound = nodes[:, None, None] + nodes[None, :, None] - nodes[None, None, :]
    inside = exact[1][1].cdf(bound)
    truth = np.einsum("i,j,k,ijk->", a, b, c, inside)
    row = found.table.sel(dose=200.0)
    assert abs(float(row["prob_obd"]) - truth) < 4 * float(row["prob_obd_mcse"])


def test_shares_of_treated_patients_are_the_default_and_said():
    post = conjugate()
    found = population(post)
    share = N.sum(1) / N.sum()
    expected = (post["p_tox"] * xr.DataArray(share, dims="subgroup")).sum("subgroup")
    np.testing.assert_allclose(found["p_tox"], expected.transpose(*found["p_tox"].dims))
    assert "shares of treated patients: laBCC 0.843, mBCC 0.157" in found.notes[-1]
    assert decide(found, EFFECT, AnyDose()).headline.startswith("whole population: ")


def test_a_share_of_one_is_that_subgroup():
    post = conjugate()
    found = population(post, {"laBCC": 0, "mBCC": 2})
    np.testing.assert_allclose(found["p_eff"], post.at(subgroup="mBCC")["p_eff"])


def test_joint_outcomes_are_averaged_and_still_sum_to_one():
    found = population(conjugate())
    np.testing.assert_allclose(found["p_cell"].sum("cell"), 1)
    np.testing.assert_allclose(
        found["p_cell"].sel(cell=["T", "B"]).sum("cell").transpose(*found["p_tox"].dims),
        found["p_tox"],
    )


def test_what_a_grouping_touches_is_dropped_and_the_rest_kept():
    found = population(conjugate())
    assert found.parameters == ("eff_intercept_tau",)
    assert "eff_intercept" not in found.draws
    assert found.groupings == ()
    assert found.draws["dose"].attrs["units"] == "mg"


def test_counts_are_added_up_with_those_known_together_only():
    n_together = np.array([[30, 0], [40, 0]])
    some = {"n_together": n_together, "events_together": n_together // 3}
    seen = population(conjugate(together=some)).seen
    np.testing.assert_array_equal(seen["n"], N.sum(0)[:, None] + n_together)
    tox = seen["events"].sel(endpoint="tox")
    np.testing.assert_array_equal(tox, EVENTS["tox"].sum(0) + n_together[:, 0] // 3)
    assert "n_together" not in seen
    np.testing.assert_array_equal(seen["n_treated"], [109, 191])  # as trial.ungrouped() counts
    plain = population(conjugate()).seen
    np.testing.assert_array_equal(plain["n_treated"], N.sum(0))


def test_crossed_groupings_take_a_share_for_each_pair():
    post = conjugate()
    tree = xr.DataTree.from_dict(
        {
            name: xr.concat([child.to_dataset()] * 2, "region").assign_coords(region=["EU", "US"])
            for name, child in post.tree.children.items()
        }
    )
    tree.attrs.update(groupings="subgroup,region")
    both = replace(post, tree=tree)
    share = {("laBCC", "EU"): 1, ("laBCC", "US"): 1, ("mBCC", "EU"): 0, ("mBCC", "US"): 2}
    found = population(both, share)
    half = population(post, {"laBCC": 1, "mBCC": 1})
    np.testing.assert_allclose(found["p_eff"], half["p_eff"])
    assert "mBCC, region US 0.5" in found.notes[-1]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"laBCC": 1}, "no weight for mBCC"),
        ({"laBCC": 1, "MBCC": 1}, "did you mean 'mBCC'"),
        ({"laBCC": 1, "mBCC": -0.1}, ">= 0"),
        ({"laBCC": 1, "mBCC": float("nan")}, "finite"),
        ({"laBCC": 0, "mBCC": 0}, "all 0"),
        ({("laBCC", "EU"): 1, "mBCC": 1}, "one level of each of subgroup"),
    ],
)
def test_weights_that_are_no_shares_are_refused(weights, said):
    with pytest.raises(DoseOptError, match=said):
        population(conjugate(), weights)


def test_nobody_treated_has_no_shares_and_one_group_no_population():
    empty = conjugate(np.zeros_like(N), {k: np.zeros_like(v) for k, v in EVENTS.items()})
    with pytest.raises(DoseOptError, match="give the shares as weights"):
        population(empty)
    assert population(empty, {"laBCC": 1, "mBCC": 1})["p_eff"].dims == ("chain", "draw", "dose")
    with pytest.raises(DoseOptError, match="no subgroups"):
        population(conjugate().at(subgroup="mBCC"))
