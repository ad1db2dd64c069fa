"""Doses from curves of exposure: against quadrature and plain sums, and up to a decision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.decision.rules import Active, AnyDose, ProtocolCap, Tolerable, TriedOnly
from doseopt_bayes.errors import DiagnosticsError, DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.models.er_curve import CovariateEffect
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import (
    ContinuousResponse,
    CountResponse,
    PiecewiseExponential,
    WeibullResponse,
)
from doseopt_bayes.models.shapes import Emax
from doseopt_bayes.prediction.at_doses import at_doses
from doseopt_bayes.prediction.cells import cells_of
from doseopt_bayes.prediction.exposures import GivenExposures, ObservedExposures
from doseopt_bayes.prediction.parts import fitted
from doseopt_bayes.prediction.people import Crowd, Regimen
from doseopt_bayes.prediction.power import fit_power_model
from doseopt_bayes.prediction.quantities import curve_quantities
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal
from tests.prediction.cases import (
    DOSES,
    EMAX,
    JOINT,
    LINEAR,
    TRUE_BEST,
    data,
    frame,
    given,
    joint_fit,
    read,
)

RNG = np.random.default_rng(5)
CURVE = {"e0": RNG.normal(-1, 0.3, (4, 50)), "emax": RNG.normal(3, 0.5, (4, 50)),
         "ec50": RNG.lognormal(3, 0.3, (4, 50))}  # fmt: skip
# what the recipe's own names add to it
EMAX_DRAWS = CURVE | {"level": CURVE["e0"], "effect": CURVE["emax"]}
LINEAR_DRAWS = {"e0": RNG.normal(-3, 0.3, (4, 50)), "slope": RNG.normal(0.3, 0.05, (4, 50))}
POST = given(EMAX, EMAX_DRAWS)
WORTH = CUI({"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(1, "harm")})


def logistic(x):
    return 1 / (1 + np.exp(-x))


def curve(x, draws=CURVE):
    return draws["e0"] + draws["emax"] * x / (draws["ec50"] + x)


def test_people_who_are_all_alike_give_the_curve_itself():
    exposures = GivenExposures({d: np.full(7, d) for d in DOSES}, "AUC")
    post = at_doses(EMAX, POST, exposures, DOSES)
    for dose in DOSES:
        found = post["p_resp"].sel(dose=dose).transpose("chain", "draw")
        np.testing.assert_allclose(found, logistic(curve(dose)), rtol=1e-12)
    assert (post.tree["regimens"]["p_resp_people_error"] < 1e-8).all()


def test_the_average_is_that_of_quadrature_in_every_draw():
    """A power model whose coefficients of each draw are put into an integral over people."""
    model = fit_power_model(data(), "AUC")
    post = at_doses(EMAX, POST, model, (30.0,), n_people=400, seed=3)
    coefficient, covariance = model.coefficients(Crowd(200, 400, 3))
    centre = coefficient[:, 0, 0] + coefficient[:, 1, 0] * (np.log(30) - model.centre)
    found = post["p_resp"].to_numpy().ravel()
    flat = {k: v.ravel() for k, v in CURVE.items()}
    for i in range(0, 200, 23):
        own = {k: v[i] for k, v in flat.items()}
        sd = covariance[i, 0, 0] ** 0.5
        wanted, _ = integrate.quad(
            lambda z, own=own, i=i, sd=sd: (
                logistic(curve(np.exp(centre[i] + sd * z), own)) * stats.norm.pdf(z)
            ),
            -8, 8,
        )  # fmt: skip
        assert found[i] == pytest.approx(wanted, abs=2e-4)
    error = float(post.tree["regimens"]["p_resp_people_error"][0])
    assert 0 < error < 2e-4


def test_simulated_people_bring_their_error_into_the_draws():
    """Independent people: the draws' noise is sd / sqrt(n), and the reported error measures it."""
    fixed = given(EMAX, {k: v.mean() for k, v in EMAX_DRAWS.items()})
    exposures = GivenExposures({"a": lambda rng, n: rng.lognormal(3, 0.5, n)}, "AUC")
    post = at_doses(EMAX, fixed, exposures, [Regimen("a", 10)], n_people=20)
    own = {k: v.mean() for k, v in CURVE.items()}
    z = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    p = logistic(curve(np.exp(3 + 0.5 * z), own))
    draws = post["p_resp"].to_numpy().ravel()
    assert draws.std() == pytest.approx(p.std() / 20**0.5, rel=0.15)
    assert draws.mean() == pytest.approx(p.mean(), abs=4 * p.std() / (20 * 200) ** 0.5)
    error = float(post.tree["regimens"]["p_resp_people_error"][0])
    assert error == pytest.approx(draws.std(), rel=0.2)
    assert "the 20 people looked at are few" in "\n".join(post.notes)


