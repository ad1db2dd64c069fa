"""Two curves of the same patients: the likelihood against SciPy, margins, and one real fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.patients import patient_program
from doseopt_bayes.models.exposure_response import CovariateEffect, ExposureResponse
from doseopt_bayes.models.joint_exposure import JointExposureResponse
from doseopt_bayes.models.response import ContinuousResponse
from doseopt_bayes.models.shapes import Emax
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal
from tests.prediction.cases import EMAX, JOINT, LINEAR, data, frame, joint_fit, read


def holes(n: int = 60):
    """Patients of whom some lack one endpoint, and one lacks an exposure."""
    table = frame(n).astype({"RESP": object, "AE": object})
    table.loc[:7, "RESP"] = None
    table.loc[20:25, "AE"] = None
    table.loc[40, "AUC"] = None
    return table, read(table, missing="exclude")


def log_likelihood(recipe, known, parameters: dict[str, float]) -> np.ndarray:
    """Of each patient, at one set of free parameters."""
    program, values = patient_program(recipe, known)
    draws = {name: np.array([parameters[name]]) for name in program.layout}
    return program.pointwise(draws, values)[0]


PARAMETERS = {"eff_level": -1.2, "eff_effect": 2.1, "eff_ec50": 31.0,
              "tox_effect": 3.1, "tox_level": -3.5, "association": 1.4}  # fmt: skip


def margins(rows) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of efficacy and toxicity, from the definitions."""
    p, x = PARAMETERS, rows["eff"]["exposure"].to_numpy()
    gain = [t / (p["eff_ec50"] + t) for t in (x, 5.0, 100.0)]
    eff = p["eff_level"] + p["eff_effect"] * (gain[0] - gain[1]) / (gain[2] - gain[1])
    tox = p["tox_level"] + p["tox_effect"] * (rows["tox"]["exposure"].to_numpy() - 1) / 14
    return 1 / (1 + np.exp(-eff)), 1 / (1 + np.exp(-tox))


def both_of(copula: str, eff: np.ndarray, tox: np.ndarray) -> np.ndarray:
    strength = np.tanh(PARAMETERS["association"] / 2)
    if copula == "gumbel_morgenstern":
        return eff * tox * (1 + strength * (1 - eff) * (1 - tox))
    normal = stats.multivariate_normal(cov=[[1, strength], [strength, 1]])
    ends = stats.norm.ppf(np.stack([eff, tox], axis=-1))
    return np.array([normal.cdf(e) for e in ends])


@pytest.mark.parametrize("copula", ["gumbel_morgenstern", "gaussian"])
def test_each_patient_contributes_its_cell_or_its_margin(copula):
    table, known = holes()
    recipe = replace(JOINT, copula=copula)
    rows = recipe.read(known)
    assert rows["eff"].sizes["patient"] == 60
    assert int(rows["eff"]["known"].sum()) == 60 - 8 - 1
    eff, tox = margins(rows)
    both = both_of(copula, eff, tox)
    cell = {(0, 0): 1 - eff - tox + both, (1, 0): eff - both, (0, 1): tox - both, (1, 1): both}
    wanted = []
    for i, row in enumerate(table.itertuples()):
        knows_eff = row.RESP is not None and np.isfinite(row.AUC)
        if knows_eff and row.AE is not None:
            wanted.append(cell[int(row.RESP), int(row.AE)][i])
        elif knows_eff:
            wanted.append(eff[i] if row.RESP else 1 - eff[i])
        else:
            wanted.append(tox[i] if row.AE else 1 - tox[i])
    found = log_likelihood(recipe, known, PARAMETERS)
    np.testing.assert_allclose(found, np.log(wanted), rtol=1e-6)


def test_without_association_the_likelihood_is_that_of_two_models():
    _, known = holes()
    none = PARAMETERS | {"association": 0.0}
    single = 0.0
    for name, one in JOINT.parts.items():
        own = {k.removeprefix(f"{name}_"): v for k, v in none.items()}
        single += log_likelihood(one, known, own).sum()
    for copula in ("gumbel_morgenstern", "gaussian"):
        together = log_likelihood(replace(JOINT, copula=copula), known, none).sum()
        assert together == pytest.approx(single, rel=1e-10)


