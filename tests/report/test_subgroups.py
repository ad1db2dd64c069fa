"""An analysis with subgroups from its file to its report, and back from the saved results."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats

import doseopt_bayes as dob
from doseopt_bayes.cli import main
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.ends import FULL, NONE
from doseopt_bayes.report import subgroups, tables
from tests.report.basket_case import COUNTS, DATA, SPEC

pytestmark = pytest.mark.slow  # one command-line run of subgroups with its sensitivity: 46 s


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Run the command once; everything else opens what it saved."""
    place = tmp_path_factory.mktemp("baskets")
    (place / "spec.toml").write_text(SPEC, encoding="utf-8")
    (place / "baskets.csv").write_text(DATA, encoding="utf-8")
    folder = place / "out"
    assert main(["run", str(place / "spec.toml"), "--out", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="module")
def analysis(saved):
    return dob.load_analysis(saved)


def test_the_answers_of_all_subgroups_come_back(analysis):
    status = analysis.decision.status.to_series().to_dict()
    assert status == {"A": "recommended", "B <b>": "recommended", "C": "none"}
    assert analysis.data.groups == {"subgroup": tuple(COUNTS)}
    assert analysis.added == (NONE, FULL)
    assert tuple(analysis.alternatives) == (NONE, FULL)
    assert analysis.posterior.parameters == ("log_odds", "log_odds_mean", "log_odds_tau")
    assert analysis.posterior.diagnostics.passed
    assert analysis.sensitivity is None
    assert float(analysis.population.recommended) == 400.0


def posterior_mean(factor: float, tumour: str) -> float:
    """Integrate centre and tau out by quadrature, independently of PyMC."""
    x, n = (np.array(v) for v in zip(*COUNTS.values(), strict=True))
    grid, weight = np.polynomial.hermite_e.hermegauss(61)
    weight = weight / weight.sum()

    def inside(centre: float, tau: float) -> np.ndarray:
        p = 1 / (1 + np.exp(-(centre + tau * grid)))
        like = stats.binom.pmf(x[:, None], n[:, None], p)
        return np.array([(like * weight).sum(1), (like * weight * p).sum(1)])

    k = list(COUNTS).index(tumour)

    def part(centre: float, tau: float, *, top: bool) -> float:
        each = inside(centre, tau)
        prior = stats.norm.pdf(centre, -1, 1.5) * stats.halfnorm.pdf(tau, scale=0.5 * factor)
        return float(prior * np.prod(each[0]) * (each[1, k] / each[0, k] if top else 1.0))

    def over(*, top: bool) -> float:
        centres, cw = np.polynomial.legendre.leggauss(60)
        taus, tw = np.polynomial.legendre.leggauss(60)
        centres, cw = -1 + 6 * centres, 6 * cw
        edge = 4.5 * 0.5 * factor
        taus, tw = edge / 2 * (taus + 1), edge / 2 * tw
        return sum(
            a * b * part(c, t, top=top)
            for c, a in zip(centres, cw, strict=True)
            for t, b in zip(taus, tw, strict=True)
        )

    return over(top=True) / over(top=False)


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_a_scaled_prior_of_tau_gives_the_posterior_of_quadrature(analysis, factor):
    at = analysis.heterogeneity.table.sel(factor=factor, level="C", dose=400.0)
    exact = posterior_mean(factor, "C")
    assert abs(float(at["p_eff"]) - exact) < 4 * float(at["p_eff_mcse"]) + 1e-4


def test_no_pooling_is_each_subgroup_with_the_prior_of_one_group(analysis):
    one = dob.Pooled(dob.Normal(-1, 1.5), dob.HalfNormal(0.5))
    sd = (one.quantile(0.975) - one.quantile(0.025)) / (2 * stats.norm.ppf(0.975))

    def top(y, power):
        p = 1 / (1 + np.exp(-y))
        return stats.norm.pdf(y, -1, sd) * stats.binom.pmf(0, 9, p) * p**power

    exact = integrate.quad(top, -12, 8, args=(1,))[0] / integrate.quad(top, -12, 8, args=(0,))[0]
    at = analysis.pooling.table.sel(subgroup="C", dose=400.0, endpoint="eff")
    assert abs(float(at["mean_apart"]) - exact) < 4 * float(at["mean_apart_mcse"]) + 1e-4
    assert float(at["mean_apart"]) < float(at["mean"]) < float(at["mean_together"])


def test_the_sweep_says_where_a_dose_comes_and_goes(analysis):
    found = analysis.heterogeneity
    lead = found.table["leading"].sel(level="C")
    assert np.isnan(float(lead.sel(factor=1.0)))
    moved = [w for w in found.sentences if w.startswith("C: no dose leads, but 400 mg")]
    assert found.changes == bool(moved) == bool(lead.count())
    assert any("power-scaling sensitivity of the prior" in w for w in found.sentences)
    assert set(found.table["factor"].to_numpy()) == {0.25, 0.5, 1.0, 2.0, 4.0}
    assert set(found.table["failures"].to_numpy().tolist()) == {""}


def test_one_subgroup_is_an_analysis_of_the_old_shape(analysis):
    one = analysis.at(subgroup="C")
    assert one.decision.status.ndim == 0
    assert one.subgroups == ()
    assert one.pooling is one.population is one.differs is one.heterogeneity is None
    assert int(one.data.counts["n"].sum()) == 9
    xr.testing.assert_equal(
        one.posterior["p_eff"], analysis.posterior["p_eff"].sel(subgroup="C", drop=True)
    )
    assert any("full pooling" in s for s in one.sensitivity.sentences)
    assert dob.figure(one, "curve").data["n"].to_numpy().ravel().tolist() == [9]
    assert tables.ranking(one).rows[0][-1] == "no"
    with pytest.raises(DoseOptError, match="no level 'c'"):
        analysis.at(subgroup="c")


def test_the_report_answers_for_each_subgroup_and_the_population(saved):
    html = (saved / "report.html").read_text(encoding="utf-8")
    text = re.sub(r'src="data:image[^"]*"', "", html)
    assert "<b>" not in text.replace("B &lt;b&gt;", "")  # text of the data is never markup
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    first = [re.findall(r"<td>(.*?)</td>", r) for r in rows[1:5]]
    assert [r[0] for r in first] == ["A", "B &lt;b&gt;", "C", "whole population"]
    assert [r[2] for r in first] == ["400 mg", "400 mg", "none", "400 mg"]
    assert "Pr(p_eff &gt; 0.2)" in first[2][-1]
    for said in ("log_odds_tau", "HalfNormal(sd 0.5)", "were added by default", "0/9 = 0.0%",
                 "Leading dose when the prior of every tau is scaled", "4.3 C"):  # fmt: skip
        assert said in text
    sections = [text.index(f"<h2>{i}. ") for i in range(1, 10)]
    assert sections == sorted(sections)
    names = [p.name for p in (saved / "figures").glob("*.png")]
    assert {n.partition("-")[2] for n in names} >= {
        "obd_map.png", "subgroup_forest.png", "borrowing.png", "subgroup_curves.png",
        "curve-A.png", "curve-B-b.png", "curve-C.png", "cui-C.png",
    }  # fmt: skip


def test_the_table_has_a_row_for_each_subgroup_and_dose_and_for_the_population(saved, analysis):
    frame = pd.read_csv(saved / "decision.csv")
    assert frame[["subgroup", "dose_mg"]].to_numpy().tolist() == [
        [who, 400.0] for who in (*COUNTS, "whole population")
    ]
    assert frame["n_treated"].tolist() == [20, 22, 9, 51]
    last = float(analysis.population.table["p_eff"].item())
    assert frame["p_eff"].iloc[-1] == pytest.approx(last, rel=1e-12)


def test_interims_of_subgroups_are_refused_before_sampling(saved, capsys):
    spec = str(saved.parent / "spec.toml")
    assert main(["run", spec, "--out", str(saved.parent / "more"), "--add"]) == 1
    assert "new folder for each interim" in capsys.readouterr().err


def test_data_tables_count_by_subgroup(analysis):
    observed = tables.observed(analysis)
    assert observed.columns[:3] == ("Subgroup", "Dose (mg)", "Treated")
    assert [r[0] for r in observed.rows] == [*COUNTS, "all"]
    assert observed.rows[-1][3].startswith("17/51 = 33.3%")
    ledger = tables.disposition(analysis)
    assert ledger.columns[:3] == ("Endpoint", "Subgroup", "Dose (mg)")
    assert [r[1] for r in ledger.rows] == list(COUNTS)
    assert tables.prior(analysis).columns[1] == "Subgroup"
    shown = {r[0]: r[1] for r in tables.parameters(analysis).rows}
    assert shown["log_odds[C]"] == "Normal(log_odds_mean, log_odds_tau)"
    assert shown["log_odds_tau"].startswith("HalfNormal(sd 0.5)")


def test_pooled_subgroups_carry_no_stamp_and_unpooled_tiny_ones_do(saved, analysis):
    assert dob.load_results(saved).attrs["stamps"] == ""  # as it was run, not only as it is opened
    assert analysis.stamps == ()
    alone = analysis.alternatives[NONE].stamps
    assert "C (n = 9)" in alone[0]
    assert "RANKED WITHOUT POOLING" in alone[0]


def test_levels_read_off_the_data_are_stamped_on_every_output(analysis, tmp_path):
    roles = dob.CountColumns("dose", eff="responses", n_eff="patients", unit="mg", doses=(400,),
                             groups={"subgroup": "tumour"})  # fmt: skip
    path = tmp_path / "data.csv"
    path.write_text(DATA, encoding="utf-8")
    data = dob.TrialData.from_counts(path, roles)
    free = dob.analyse(analysis.alternatives[FULL].model, data, analysis.decision.utility,
                       analysis.decision.rules, seed=1)  # fmt: skip
    assert free.stamps == ("SUBGROUP NOT PRE-SPECIFIED: its levels were read off the data",)
    assert free.at(subgroup="A").stamps == free.stamps
    assert free.added == ()  # nothing is pooled, so that there is nothing between two ends
    assert free.heterogeneity is None
    assert subgroups.pooled(free) is None
    assert subgroups.shrinkage(free) is None


@pytest.mark.slow
def test_the_flagship_ranks_the_approved_dose_first_in_each_subgroup():
    """About two minutes: four programs are compiled, seven posteriors sampled."""
    bolt = dob.Spec.load(Path(__file__).parents[2] / "models" / "bolt-sonidegib.toml").run()
    assert bolt.decision.recommended.to_numpy().tolist() == [200.0, 200.0]
    assert float(bolt.population.recommended) == 200.0
    assert bolt.stamps == (
        "TOX, DISCONTINUATION KNOWN FOR ALL PATIENTS TOGETHER ONLY: taken to be the same in every subgroup",
    )
    assert bolt.pooling.table["endpoint"].to_numpy().tolist() == [
        "eff"
    ]  # the others are not pooled
    at = bolt.pooling.table.sel(subgroup="mBCC", dose=200.0, endpoint="eff")
    assert float(at["rate"]) == pytest.approx(1 / 13)
    assert float(at["mean_apart"]) == pytest.approx(0.112, abs=0.01)
    assert float(at["mean"]) == pytest.approx(0.196, abs=0.01)
    assert float(
        bolt.differs["differs"].sel(subgroup="laBCC", other_subgroup="mBCC")
    ) == pytest.approx(0.06, abs=0.02)
    found = bolt.heterogeneity
    assert not found.changes
    moved = found.table["p_eff"].sel(level="mBCC", dose=200.0)
    assert float(moved.sel(factor=0.25)) == pytest.approx(0.35, abs=0.02)
    assert float(moved.sel(factor=4.0)) == pytest.approx(0.14, abs=0.02)
    one = dob.figure(bolt.at(subgroup="mBCC"), "curve")
    assert "is known for all patients together only" in one.caption
    assert "is the prior" not in one.caption
