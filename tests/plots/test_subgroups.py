"""Figures by subgroup: the plotted numbers, what marks stand for, and that they can be read."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.analysis import Analysis
from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.pooling import Pooling, pooling
from doseopt_bayes.decision.population import population
from doseopt_bayes.decision.rules import Active, AnyDose, Tolerable, TriedOnly
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.plots import FIGURES
from doseopt_bayes.plots.picture import figure
from tests.decision.subgroup_cases import EVENTS, LEVELS, N, conjugate

NEW = ("obd_map", "subgroup_curves", "subgroup_forest", "borrowing")
INDEX = CUI({"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(1, "harm")})
SARCOMA = ("Angiosarcoma", "Ewing", "Fibrosarcoma", "Leiomyosarcoma", "Liposarcoma", "MFH",
           "Osteosarcoma", "MPNST", "Rhabdomyosarcoma", "Synovial")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Compared(Analysis):
    """An analysis with its comparison made by hand."""

    pooling: Pooling | None = None


def shrunk(post, share, *, mixed):
    """Draws moved towards the population's, as a hierarchy would; with Pr(exchangeable)."""
    whole, tree = population(post), post.tree.copy()
    group = tree["posterior"].to_dataset()
    for name in whole.draws.data_vars.keys() & {"p_eff", "p_tox"}:
        group[name] = (1 - share) * group[name] + share * whole[name]
    if mixed:
        draws = np.random.default_rng(2).beta(6, 3, (4, 1000, group.sizes["subgroup"]))
        group["prob_exchangeable"] = (("chain", "draw", "subgroup"), draws)
    tree["posterior"] = xr.DataTree(group)
    return replace(post, tree=tree)


def compared(n, events, *, rules, mixed=False, utility=None, **options):
    apart = conjugate(n, events, **options)
    post = shrunk(apart, 0.3, mixed=mixed)
    # a fit of all as one would have more patients: the average does for a picture
    found = pooling(post, conjugate(n, events, **{**options, "seed": 2}), population(apart))
    return Compared(None, None, post, decide(post, utility or INDEX, rules), pooling=found)


def two():
    return compared(N, EVENTS, rules=Tolerable(0.55, 0.5) & AnyDose())


def ten():
    rng = np.random.default_rng(4)
    n = rng.integers(0, 30, (10, 3))
    n[8] = 0
    rate = rng.uniform(0.1, 0.6, (10, 1)) * [0.6, 0.9, 1.0]
    events = {"tox": rng.binomial(n, [0.1, 0.25, 0.5]), "eff": rng.binomial(n, rate)}
    doses = (100.0, 200.0, 400.0)
    rules = Tolerable(0.33, 0.5) & TriedOnly()
    return compared(n, events, rules=rules, mixed=True, levels=SARCOMA, doses=doses)


def crossed():
    """Two groupings: the figures show each pair."""
    one = two()
    twice = {}
    for name, child in one.posterior.tree.children.items():
        group = child.to_dataset()
        twice[name] = xr.concat([group] * 2, "region").assign_coords(region=["EU", "US"])
    tree = xr.DataTree.from_dict(twice)
    tree.attrs.update(groupings="subgroup,region")
    post = replace(one.posterior, tree=tree)
    found = pooling(post, post)
    return Compared(None, None, post, decide(post, INDEX, AnyDose()), pooling=found)


def basket():
    """One endpoint at one dose, as in a basket trial."""
    n = np.array([[15], [13], [12], [28], [0]])
    events = {"eff": np.array([[2], [0], [1], [6], [0]])}
    effect = CUI({"p_eff": Attribute(1, "benefit")})
    return compared(n, events, rules=Active(0.1, 0.5), utility=effect, mixed=True,
                    levels=SARCOMA[:5], doses=(400.0,))  # fmt: skip


CASES = {"two": two, "ten": ten, "crossed": crossed, "basket": basket}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return request.param, CASES[request.param]()


@pytest.fixture(scope="module")
def pair():
    return two()


def position(mark):
    return float(mark.get_xdata()[0]), float(mark.get_ydata()[0])