def test_observed_people_are_averaged_as_they_are():
    table = data().table
    post = at_doses(EMAX, POST, ObservedExposures(data(), "AUC", resample=False), DOSES)
    again = at_doses(EMAX, POST, ObservedExposures(data(), "AUC"), DOSES)
    for dose in DOSES:
        x = table.loc[table["dose"] == dose, "AUC"].to_numpy()
        each = logistic(curve(x[:, None, None]))
        found = post["p_resp"].sel(dose=dose).transpose("chain", "draw")
        np.testing.assert_allclose(found, each.mean(axis=0), rtol=1e-10)
        # Bayesian bootstrap: around that average with variance s^2 / (n + 1)
        gap = again["p_resp"].sel(dose=dose).transpose("chain", "draw") - found
        wanted = (each.var(axis=0) / 101).mean() ** 0.5
        assert float(gap.std()) == pytest.approx(wanted, rel=0.2)
        assert abs(float(gap.mean())) < 4 * wanted / 200**0.5
    assert post.seen["n_treated"].to_numpy().tolist() == [100] * 4


def test_order_and_names_of_patients_do_not_matter():
    table = frame(80)
    mixed = table.sample(frac=1, random_state=4).assign(ID=[f"Q{i}" for i in range(80)])
    covariate = CovariateEffect("e0", "AGE", centre=60, per=10)
    recipe = replace(
        EMAX, covariates=(covariate,), priors=dict(EMAX.priors) | {"e0_AGE": Normal(0, 1)}
    )
    fit = given(recipe, EMAX_DRAWS | {"e0_AGE": 0.3})
    found = [
        at_doses(recipe, fit, ObservedExposures(read(t), "AUC"), DOSES)["p_resp"]
        for t in (table, mixed)
    ]
    xr.testing.assert_identical(*found)


def test_covariates_are_those_of_people_or_as_given():
    covariates = (
        CovariateEffect("e0", "AGE", centre=60, per=10),
        CovariateEffect("e0", "SEX", level="M"),
    )
    priors = dict(EMAX.priors) | {"e0_AGE": Normal(0, 1), "e0_SEX_M": Normal(0, 1)}
    recipe = replace(EMAX, covariates=covariates, priors=priors)
    fit = given(recipe, EMAX_DRAWS | {"e0_AGE": 0.4, "e0_SEX_M": -0.7})
    exposures = ObservedExposures(data(), "AUC", resample=False)
    post = at_doses(recipe, fit, exposures, (20.0,))
    here = data().table.query("dose == 20")
    shift = 0.4 * (here["AGE"].to_numpy() - 60) / 10 - 0.7 * (here["SEX"] == "M").to_numpy()
    each = logistic(curve(here["AUC"].to_numpy()[:, None, None]) + shift[:, None, None])
    found = post["p_resp"].isel(dose=0).transpose("chain", "draw")
    np.testing.assert_allclose(found, each.mean(axis=0), rtol=1e-10)
    men = at_doses(recipe, fit, exposures, (20.0,), covariates={"SEX": "M", "AGE": 60})
    each = logistic(curve(here["AUC"].to_numpy()[:, None, None]) - 0.7)
    found = men["p_resp"].isel(dose=0).transpose("chain", "draw")
    np.testing.assert_allclose(found, each.mean(axis=0), rtol=1e-10)
    lent = at_doses(recipe, fit, fit_power_model(data(), "AUC"), (20.0,))
    assert float(abs(lent["p_resp"] - post["p_resp"]).mean()) < 0.03
    with pytest.raises(DoseOptError, match="no model has a covariate 'SEXX'"):
        at_doses(recipe, fit, exposures, (20.0,), covariates={"SEXX": "M"})


