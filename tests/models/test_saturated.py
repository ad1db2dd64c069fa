"""The saturated model against conjugate updating."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, multivariate_normal, norm

from doseopt_bayes.analysis import analyse
from doseopt_bayes.data.columns import CountColumns
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.rules import AnyDose
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import fit_many
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.tallies import stack_trials
from doseopt_bayes.models import Saturated

DOSES = (10.0, 20.0, 40.0)
# sonidegib 200 and 800 mg (BOLT, Dummer et al. 2019; PubMed 28846163); 400 mg without patients
SEEN = {"tox": ([34, 0, 96], [79, 0, 150]), "eff": ([38, 0, 63], [79, 0, 151]),
        "stop": ([24, 0, 60], [79, 0, 150])}  # fmt: skip
ARMS = (200.0, 400.0, 800.0)


def counted_apart():
    frame = pd.DataFrame({"dose": ARMS})
    for end, (events, n) in SEEN.items():
        frame[end], frame[f"n_{end}"] = events, n
    roles = CountColumns("dose", tox="tox", eff="eff", n_tox="n_tox", n_eff="n_eff", unit="mg",
                         other={"stop": "stop"}, n_other={"stop": "n_stop"})  # fmt: skip
    return TrialData.from_counts(frame, roles)


@pytest.mark.parametrize("patients", [1.0, pytest.param(4.0, marks=pytest.mark.slow)])
def test_posterior_is_the_dirichlet_update(patients):
    data = TrialData.parse("1NNEN 2EEBT", doses=DOSES, unit="mg")
    post = fit(Saturated(DOSES, unit="mg", patients=patients), data, seed=3, draws=6000)
    assert post.diagnostics.passed, post.diagnostics
    counts = data.counts["cell_count"].sel(cell=list("NETB"))
    expected = (counts + patients / 4) / (counts.sum("cell") + patients)
    off = abs(post.expect(post["p_cell"]) - expected) / post.mcse(post["p_cell"])
    assert float(off.max()) < 4.5
    variance = expected * (1 - expected) / (counts.sum("cell") + patients + 1)
    np.testing.assert_allclose(post["p_cell"].var(("chain", "draw")), variance, rtol=0.12)


def test_no_prior_patient_is_refused():
    with pytest.raises(DoseOptError, match="must be > 0"):
        Saturated(DOSES, patients=0)


def test_an_unknown_prior_is_refused():
    with pytest.raises(DoseOptError, match="did you mean 'margins'"):
        Saturated(DOSES, prior_on="margin")


MARGINS = Saturated(ARMS, unit="mg", others=("stop",), prior_on="margins")


@pytest.fixture(scope="module")
def apart():
    return fit(MARGINS, counted_apart(), seed=1)


@pytest.mark.parametrize("end", SEEN)
def test_rates_counted_apart_have_their_own_beta_posteriors(apart, end):
    """At every dose, the untried one included: mean, spread and tails of Beta(1/2 + events, 1/2 + others)."""
    assert apart.diagnostics.passed, apart.diagnostics
    for dose, events, n in zip(ARMS, *SEEN[end], strict=True):
        exact = beta(0.5 + events, 0.5 + n - events)
        p = apart[f"p_{end}"].sel(dose=dose)
        assert abs(float(apart.expect(p)) - exact.mean()) < 4 * float(apart.mcse(p))
        for q in (0.025, 0.25, 0.975):
            event = p <= exact.ppf(q)
            assert abs(float(apart.prob(event)) - q) < 4 * float(apart.mcse(event))


def test_the_association_of_outcomes_counted_apart_keeps_its_prior(apart):
    x = apart["association"]
    for dose in ARMS:
        at = x.sel(dose=dose)
        for q in (0.05, 0.5, 0.95):
            event = at <= norm(0, 1.8).ppf(q)
            assert abs(float(apart.prob(event)) - q) < 4 * float(apart.mcse(event))
    latent = np.sort(np.tanh(x.to_numpy() / 2).ravel())  # about even in -1..1
    assert np.abs((latent + 1) / 2 - np.linspace(0, 1, len(latent))).max() < 0.06


def test_cells_are_those_of_the_rates_and_a_latent_correlation(apart):
    """Pr(both) by the bivariate Normal distribution of SciPy, for some draws."""
    at = apart.draws.sel(dose=200.0).isel(chain=0, draw=slice(0, 2000, 200))
    for i in range(at.sizes["draw"]):
        one = at.isel(draw=i)
        tox, eff, a = (float(one[v]) for v in ("p_tox", "p_eff", "association"))
        rho = np.tanh(a / 2)
        both = multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf(norm.ppf([tox, eff]))
        cells = one["p_cell"].sel(cell=list("NETB")).to_numpy()
        np.testing.assert_allclose(cells, [1 - tox - eff + both, eff - both, tox - both, both],
                                   atol=1e-5)  # fmt: skip


def test_the_fast_engine_has_the_same_betas(apart):
    batch = fit_many(MARGINS, stack_trials(MARGINS, [counted_apart()]), seed=1, particles=8192)
    assert bool(batch.table["passed"].all())
    post = batch.posterior(0)
    for end, (events, n) in SEEN.items():
        exact = (np.array(events) + 0.5) / (np.array(n) + 1)
        p = post[f"p_{end}"]
        assert (abs(post.expect(p) - exact) < 4 * post.mcse(p)).all(), end


def test_joint_outcomes_teach_the_association_and_leave_the_rates_near_their_betas():
    text = "1" + "N" * 18 + "E" * 2 + "T" * 2 + "B" * 18 + " 2NNENTB"
    data = TrialData.parse(text, doses=ARMS, unit="mg")
    post = fit(MARGINS, data, seed=2)  # the program of `apart`, with other patients
    assert post.diagnostics.passed, post.diagnostics
    assert float(post.prob(post["association"].sel(dose=200.0) > 0)) > 0.999
    both = post.expect(post["p_cell"].sel(dose=200.0, cell="B"))
    assert abs(float(both) - 18 / 40) < 0.03
    assert abs(float(post.expect(post["p_tox"].sel(dose=200.0))) - 20.5 / 41) < 0.01


def test_a_prior_on_cells_refuses_outcomes_that_were_counted_apart():
    cells = replace(MARGINS, prior_on="cells")
    said = "at 200 mg toxicity was counted in 79 and efficacy in 79 patients whose other outcome"
    with pytest.raises(DoseOptError, match=said) as e:
        fit(cells, counted_apart(), seed=1)
    assert 'prior_on = "margins"' in str(e.value)
    with pytest.raises(DoseOptError, match=said):
        stack_trials(cells, [counted_apart()])
    counts = stack_trials(MARGINS, [counted_apart()])
    with pytest.raises(DoseOptError, match=said):
        fit_many(cells, counts, seed=1)


def test_an_alternative_that_cannot_take_the_data_is_refused_before_any_sampling():
    cui = CUI({"p_eff": Attribute(1, "benefit")})
    said: list[str] = []
    with pytest.raises(DoseOptError, match="each arm: Saturated: at 200 mg"):
        analyse(MARGINS, counted_apart(), cui, AnyDose(), seed=1, progress=said.append,
                alternatives={"each arm": replace(MARGINS, prior_on="cells")})  # fmt: skip
    assert said == []


@pytest.mark.parametrize(
    ("both", "tox", "eff", "refused"),
    [(0, 5, 5, True), (4, 5, 5, True), (5, 5, 5, False), (0, 5, 0, False), (9, 3, 60, False)],
)
def test_what_counts_as_counted_apart(both, tox, eff, refused):
    """One endpoint alone moves nothing; nor do some patients whose other outcome is missing."""
    model = Saturated(DOSES, unit="mg")
    at = [np.array([3, both, 0]), np.array([0, tox, 0]), np.array([0, eff, 0])]
    if refused:
        with pytest.raises(DoseOptError, match="at 20 mg"):
            model.refuse_apart(*at)
    else:
        model.refuse_apart(*at)