def test_order_and_names_of_patients_do_not_matter():
    table, known = holes()
    mixed = table.sample(frac=1, random_state=2)
    other = read(mixed.assign(ID=[f"Q{i}" for i in range(len(mixed))]), missing="exclude")
    found = [log_likelihood(JOINT, d, PARAMETERS) for d in (known, other)]
    np.testing.assert_allclose(np.sort(found[0]), np.sort(found[1]), rtol=1e-12)


def test_priors_covariates_and_special_priors_keep_their_names_apart():
    from doseopt_bayes.models.er_presets import empirical_emax  # noqa: PLC0415

    slope = CovariateEffect("e0", "AGE", centre=60, per=10)
    eff = empirical_emax(
        "resp", "AUC", p50=25, target=100, level=(-1, 1), effect=(2, 1), covariates=(slope,),
        priors={"e0_AGE": Normal(0, 1)},
    )  # fmt: skip
    recipe = JointExposureResponse(eff, LINEAR, Normal(0, 1), copula="gaussian")
    built = recipe.build(data())
    assert {"eff_ec50", "eff_hill", "eff_e0_AGE", "tox_slope", "association"} <= set(
        built.named_vars
    )
    assert list(recipe.priors) == [
        "eff_level", "eff_effect", "eff_ec50", "eff_hill", "eff_e0_AGE", "tox_e0", "tox_slope",
        "association",
    ]  # fmt: skip
    assert not [v.name for v in built.free_RVs if not v.name.startswith(("eff_", "tox_", "assoc"))]
    assert "eff: on e0: e0_AGE per 10 of AGE above 60" in str(recipe)
    assert recipe.unit == ""


def test_a_fit_recovers_both_curves_and_says_what_it_found():
    post = joint_fit()
    assert post.check().passed, post.check()
    table = data().table
    eff = EMAX.response_at(JOINT.draws_of(post.draws, "eff"), [20.0, 80.0])
    tox = LINEAR.response_at(JOINT.draws_of(post.draws, "tox"), [4.0, 16.0])
    for curve, truth in ((eff, [-2 + 4 * x / (25 + x) for x in (20, 80)]),
                         (tox, [-4 + 0.3 * x for x in (4, 16)])):  # fmt: skip
        for j, logit in enumerate(truth):
            draws = curve.isel(exposure=j)
            assert float(post.quantile(draws, 0.005)) < 1 / (1 + np.exp(-logit))
            assert float(post.quantile(draws, 0.995)) > 1 / (1 + np.exp(-logit))
    assert post.seen["n_treated"].to_numpy().tolist() == [100] * 4
    for name in ("resp", "ae"):
        role = {"resp": "eff", "ae": "tox"}[name]
        events = table.groupby("dose")[name].sum().to_numpy()
        assert np.array_equal(post.seen["events"].sel(endpoint=role), events)
    assert {"prior", "prior_predictive", "constant_data"} <= set(post.tree.children)


def test_n_treated_counts_each_patient_once():
    _, known = holes()
    seen = JOINT.seen(known)
    assert seen["n_treated"].to_numpy().tolist() == [15] * 4
    n = seen["n"].sel(endpoint="eff").to_numpy()
    assert n.tolist() == [7, 15, 14, 15]
    assert seen["n"].sel(endpoint="tox").to_numpy().tolist() == [15, 9, 15, 15]


def test_what_cannot_be_joined_is_refused():
    value = ExposureResponse(
        "value", "AUC", Emax(), ContinuousResponse(),
        {"e0": Normal(0, 1), "emax": Normal(0, 1), "ec50": LogNormal(1, 1), "sigma": HalfNormal(1)},
    )  # fmt: skip
    with pytest.raises(DoseOptError, match="eff \\(value\\) is continuous; both"):
        JointExposureResponse(value, LINEAR, Normal(0, 1))
    with pytest.raises(DoseOptError, match="'ae' is both endpoints"):
        JointExposureResponse(LINEAR, LINEAR, Normal(0, 1))
    with pytest.raises(DoseOptError, match="unknown copula 'gausian'"):
        replace(JOINT, copula="gausian")