@pytest.mark.parametrize(
    ("response", "more", "time", "mean"),
    [
        (ContinuousResponse(), {"sigma": 2.0}, None, lambda eta: eta),
        (CountResponse(overdispersed=False), {}, 3.0, lambda eta: 3 * np.exp(eta)),
        (WeibullResponse(12.0), {"weibull_shape": 1.5}, 6.0, lambda eta: np.exp(-np.exp(eta) * 0.5**1.5)),
        (WeibullResponse(12.0), {"weibull_shape": 1.5}, None, lambda eta: np.exp(-np.exp(eta))),
    ],
)  # fmt: skip
def test_other_endpoints_are_read_on_their_own_scale(response, more, time, mean):
    priors = {"e0": Normal(0, 1), "emax": Normal(0, 1), "ec50": LogNormal(20, 1)}
    priors |= {name: HalfNormal(1.0) for name in response.parameters}
    recipe = ExposureResponse("value", "AUC", Emax(), response, priors)
    exposures = GivenExposures({d: [d] for d in DOSES}, "AUC")
    post = at_doses(recipe, given(recipe, CURVE | more), exposures, DOSES, time=time)
    for dose in DOSES:
        found = post["value"].sel(dose=dose).transpose("chain", "draw")
        np.testing.assert_allclose(found, mean(curve(dose)), rtol=1e-12)


def test_survival_in_intervals_needs_a_time():
    recipe = ExposureResponse(
        "pfs", "AUC", Emax(), PiecewiseExponential((3.0,)),
        {"e0": Normal(0, 1), "emax": Normal(0, 1), "ec50": LogNormal(20, 1), "log_hazard_step": Normal(0, 1)},
    )  # fmt: skip
    fit = given(recipe, CURVE)
    with_steps = fit.draws.assign(
        log_hazard_step=(("chain", "draw", "later_interval"), np.full((4, 50, 1), 0.5))
    )
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(with_steps)
    fit = replace(fit, tree=tree)
    exposures = GivenExposures({20.0: [20.0]}, "AUC")
    post = at_doses(recipe, fit, exposures, (20.0,), time={"pfs": 5.0})
    wanted = np.exp(-np.exp(curve(20.0)) * (3 + 2 * np.exp(0.5)))
    np.testing.assert_allclose(post["pfs"].isel(dose=0), wanted, rtol=1e-12)
    with pytest.raises(DoseOptError, match="survival needs a time"):
        at_doses(recipe, fit, exposures, (20.0,))


@pytest.mark.parametrize("copula", ["gumbel_morgenstern", "gaussian"])
def test_cells_are_averaged_over_people_and_keep_their_margins(copula):
    joint = replace(JOINT, copula=copula)
    values = {f"eff_{k}": v for k, v in EMAX_DRAWS.items()}
    values |= {f"tox_{k}": v for k, v in LINEAR_DRAWS.items()}
    fit = given(EMAX, values | {"association": RNG.normal(1, 0.5, (4, 50))})
    fit = replace(fit, parameters=tuple(joint.priors))
    exposures = ObservedExposures(data(), ("AUC", "CMAX"), resample=False)
    post = at_doses(joint, fit, exposures, DOSES)
    cell = post["p_cell"]
    np.testing.assert_allclose(cell.sum("cell"), 1, rtol=1e-10)
    np.testing.assert_allclose(cell.sel(cell=["E", "B"]).sum("cell"), post["p_eff"], rtol=1e-8)
    np.testing.assert_allclose(cell.sel(cell=["T", "B"]).sum("cell"), post["p_tox"], rtol=1e-8)
    # person by person in one draw, from the definition
    here = data().table.query("dose == 40")
    at = {"chain": 2, "draw": 11}
    own = {
        k: float(v[2, 11])
        for k, v in (CURVE | {f"l_{k}": v for k, v in LINEAR_DRAWS.items()}).items()
    }
    eff = logistic(curve(here["AUC"].to_numpy(), own))
    tox = logistic(own["l_e0"] + own["l_slope"] * here["CMAX"].to_numpy())
    strength = np.tanh(float(fit["association"].sel(at)) / 2)
    if copula == "gaussian":
        normal = stats.multivariate_normal(cov=[[1, strength], [strength, 1]])
        both = np.mean([normal.cdf(stats.norm.ppf([e, t])) for e, t in zip(eff, tox, strict=True)])
    else:
        both = np.mean(eff * tox * (1 + strength * (1 - eff) * (1 - tox)))
    assert float(cell.sel(at).sel(dose=40, cell="B")) == pytest.approx(both, rel=1e-6)


