"""Pages and tables of arms and of their plans, from posteriors in closed form and exact boundaries."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import beta

import doseopt_bayes as dob
from doseopt_bayes.analysis import Analysis
from doseopt_bayes.arms_analysis import ArmQuestions, ArmsAnalysis, _bands
from doseopt_bayes.report import arms_tables, plan_tables
from doseopt_bayes.report.manifest import verify
from doseopt_bayes.report.plan import save_plan, suggested_size
from tests.arms.cases import posterior

PLAN = Path(__file__).parents[2] / "models" / "sample-size-two-arms.toml"
INDEX = dob.CUI({"p_eff": dob.Attribute(1, "benefit"), "p_tox": dob.Attribute(1, "harm")})
EFF = dob.Margin("eff", 0.1, "difference", "higher")
TOX = dob.Margin("tox", 0.0, "difference", "lower")
WORTH = dob.Margin("utility", 0.0, "difference", "higher")


def arms(*, cells=((30, 20, 5, 5), (15, 20, 15, 10)), given=None):
    """Compare two arms of 60 patients with complete outcomes (N E T B), without a fit."""
    post = posterior(cells)
    given = given or (
        dob.Configuration("both", "1", INDEX, (EFF, TOX)),
        dob.Configuration("worth", "2", INDEX, (WORTH,), certainty=0.95),
        dob.Configuration("one", "1", INDEX, (TOX,), rules=dob.Tolerable(0.3, certainty=0.9)),
    )
    found = dob.compare_configurations(post, given)
    questions = ArmQuestions(1)
    bands, unbanded = _bands(post, found, given, questions)
    text = " ".join(
        f"{d}" + "".join(k * n for k, n in zip("NETB", c, strict=True))
        for d, c in enumerate(cells, start=1)
    )
    data = dob.TrialData.parse(text, doses=(15.0, 45.0), unit="mg")
    base = Analysis(
        dob.Saturated((15, 45), unit="mg"), data, post, found.comparisons[given[0].name].decision
    )
    return ArmsAnalysis(
        base, given, found, found.sensitivity(post, seed=1), bands, unbanded, questions
    )


@pytest.fixture(scope="module")
def done():
    return arms()


def cell(table, column, **where):
    """Return a cell of a table by the contents of other columns."""
    for row in table.rows:
        at = dict(zip(table.columns, row, strict=True))
        if all(at[k] == v for k, v in where.items()):
            return at[column]
    raise AssertionError(where)


def test_every_cell_of_the_pairs_is_the_number_of_the_comparison(done):
    table = done.first.table.isel(pair=0)
    shown = arms_tables.differences(done.first)
    tox = cell(shown, "Low - high", Endpoint="tox")
    x = table.sel(endpoint="tox")
    assert tox.startswith(f"{float(x['difference']):+.3f} ± ")
    assert f"({float(x['difference_low']):+.3f} to {float(x['difference_high']):+.3f})" in tox
    assert cell(shown, "Observed: low, high", Endpoint="tox") == "10/60, 25/60"
    assert cell(shown, "Low / high", Endpoint="utility") == "-"
    mine = beta(10.5, 50.5).mean() - beta(25.5, 35.5).mean()  # the exact posterior means
    assert abs(float(tox.split()[0]) - mine) < 0.002


def test_verdicts_stand_beside_what_they_must_exceed(done):
    shown = arms_tables.verdicts(done)
    for c in done.given:
        at = done.found.table.sel(configuration=c.name).isel(pair=0)
        said = cell(shown, "15 vs 45 mg", Configuration=c.name)
        assert said.endswith(f": {at['meets'].item()}")
        assert cell(shown, "Must exceed", Configuration=c.name) == f"{c.certainty:g}"
    only = arms_tables.margins(done.first)
    assert cell(only, "Verdict", Margin="all at once") == done.first.table["status"].item()
    assert cell(only, "Verdict", Margin=str(EFF)) == ""


def test_an_inadmissible_arm_is_said_to_be_one(done):
    shown = arms_tables.configurations(done)
    assert cell(shown, "45 mg: utility; Pr(best)", Configuration="one").endswith("not admissible")
    assert "not admissible" not in cell(shown, "45 mg: utility; Pr(best)", Configuration="both")
    defined = arms_tables.definitions(done)
    assert cell(defined, "Certainty", Configuration="worth") == "0.95"
    assert "Pr(p_tox < 0.3) > 0.9" in cell(defined, "Admissible", Configuration="one")


def test_a_band_is_shown_where_two_endpoints_have_margins_and_nowhere_else(done):
    assert list(done.bands) == ["both"]
    assert "utility" in done.unbanded["worth"]
    assert "one endpoint has no association" in done.unbanded["one"]
    shown = arms_tables.association(done.bands["both"], "both")
    at = done.bands["both"].table.isel(pair=0)
    for s, head in ((-1.0, "-1"), (0.0, "0 (none)"), (1.0, "+1")):
        assert dict(zip(shown.columns, shown.rows[0], strict=True))[head].startswith(
            f"{float(at['joint'].sel(strength=s)):.2f} ± "
        )


def test_margins_that_flip_are_named_once_for_equal_margins():
    one = dob.Configuration("agency", "1", INDEX, (EFF, TOX), certainty=0.5)
    same = one.weighted(dob.WeightSet("patient", "1", {"p_eff": 1, "p_tox": 2}))
    found = arms(given=(one, same))
    shown = arms_tables.margin_flips(found)
    assert {row[0] for row in shown.rows} == {"agency, patient"}
    assert len(shown.rows) == 2
    flips = found.sensitivity["agency"].margins.isel(pair=0)
    for m in (EFF, TOX):
        to = float(flips["to"].sel(margin=str(m)))
        assert abs(float(cell(shown, "Met from ± MCSE", Margin=str(m)).split()[0]) - to) < 0.006
    assert found.bands["agency"].sentences == found.bands["patient"].sentences


def test_sentences_say_the_first_answer_then_the_others_and_each_verdict_once(done):
    first, agreement, *rest = done.sentences
    assert first == f"both (version 1): {done.first.decision.headline}"
    assert agreement == done.found.sentences[0]
    assert sum("all margins at once" in s for s in rest) == 3
    assert done.notes == ()  # outcomes are known together: the prior moves nothing


def test_equal_arms_and_a_certainty_at_the_probability_are_not_resolved():
    post = posterior(((30, 20, 5, 5), (30, 20, 5, 5)))
    p = dob.compare_arms(post, margins=[TOX], utility=INDEX)
    exact = float(p.table["joint"][0])
    given = (dob.Configuration("close", "1", INDEX, (TOX,), certainty=exact),)
    found = arms(cells=((30, 20, 5, 5), (30, 20, 5, 5)), given=given)
    assert not found.resolved
    assert cell(arms_tables.margins(found.first), "Verdict", Margin="all at once") == "not resolved"


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Run and save the shipped plan once."""
    folder = tmp_path_factory.mktemp("plan") / "out"
    spec = dob.PlanSpec.load(PLAN)
    found = spec.run()
    return spec, found, save_plan(spec, found, folder)