def places(ax):
    return {a.get_gid(): a for a in ax.get_children() if a.get_gid()}


@pytest.mark.parametrize("name", NEW)
def test_it_draws_says_and_can_be_read(name, case):
    _, analysis = case
    assert FIGURES[name].applies(analysis)
    canvas = FIGURES[name].draw(analysis)
    canvas.draw_without_rendering()
    for ax in canvas.axes:
        if not ax.get_visible():
            continue
        assert ax.get_xlabel()
        for axis in (ax.xaxis, ax.yaxis):
            boxes = [t.get_window_extent() for t in axis.get_ticklabels() if t.get_text()]
            for a, b in itertools.pairwise(boxes):
                assert not a.shrunk(0.9, 0.9).overlaps(b.shrunk(0.9, 0.9)), ax.get_title()
    assert canvas.get_figheight() < 12  # a page
    assert len(FIGURES[name].caption(analysis)) > 200


@pytest.mark.parametrize("name", [f for f in FIGURES if f not in NEW])
def test_figures_of_one_group_do_not_pretend_to_show_several(name, pair):
    if name in ("rank", "trace", "ess", "energy", "prior_posterior"):  # of the fit, not of doses
        return
    assert not FIGURES[name].applies(pair)
    with pytest.raises(DoseOptError, match="does not apply"):
        figure(pair, name)


@pytest.mark.parametrize("name", NEW)
def test_figures_of_subgroups_need_subgroups(name, analysis):
    assert not FIGURES[name].applies(analysis)


def test_without_a_comparison_there_is_no_forest_and_no_borrowing(pair):
    plain = replace(pair, pooling=None)
    assert [n for n in NEW if FIGURES[n].applies(plain)] == ["obd_map", "subgroup_curves"]
    with pytest.raises(ValueError, match=r"analysis\.pooling"):
        FIGURES["borrowing"].data(plain)


def test_the_map_holds_the_decision_and_the_population(pair):
    data = FIGURES["obd_map"].data(pair)
    assert data["level"].to_numpy().tolist() == [*LEVELS, "whole population"]
    table = pair.decision.table
    np.testing.assert_array_equal(
        data["prob_obd_admissible"].sel(level="mBCC"),
        table["prob_obd_admissible"].sel(subgroup="mBCC"),
    )
    whole = decide(population(pair.posterior), INDEX, pair.decision.rules)
    last = data.isel(level=-1)
    np.testing.assert_array_equal(last["prob_obd_admissible"], whole.table["prob_obd_admissible"])
    assert (last["status"].item(), float(last["leading"])) == (
        whole.status.item(), float(whole.leading),
    )  # fmt: skip
    assert "laBCC 0.843" in FIGURES["obd_map"].caption(pair)


def test_the_map_marks_every_answer():
    n = np.full((3, 2), 50)
    n[1, 1] = 0
    events = {"tox": np.array([[10, 20], [49, 0], [10, 10]]),
              "eff": np.array([[40, 20], [30, 0], [20, 20]])}  # fmt: skip
    post = conjugate(n, events, levels=("clear", "toxic", "even"), doses=(10.0, 20.0), seed=5)
    decision = decide(post, INDEX, Tolerable(0.5, 0.5))
    assert decision.status.to_numpy().tolist() == ["recommended", "none", "not resolved"]
    analysis = Compared(None, None, post, decision)
    (ax,) = FIGURES["obd_map"].draw(analysis).axes
    marks = places(ax)
    assert marks["answer:clear"].get_text() == "10 mg"
    assert marks["answer:toxic"].get_text() == "none"
    assert marks["answer:even"].get_text() == "not resolved"
    assert marks["frame:clear:10"].get_linestyle() in ("-", "solid")
    lead = float(decision.leading.sel(subgroup="even"))
    assert marks[f"frame:even:{lead:g}"].get_linestyle() not in ("-", "solid")
    assert not any(g.startswith("frame:toxic") for g in marks)
    assert {"inadmissible:toxic:10", "inadmissible:toxic:20"} <= set(marks)
    assert marks["number:toxic:20"].get_text() == "*"
    said = FIGURES["obd_map"].caption(analysis)
    assert "clear 10 mg; toxic none; even not resolved; whole population" in said


