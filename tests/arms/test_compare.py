"""Arms compared pair by pair: published trials, closed forms, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.text import Text
from scipy.stats import beta

import doseopt_bayes as dob
from doseopt_bayes.arms.margin import Margin
from doseopt_bayes.errors import DataError, DiagnosticsError, DoseOptError
from doseopt_bayes.inference.checks import Check, Diagnostics

from .cases import DESTINY, KEYNOTE, beta_difference, posterior

CUI = dob.CUI({"p_eff": dob.Attribute(2, "benefit"), "p_tox": dob.Attribute(1, "harm")})
EFF = Margin("eff", 0.1, "difference", "higher")
TOX = Margin("tox", 0.0, "difference", "lower")
CELLS = [(30, 18, 6, 4), (22, 20, 10, 6)]
# published in our oracle table: Pr(p2 - p1 > 0, -0.05, -0.1), ends of the interval, mean of p2 - p1;
# index 2 is the higher dose and the priors are Beta(1, 1)
PUBLISHED = {
    "orr": (DESTINY, (0.177846709, 0.3142278228, 0.4830246107), (-0.3184817496, 0.1172423912),
            -0.1037037037),
    "ae": (KEYNOTE, (0.8254068144, 0.9907520185, 0.9998992654), (-0.03589317343, 0.101448079),
           0.03253529773),
}  # fmt: skip


@pytest.fixture(scope="module")
def trials():
    counts = {e: ((r1, r2), (n1, n2)) for e, ((r1, n1, r2, n2), *_) in PUBLISHED.items()}
    return posterior([(0, 0, 0, 0), (0, 0, 0, 0)], extra=counts, prior=0.5)


@pytest.fixture(scope="module")
def post():
    return posterior(CELLS)


@pytest.mark.parametrize("end", PUBLISHED)
def test_published_trials_are_reproduced(trials, end):
    _, p, interval, mean = PUBLISHED[end]
    # Pr(p2 - p1 > -m) is Pr(low - high < m): the lower arm of a harm is worse by less than m
    margins = [Margin(end, m, "difference", "lower") for m in (0.0, 0.05, 0.1)]
    cui = dob.CUI({f"p_{end}": dob.Attribute(1, "harm")})
    found = dob.compare_arms(trials, margins=margins, utility=cui)
    within = found.table["within"].isel(pair=0)
    assert within.to_numpy() == pytest.approx(p, abs=0.005)
    assert (abs(within - np.array(p)) < 4 * found.table["within_mcse"].isel(pair=0) + 1e-4).all()
    row = found.table.isel(pair=0).sel(endpoint=end)
    assert -float(row["difference"]) == pytest.approx(mean, abs=4 * float(row["difference_mcse"]))
    ends = (-float(row["difference_high"]), -float(row["difference_low"]))
    assert ends == pytest.approx(interval, abs=0.003)
    assert float(row["prob_higher"]) == pytest.approx(1 - p[0], abs=0.005)


@pytest.mark.parametrize("shift", [-0.15, 0.0, 0.1])
def test_margins_equal_the_quadrature_of_two_betas(post, shift):
    (n, e, t, b), (n2, e2, t2, b2) = CELLS
    found = dob.compare_arms(
        post,
        margins=[
            Margin("eff", shift, "difference", "higher"),
            Margin("tox", shift, "difference", "lower"),
        ],
        utility=CUI,
    ).table.isel(pair=0)
    total, total2 = n + e + t + b, n2 + e2 + t2 + b2
    eff = 1 - beta_difference(e + b, total, e2 + b2, total2, shift, prior=0.5)
    tox = beta_difference(t + b, total, t2 + b2, total2, -shift, prior=0.5)
    for got, mcse, exact in zip(found["within"], found["within_mcse"], (eff, tox), strict=True):
        assert float(got) == pytest.approx(exact, abs=4 * float(mcse))


def test_a_ratio_equals_its_quadrature_and_its_inverse_in_the_other_direction(post):
    (n, e, t, b), (n2, e2, t2, b2) = CELLS
    margin = Margin("eff", 1.25, "ratio", "higher")
    found = dob.compare_arms(post, margins=[margin], utility=CUI).table.isel(pair=0)
    low, high = beta(0.5 + e + b, 0.5 + n + t), beta(0.5 + e2 + b2, 0.5 + n2 + t2)
    x = (np.arange(20000) + 0.5) / 20000
    exact = float((high.pdf(x) * low.sf(x / 1.25)).mean())
    assert float(found["joint"]) == pytest.approx(exact, abs=4 * float(found["joint_mcse"]))
    median = float(found["ratio"].sel(endpoint="eff"))
    assert median == pytest.approx(low.median() / high.median(), rel=0.02)


def test_all_at_once_is_joint_in_the_draws(post):
    found = dob.compare_arms(
        post, margins=[EFF, TOX, Margin("utility", 0, "difference", "higher")], utility=CUI
    )
    low, high = (post.draws.sel(dose=d) for d in (15.0, 45.0))
    u = [CUI({"p_eff": x["p_eff"], "p_tox": x["p_tox"]}).to_numpy() for x in (low, high)]
    eff = low["p_eff"].to_numpy() - high["p_eff"].to_numpy() > -0.1
    tox = low["p_tox"].to_numpy() < high["p_tox"].to_numpy()
    by_hand = (eff & tox & (u[0] > u[1])).mean()
    at = found.table.isel(pair=0)
    assert float(at["joint"]) == pytest.approx(by_hand, abs=1e-12)
    assert float(at["joint"]) <= float(at["within"].min())
    assert float(at["joint_mcse"]) == pytest.approx(
        (by_hand * (1 - by_hand) / 40000) ** 0.5, rel=0.1
    )


def test_the_association_cannot_change_an_additive_utility():
    """SPEC: (100, 40, 60, 0) has E[U] = 60 p_E + 40 (1 - p_T), whatever the association."""
    rng = np.random.default_rng(3)
    additive = dob.OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
    other = dob.OutcomeTable(neither=40, efficacy=100, toxicity=0, both=90)
    for _ in range(200):
        t, e = rng.uniform(0.02, 0.98, 2)
        low, high = max(0.0, t + e - 1), min(t, e)
        got = [[], []]
        for both in np.linspace(low, high, 5):
            cells = np.array([[1 - t - e + both, e - both, t - both, both]])
            draws = {
                "p_cell": xr.DataArray(cells, dims=("dose", "cell"), coords={"cell": list("NETB")})
            }
            for k, u in enumerate((additive, other)):
                got[k].append(float(u(draws)[0]))
        assert np.ptp(got[0]) < 1e-12 * 100
        assert got[0][0] == pytest.approx(60 * e + 40 * (1 - t))
        assert np.ptp(got[1]) == pytest.approx(30 * (high - low), abs=1e-9)


def test_three_arms_are_ranked_as_decide_ranks_them_and_every_pair_is_shown():
    post = posterior([*CELLS, (15, 25, 12, 10)], doses=(15.0, 30.0, 45.0))
    found = dob.compare_arms(post, margins=[EFF], utility=CUI)
    assert list(found.table["pair"].to_numpy()) == ["15 vs 30 mg", "15 vs 45 mg", "30 vs 45 mg"]
    alone = dob.decide(post, CUI, dob.TriedOnly())
    assert found.decision.headline == alone.headline
    ranked = found.arms_frame().set_index("dose")
    assert ranked["prob_obd_admissible"].sum() == pytest.approx(1)
    assert (ranked["regret_mcse"] >= 0).all()
    numbers = [v for v in found.table if f"{v}_mcse" in found.table]
    assert {"difference", "ratio", "prob_higher", "within", "joint"} <= set(numbers)
    assert bool((found.table["difference_mcse"] > 0).all())
    assert len(found.to_frame()) == 9
    assert list(found.margins_frame()["margin"])[:2] == [str(EFF), "all at once"]


def test_not_resolved_when_the_error_covers_the_certainty(post):
    p = float(dob.compare_arms(post, margins=[EFF, TOX], utility=CUI).table["joint"][0])
    for certainty, status in ((p, "not resolved"), (p - 0.1, "met"), (p + 0.1, "not met")):
        found = dob.compare_arms(post, margins=[EFF, TOX], utility=CUI, certainty=certainty)
        assert found.table["status"].item() == status
        assert any(("not resolved" in s) == (status == "not resolved") for s in found.sentences)


def test_an_endpoint_that_nobody_was_analysed_for_is_said_to_be_the_priors(trials):
    cui = dob.CUI({"p_orr": dob.Attribute(1, "benefit")})
    found = dob.compare_arms(
        trials, margins=[Margin("orr", 0.1, "difference", "higher")], utility=cui
    )
    assert any(
        "tox: nobody was analysed at 15 and 45: this is the prior's" in s for s in found.sentences
    )


def test_a_failed_fit_compares_nothing(post):
    from dataclasses import replace  # noqa: PLC0415

    failed = replace(post, diagnostics=Diagnostics((Check("R-hat", passed=False, measured="1.2", limit="1.01"),),
                                                   post.diagnostics.table))  # fmt: skip
    with pytest.raises(DiagnosticsError):
        dob.compare_arms(failed, margins=[EFF], utility=CUI)
    shown = dob.compare_arms(failed, margins=[EFF], utility=CUI, override_diagnostics=True)
    assert "OVERRIDDEN" in str(shown)
    assert "OVERRIDDEN" in dob.figure_arms(shown).caption


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"of": "difference"}, "better is missing"),
        ({"better": "higher"}, "of is missing"),
        ({"of": "difference", "better": "up"}, "better = 'up' is unknown"),
        ({"of": "ratio", "better": "lower", "at_most": 0.0}, "a ratio needs at_most > 0"),
        ({"of": "difference", "better": "lower", "at_most": 10}, "0.1?"),
        ({"of": "difference", "better": "lower", "at_most": float("nan")}, "finite"),
    ],
)
def test_a_margin_without_its_direction_or_out_of_range_is_refused(fields, said):
    with pytest.raises(DoseOptError, match=said.replace("?", r"\?")):
        Margin("eff", **{"at_most": 0.1, **fields})


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("15 ug", "45 mg")], "is in 'ug', the doses are in 'mg'"),
        ([(45, 15)], "not the lower dose"),
        ([(15, 15)], "not the lower dose"),
        ([(15, 40)], "no arm 40"),
        ([(15, 45), ("15 mg", "45 mg")], "stands twice"),
        ([], "no pair"),
        ([("low", 45)], "is no dose"),
    ],
)
def test_pairs_that_cannot_be_compared_are_refused(post, pairs, said):
    with pytest.raises(DoseOptError, match=said):
        dob.compare_arms(post, margins=[EFF], utility=CUI, pairs=pairs)


def test_other_refusals_name_what_to_do(post):
    with pytest.raises(DoseOptError, match="no margin"):
        dob.compare_arms(post, margins=[], utility=CUI)
    with pytest.raises(DoseOptError, match="did you mean 'p_eff'"):
        dob.compare_arms(post, margins=[Margin("eef", 0.1, "difference", "higher")], utility=CUI)
    with pytest.raises(DoseOptError, match="twice"):
        dob.compare_arms(post, margins=[EFF, EFF], utility=CUI)
    with pytest.raises(DoseOptError, match="weight > 0"):
        dob.CUI({"p_eff": dob.Attribute(0, "benefit"), "p_tox": dob.Attribute(0, "harm")})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"dose": [15, 45], "n": [20, 20], "eff": [21, 3]}, "DOB-B13"),
        ({"dose": [15, 15], "n": [20, 20], "eff": [2, 3]}, "DOB-A14"),
        ({"dose": ["15 mg", "45000 ug"], "n": [20, 20], "eff": [2, 3]}, "ug"),
    ],
)
def test_counts_of_arms_that_cannot_be_are_refused(rows, said):
    with pytest.raises(DataError, match=said):
        dob.TrialData.from_counts(
            pd.DataFrame(rows), dob.CountColumns("dose", eff="eff", n="n", unit="mg")
        )


def test_the_figure_shows_the_numbers_of_the_table_and_counts_the_patients(post):
    found = dob.compare_arms(post, margins=[EFF, TOX], utility=CUI)
    picture = dob.figure_arms({"all": found, "again": found})
    data = picture.data
    assert np.array_equal(data["difference"].isel(group=0), found.table["difference"])
    panels = [a for a in picture.figure.axes if a.get_title(loc="left") == "Efficacy"]
    drawn = {line.get_gid(): line.get_xdata() for line in panels[0].lines}
    assert drawn["difference:0"][0] == float(found.table["difference"].sel(endpoint="eff")[0])
    assert drawn["margin"][0] == -0.1
    assert "eff: 15 mg 22/58, 45 mg 26/58" in picture.caption


def test_the_titles_of_nine_endpoints_do_not_overlap():
    extra = {f"patient_reported_{i}": ((10, 12), (58, 58)) for i in range(6)}
    found = dob.compare_arms(posterior(CELLS, extra=extra), margins=[EFF], utility=CUI)
    figure = dob.figure_arms(found).figure
    figure.draw_without_rendering()
    shown = [ax for ax in figure.axes if ax.axison]
    assert len(shown) == 9
    titles = [t for ax in shown for t in ax.get_children() if isinstance(t, Text) and t.get_text()]
    boxes = [t.get_window_extent() for t in titles]
    assert len(boxes) == 9
    for i, one in enumerate(boxes):
        assert one.x1 <= figure.bbox.x1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.slow
def test_a_fit_of_marginal_counts_gives_the_published_probabilities():
    frame = pd.DataFrame(
        {"dose": [5.4, 6.4], "n_eff": [52, 28], "eff": [28, 12], "n_ae": [178, 179], "ae": [19, 25]}
    )
    roles = dob.CountColumns(
        "dose", eff="eff", n_eff="n_eff", other={"ae": "ae"}, n_other={"ae": "n_ae"}, unit="mg/kg"
    )
    data = dob.TrialData.from_counts(frame, roles)
    fitted = dob.fit(dob.Saturated((5.4, 6.4), "mg/kg", patients=2, others=("ae",)), data, seed=1)
    margins = [Margin("eff", 0.1, "difference", "lower"), Margin("ae", 0.05, "difference", "lower")]
    found = dob.compare_arms(
        fitted, margins=margins, utility=dob.CUI({"p_eff": dob.Attribute(1, "benefit")})
    )
    exact = np.array([0.4830246107, 0.9907520185])
    at = found.table.isel(pair=0)
    assert (abs(at["within"].to_numpy() - exact) < 4 * at["within_mcse"].to_numpy()).all()