def test_a_plan_has_a_report_that_needs_no_network_with_the_numbers_of_its_tables(planned):
    spec, found, paths = planned
    report = paths["report"].read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', report)
    assert "<script" not in report
    assert "40 patients per arm reach the goals in every scenario." in report
    frame = pd.read_csv(paths["table"])
    row = frame[(frame["scenario"] == "low dose keeps the efficacy") & (frame["size"] == 40)]
    assert f"{row['correct'].item():.2f} ± " in report
    assert spec.hash in report
    manifest = verify(paths["report"].parent)
    assert manifest["kind"] == "a plan of randomised arms"
    files = {p.relative_to(paths["report"].parent).as_posix()
             for p in paths["report"].parent.rglob("*") if p.is_file()}  # fmt: skip
    assert files == {*manifest["files"], "manifest.json"}
    assert "figures/01-plan.png" in files
    assert suggested_size(found) == 40


def test_whole_numbers_of_a_margin_are_those_of_the_beta_posterior(planned):
    """Fewest events at the lower arm that keep the margin against 18 of 40, by quadrature over two Betas."""
    table = pd.read_csv(planned[2]["table"].with_name("margin_boundaries.csv"))
    eff = table[table["margin"].str.startswith("eff") & (table["events_high"] == 18)]
    high = beta(18.5, 22.5)
    probs = [
        quad(lambda x, k=k: high.pdf(x) * beta.sf(x - 0.15, k + 0.5, 40.5 - k), 0, 1, limit=200)[0]
        for k in range(10, 20)
    ]
    first = next(k for k, p in enumerate(probs, start=10) if p > 0.6)
    assert 10 < first < 19
    assert int(eff["events_low"].item()) == first
    shown = plan_tables.boundary(*planned[0].boundaries[0])
    assert shown.rows[0] == ("10", "0", "never")


def test_goals_that_are_not_reached_or_not_resolved_are_said_first(planned):
    found = planned[1]
    assert plan_tables.answer(found)[1] == ""
    for verdict, state in (("not resolved", "open"), ("not reached", "none")):
        table = found.table.copy()
        table["verdict"] = ("scenario", ["reached", verdict])
        said, called = plan_tables.answer(replace(found, table=table))
        assert called == state
        assert "low dose loses the efficacy" in said


def test_no_admissible_arm_is_an_answer_and_what_would_admit_one_is_said():
    one = dob.Configuration("none", "1", INDEX, (TOX,), rules=dob.Tolerable(0.05, certainty=0.9))
    found = arms(given=(one,))
    assert "none is admissible" in found.sentences[0]
    assert cell(arms_tables.configurations(found), "Leads", Configuration="none") == "no dose"
    (nearest,) = arms_tables.tipping(found)
    assert cell(nearest, "new leading dose (mg)", side="up") == "15"