def test_the_forest_stands_where_the_numbers_are(pair):
    table = pair.pooling.table
    eff, tox = FIGURES["subgroup_forest"].draw(pair).axes
    for ax, endpoint in ((eff, "eff"), (tox, "tox")):
        marks, texts = places(ax), [t.get_text() for t in ax.texts]
        for i, level in enumerate(LEVELS):
            for j, dose in enumerate(table["dose"].to_numpy()):
                at = table.sel(subgroup=level, dose=dose, endpoint=endpoint)
                assert position(marks[f"mean:{i}:{j}"])[0] == pytest.approx(float(at["mean"]))
                assert position(marks[f"observed:{i}:{j}"])[0] == pytest.approx(float(at["rate"]))
                ends = marks[f"observed_interval:{i}:{j}"].get_xdata()
                np.testing.assert_allclose(ends, [at["rate_low"], at["rate_high"]])
                together = position(marks[f"together:{i}:{j}"])[0]
                assert together == pytest.approx(float(at["mean_together"]))
                assert f"{int(at['events'])}/{int(at['n'])}" in texts
    assert "Efficacy: 100 events in 230 patients" in FIGURES["subgroup_forest"].caption(pair)


def test_small_panels_show_the_decisions_curve_and_the_counts(pair):
    canvas = FIGURES["subgroup_curves"].draw(pair)
    shown = [ax for ax in canvas.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in shown] == [*LEVELS, *LEVELS]
    table = pair.decision.table.sel(subgroup="mBCC")
    panel = places(shown[1])
    np.testing.assert_allclose(panel["line"].get_ydata(), table["p_eff"])
    assert position(panel["observed:200"])[1] == pytest.approx(1 / 13)
    labels = [t.get_text() for t in shown[1].get_xticklabels()]
    assert labels == ["200\n1/13", "800\n4/23"]
    assert "Patients treated: laBCC 194, mBCC 36." in FIGURES["subgroup_curves"].caption(pair)


def test_bars_of_borrowing_add_up_and_losses_are_dashed(pair):
    data = FIGURES["borrowing"].data(pair)
    (ax, _) = FIGURES["borrowing"].draw(pair).axes
    bars = {p.get_gid(): p for p in ax.patches if p.get_gid()}
    table = pair.pooling.table.sel(endpoint="eff")
    for i, level in enumerate(LEVELS):
        at = table.sel(subgroup=level, dose=200.0)
        end = bars[f"borrowed:{i}:0"].get_x() + bars[f"borrowed:{i}:0"].get_width()
        assert end == pytest.approx(float(at["patients"]))
        assert bars[f"own:{i}:0"].get_width() == pytest.approx(float(at["patients_apart"]))
    fewer = data.assign(patients=data["patients_apart"] - 5, borrowed=data["borrowed"] * 0 - 5)
    (ax, _) = FIGURES["borrowing"].drawing(fewer).axes
    lost = {p.get_gid(): p for p in ax.patches if p.get_gid()}["lost:0:0"]
    assert lost.get_width() == pytest.approx(5)
    assert "pooling took away" in FIGURES["borrowing"].words(fewer)


def test_exchangeability_is_drawn_where_the_model_has_it():
    analysis = ten()
    panels = FIGURES["borrowing"].draw(analysis).axes
    assert len(panels) == 3
    marks = places(panels[-1])
    p = analysis.pooling.table["exchangeable"].to_numpy()
    for i in range(10):
        assert position(marks[f"exchangeable:{i}"])[0] == pytest.approx(p[i])
    assert "Exchangeable: posterior probability" in FIGURES["borrowing"].caption(analysis)


def test_every_caption_carries_the_stamp_of_tiny_subgroups():
    n = np.array([[66, 128], [4, 5]])
    events = {k: np.minimum(v, n) for k, v in EVENTS.items()}
    analysis = compared(n, events, rules=AnyDose(), pooled_over="")
    for name in NEW:
        assert FIGURES[name].caption(analysis).startswith("TINY SUBGROUPS RANKED WITHOUT POOLING")