def test_without_association_people_alone_join_the_outcomes():
    none = np.zeros(3)
    tox, eff = RNG.normal(0, 1, (3, 5)), RNG.normal(0, 1, (3, 5))
    for copula in ("gumbel_morgenstern", "gaussian"):
        found = cells_of(copula, tox, eff, none)
        np.testing.assert_allclose(found[..., 3], logistic(tox) * logistic(eff), rtol=1e-10)


def test_a_preview_of_weighted_particles_is_carried_to_doses():
    post = preview(EMAX, data(), seed=1, particles=1024)
    found = at_doses(EMAX, post, fit_power_model(data(), "AUC"), DOSES)
    table = data().table
    seen = table.groupby("dose")["resp"].mean().to_numpy()
    error = np.sqrt(seen * (1 - seen) / 100)
    assert (abs(found.expect(found["p_resp"]).to_numpy() - seen) < 4 * error).all()
    assert "exposures of the fit are not in its posterior" not in "\n".join(found.notes)


def test_what_a_dose_rests_on_is_said():
    """The share of people beyond the exposures studied against the log-normal tail."""
    fit = given(EMAX, EMAX_DRAWS, x=(5.0, 60.0), seen={10.0: 3, 40.0: 6})
    exposures = GivenExposures(
        {d: lambda rng, n, d=d: d * rng.lognormal(0, 0.3, n) for d in (*DOSES, 30.0)}, "AUC"
    )
    wanted = [10, 40, 80, Regimen("30 mg", 30.0, factor=0.9)]
    post = at_doses(EMAX, fit, exposures, wanted)
    about = post.tree["regimens"].to_dataset()
    tail = stats.norm.sf(np.log(60 / 80) / 0.3)
    assert float(about["p_resp_above"].sel(dose=80)) == pytest.approx(tail, abs=0.01)
    assert about["label"].to_numpy().tolist() == ["10 mg", "30 mg", "40 mg", "80 mg"]
    assert post.seen["n_treated"].to_numpy().tolist() == [3, 0, 6, 0]
    said = "\n".join(post.notes)
    assert "80 mg: untested" in said
    assert "30 mg: untested" in said
    assert "10 mg: untested" not in said
    assert f"80 mg: {tail:.0%} of people have a AUC above every one studied (60 h*mg/L)" in said
    assert "a note of the fit" in said
    q = about["exposure_AUC"].sel(dose=40, quantile=[0.05, 0.95]).to_numpy()
    np.testing.assert_allclose(q, 40 * np.exp(0.3 * stats.norm.ppf([0.05, 0.95])), rtol=0.03)


def test_an_ec50_that_the_prior_decides_is_said():
    rng = np.random.default_rng(2)
    wide = {"ec50": np.exp(np.log(25) + rng.normal(0, 1, (4, 50)))}
    exposures = GivenExposures({20.0: [20.0]}, "AUC")
    said = "\n".join(at_doses(EMAX, given(EMAX, EMAX_DRAWS | wide), exposures, (20.0,)).notes)
    assert "p_resp: ec50 is prior-driven" in said
    assert "prior-driven" not in "\n".join(at_doses(EMAX, POST, exposures, (20.0,)).notes)


def test_fits_apart_are_paired_without_a_common_seed():
    """Two fits with one seed may follow each other draw by draw; their pairing must not."""
    walk = RNG.normal(0, 1, (4, 50))
    eff = given(EMAX, EMAX_DRAWS | {"e0": -1 + 0.3 * walk})
    tox = given(LINEAR, {"e0": -3 + 0.3 * walk, "slope": 0.2, "level": 0.0, "effect": 0.0})
    models, posts = {"eff": EMAX, "tox": LINEAR}, {"eff": eff, "tox": tox}
    whole = fitted(models, posts).whole
    together = np.corrcoef(whole["eff_e0"].to_numpy().ravel(), whole["tox_e0"].to_numpy().ravel())
    assert abs(together[0, 1]) < 0.3
    assert sorted(whole["tox_e0"].to_numpy().ravel()) == sorted(tox["e0"].to_numpy().ravel())
    exposures = ObservedExposures(data(), ("AUC", "CMAX"))
    post = at_doses(models, posts, exposures, DOSES)
    assert "p_cell" not in post.draws
    assert {"eff_ec50", "tox_slope"} <= set(post.parameters)
    assert "were fitted apart" in "\n".join(post.notes)
    assert decide(post, WORTH, Tolerable(0.5, certainty=0.1)).status.item()
    with pytest.raises(DoseOptError, match="different names"):
        at_doses(models, {"eff": eff}, exposures, DOSES)


