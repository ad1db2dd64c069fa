"""Strata and stages of randomised arms, against closed forms of independent Dirichlet posteriors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import doseopt_bayes as dob
from doseopt_bayes.errors import DoseOptError

from .cases import beta_difference, posterior

CUI = dob.CUI({"p_eff": dob.Attribute(2, "benefit"), "p_tox": dob.Attribute(1, "harm")})
MARGINS = [
    dob.Margin("eff", 0.1, "difference", "higher"),
    dob.Margin("tox", 0.0, "difference", "lower"),
]
# N E T B at 15 and 45 mg; in "female" the lower dose loses efficacy, in "male" it does not
CELLS = {"female": [(30, 10, 6, 4), (14, 26, 6, 4)], "male": [(12, 10, 2, 1), (12, 8, 4, 1)]}


def by_level(cells, over="stratum", **given):
    """One posterior over a grouping: each level by itself, with draws of its own."""
    parts = [posterior(c, seed=7 + i, **given) for i, c in enumerate(cells.values())]
    draws = [p.draws for p in parts]
    whole = xr.concat([d.drop_vars("anchor") for d in draws], dim=over).assign_coords(
        {over: list(cells)}
    )
    whole["anchor"] = draws[0]["anchor"]
    whole["dose"].attrs["units"] = "mg"
    seen = xr.concat([p.seen for p in parts], dim=over).assign_coords({over: list(cells)})
    tree = xr.DataTree.from_dict({"posterior": whole, "seen": seen})
    return replace(parts[0], tree=tree)


@pytest.fixture(scope="module")
def post():
    return by_level(CELLS)


@pytest.fixture(scope="module")
def found(post):
    return dob.compare_strata(post, margins=MARGINS, utility=CUI)


def rates(cells, places):
    """Posterior means of an endpoint in both arms: Beta(1/2, 1/2) priors."""
    return [(sum(c[k] for k in places) + 0.5) / (sum(c) + 1) for c in cells]


def test_the_average_is_the_weighted_difference_of_the_strata(found):
    assert found.weights == pytest.approx({"female": 100 / 150, "male": 50 / 150})
    exact = {}
    for end, places in (("eff", (1, 3)), ("tox", (2, 3))):
        exact[end] = {s: np.subtract(*rates(c, places)) for s, c in CELLS.items()}
        for name, one in found.strata.items():
            at = one.table.isel(pair=0).sel(endpoint=end)
            error = 4 * float(at["difference_mcse"])
            assert float(at["difference"]) == pytest.approx(exact[end][name], abs=error)
        at = found.average.table.isel(pair=0).sel(endpoint=end)
        wanted = sum(found.weights[s] * x for s, x in exact[end].items())
        assert float(at["difference"]) == pytest.approx(
            wanted, abs=4 * float(at["difference_mcse"])
        )
    assert len(found.to_frame()) == 3 * 3
    assert "female 0.667, male 0.333 (shares of treated patients: those of the trial)" in str(found)


def test_another_direction_has_the_probability_of_two_betas(found):
    """Independent strata: signs differ when one rises and the other does not."""
    above = [beta_difference(low[1] + low[3], sum(low), high[1] + high[3], sum(high), 0.0, prior=0.5)
             for low, high in CELLS.values()]  # fmt: skip
    p, q = (1 - x for x in above)  # Pr(low > high)
    at = found.table.isel(pair=0).sel(endpoint="eff")
    assert float(at["differs"]) == pytest.approx(
        p * (1 - q) + q * (1 - p), abs=4 * float(at["differs_mcse"])
    )
    assert float(at["differs"]) > 0.5
    assert float(at["spread_low"]) > 0
    assert "2 strata disagree in direction with probability 0.5" in str(found)


def test_given_weights_decide(post):
    women = dob.compare_strata(post, margins=MARGINS, utility=CUI, weights={"female": 1, "male": 0})
    alone = women.strata["female"].table
    assert women.average.table["joint"].to_numpy() == pytest.approx(alone["joint"].to_numpy())
    assert women.weights == {"female": 1, "male": 0}
    assert "(as given)" in str(women)
    for wrong in ({"female": 0, "male": 0}, {"female": 1}):
        with pytest.raises(DoseOptError, match=r"all 0|no weight for"):
            dob.compare_strata(post, margins=MARGINS, utility=CUI, weights=wrong)


def test_strata_without_patients_in_an_arm_are_named(post):
    three = {s: [*c, (0, 0, 0, 0) if s == "male" else (10, 5, 3, 2)] for s, c in CELLS.items()}
    grown = by_level(three, doses=(15.0, 45.0, 60.0))
    found = dob.compare_strata(grown, margins=MARGINS, utility=CUI)
    assert found.table["pair"].to_numpy().tolist() == ["15 vs 45 mg"]
    assert "Not compared, because a stratum has no patients in an arm of it: 15 vs 60" in str(found)
    with pytest.raises(DoseOptError, match=r"stratum male: .*nobody was treated with 60 mg"):
        dob.compare_strata(grown, margins=MARGINS, utility=CUI, pairs=[(15, 60)])
    with pytest.raises(DoseOptError, match="no grouping 'strata'"):
        dob.compare_strata(post, margins=MARGINS, utility=CUI, over="strata")
    with pytest.raises(DoseOptError, match="no grouping 'stratum'"):
        dob.compare_strata(post.at(stratum="male"), margins=MARGINS, utility=CUI)


def test_stages_are_compared_before_they_are_pooled():
    stages = {"1": [(10, 8, 1, 1), (8, 9, 2, 1), (6, 8, 4, 2)],
              "2": [(0, 0, 0, 0), (24, 4, 8, 4), (8, 22, 6, 4)]}  # fmt: skip
    post = by_level(stages, over="stage", doses=(15.0, 30.0, 45.0))
    check = dob.compare_stages(post, utility=CUI)
    assert check.table["pair"].to_numpy().tolist() == ["30 vs 45 mg"]
    at = check.table.isel(step=0, pair=0).sel(endpoint="eff")
    first, second = (np.subtract(*rates(stages[s][1:], (1, 3))) for s in "12")
    assert float(at["change"]) == pytest.approx(second - first, abs=4 * float(at["change_mcse"]))
    variance = 0.0
    for s in "12":
        for cells in stages[s][1:]:
            (p,), n = rates([cells], (1, 3)), sum(cells) + 1
            variance += p * (1 - p) / (n + 1)
    width = float(at["change_high"] - at["change_low"])
    assert width == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.03)
    drift = check.table["drift"].isel(step=0).sel(endpoint="eff")
    assert np.isnan(float(drift.sel(dose=15)))
    p = [rates([stages[s][1]], (1, 3))[0] for s in "12"]
    assert float(drift.sel(dose=30)) == pytest.approx(p[1] - p[0], abs=0.01)
    assert "the interval leaves 0 out" in str(check)
    assert "seamless_error" in str(check)
    assert len(check.to_frame()) == 3
    only = {"1": stages["1"], "2": [(0, 0, 0, 0), (0, 0, 0, 0), (8, 22, 6, 4)]}
    with pytest.raises(DoseOptError, match="share 1 arm"):
        dob.compare_stages(by_level(only, over="stage", doses=(15.0, 30.0, 45.0)), utility=CUI)


def test_the_forest_shows_each_stratum_the_average_and_the_counts(found):
    picture = dob.figure_arm_forest(found, ["eff", "tox"])
    levels = picture.data["level"].to_numpy().tolist()
    assert levels == ["female", "male", "average"]
    drawn = {
        line.get_gid(): line for ax in picture.figure.axes for line in ax.lines if line.get_gid()
    }
    tox = picture.data.isel(pair=0).sel(endpoint="tox")
    for j, level in enumerate(levels):
        assert drawn[f"difference:0:{j}"].get_xdata()[0] == float(
            tox["difference"].sel(level=level)
        )
        ends = [float(tox[f"difference_{e}"].sel(level=level)) for e in ("low", "high")]
        assert list(drawn[f"interval:0:{j}"].get_xdata()) == ends
    texts = {t.get_text() for ax in picture.figure.axes for t in ax.texts}
    assert {"14/50 vs 30/50", "11/25 vs 9/25", "25/75 vs 39/75"} <= texts  # efficacy
    assert "weights female 0.667, male 0.333" in picture.caption
    assert "Probability that the direction differs" in picture.caption
    with pytest.raises(DoseOptError, match="'toxx' was not compared"):
        dob.figure_arm_forest(found, ["toxx"])