def test_a_failed_fit_ranks_nothing():
    values = {f"eff_{k}": v for k, v in EMAX_DRAWS.items()}
    values |= {f"tox_{k}": v for k, v in LINEAR_DRAWS.items()} | {"association": 0.0}
    fit = replace(given(EMAX, values, passed=False), parameters=("eff_e0",))
    post = at_doses(JOINT, fit, ObservedExposures(data(), ("AUC", "CMAX")), DOSES)
    with pytest.raises(DiagnosticsError, match="divergences"):
        decide(post, WORTH, TriedOnly())
    found = decide(post, WORTH, TriedOnly(), override_diagnostics=True)
    assert "DIAGNOSTICS OVERRIDDEN" in found.stamps[0]


def test_from_patients_to_the_best_dose():
    post = at_doses(JOINT, joint_fit(), fit_power_model(data(), ("AUC", "CMAX")), (*DOSES, 160.0))
    rules = Tolerable(0.5, certainty=0.5) & Active(0.3, certainty=0.5)
    found = decide(post, WORTH, rules & AnyDose())
    assert float(found.recommended) == TRUE_BEST
    tried = decide(post, WORTH, rules)
    assert not bool(tried.table["admissible"].sel(dose=160))
    assert bool(tried.table["untried"].sel(dose=160))
    table = OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
    assert float(decide(post, table, rules).recommended) == TRUE_BEST
    # an additive table reads the margins alone
    u = table({"p_cell": post["p_cell"]})
    np.testing.assert_allclose(u, 40 + 60 * post["p_eff"] - 40 * post["p_tox"], rtol=1e-6)


def test_regimens_of_one_dose_are_ranked_by_their_labels():
    values = {f"eff_{k}": v for k, v in EMAX_DRAWS.items()}
    values |= {f"tox_{k}": v for k, v in LINEAR_DRAWS.items()} | {
        "association": RNG.normal(0, 1, (4, 50))
    }
    fit = replace(given(EMAX, values), parameters=("eff_e0", "association"))
    wanted = [20, Regimen("80 mg QD", 80.0), Regimen("40 mg BID", 80.0, factor=0.4)]
    post = at_doses(JOINT, fit, fit_power_model(data(), ("AUC", "CMAX")), wanted)
    assert post.seen["n_treated"].to_numpy().tolist() == [100, 0, 100]
    rules = Tolerable(0.5, certainty=0.5) & AnyDose()
    worth = CUI({"p_eff": Attribute(3, "benefit"), "p_tox": Attribute(1, "harm")})
    found = decide(post, worth, rules & ProtocolCap(80))
    assert found.headline.startswith("40 mg BID is recommended")
    assert "No patient has received 40 mg BID" in found.text
    assert found.to_frame()["regimen"].tolist() == ["20 mg", "40 mg BID", "80 mg QD"]
    rows = [line.split()[1:4] for line in found.text_table.splitlines()[1:4]]
    assert ["40", "mg", "BID*"] in rows
    assert float(found.leading) == pytest.approx(80, rel=1e-8)
    quantities = curve_quantities(JOINT, fit, post, endpoint="eff", gain=0.1)
    assert "40 mg BID 0." in str(quantities)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_people": 1}, "n_people = 1"),
        ({"covariates": "mean"}, "covariates = 'mean'"),
        ({"time": {"resq": 3.0}}, "a time for 'resq'"),
        ({"doses": ()}, "no dose is asked for"),
        ({"exposures": GivenExposures({20.0: [1.0]}, "CMAX")}, "resp is a curve of AUC; the exposures"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(change, said):
    wanted = {"exposures": GivenExposures({20.0: [20.0]}, "AUC"), "doses": (20.0,)} | change
    with pytest.raises(DoseOptError, match=said):
        at_doses(EMAX, POST, **wanted)
