"""Curves that differ between groups: their posterior, their doses, one decision for each group."""

from __future__ import annotations

import tomllib

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

import doseopt_bayes as dob
from doseopt_bayes.data.endpoints import Binary
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import BinaryResponse
from doseopt_bayes.models.shapes import Emax, Linear
from doseopt_bayes.prediction.at_doses import at_doses
from doseopt_bayes.prediction.exposures import GivenExposures, ObservedExposures
from doseopt_bayes.prediction.new_group import predictive_prior
from doseopt_bayes.prediction.people import Regimen
from doseopt_bayes.prediction.quantities import curve_quantities
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal, Pooled
from doseopt_bayes.spec.exposure_parse import ExposureBuilder

LEVELS = ("a", "b", "c")
SIZES = {"a": 60, "b": 25, "c": 0}
E0 = {"a": -1.5, "b": 0.2}
TAU = HalfNormal(1.0)


def read(sizes: dict[str, int] = SIZES, seed: int = 2) -> ExposureData:
    rng = np.random.default_rng(seed)
    parts = []
    for level, n in sizes.items():
        dose = rng.choice([10.0, 20.0, 40.0], n)
        x = dose * rng.lognormal(0, 0.3, n)
        eff = E0.get(level, -0.5) + 0.05 * x
        tox = -3 + 0.05 * x + (level == "b")
        parts.append(pd.DataFrame({"G": level, "mg": dose, "AUC": x,
                                   "RESP": (rng.random(n) < expit(eff)).astype(int),
                                   "AE": (rng.random(n) < expit(tox)).astype(int)}))  # fmt: skip
    frame = pd.concat(parts, ignore_index=True).assign(ID=lambda t: [f"P{i}" for i in t.index])
    return ExposureData.from_frame(
        frame, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h"}, doses=(10, 20, 40),
        endpoints={"resp": Binary("RESP"), "ae": Binary("AE")},
        groups={"subgroup": "G"}, group_levels={"subgroup": tuple(sizes)},
    )  # fmt: skip


def curve(endpoint: str = "resp", levels: tuple[str, ...] = LEVELS) -> ExposureResponse:
    priors = {"e0": Pooled(Normal(0, 2), TAU), "slope": Normal(0, 0.1)}
    return ExposureResponse(endpoint, "AUC", Linear(), BinaryResponse(), priors, unit="h",
                            groups={"subgroup": levels})  # fmt: skip


DATA = read()
PEOPLE = {d: np.linspace(0.6, 1.6, 9) * d for d in (10.0, 20.0, 30.0)}


@pytest.fixture(scope="module")
def post():
    return fit(curve(), DATA, seed=1)


@pytest.fixture(scope="module")
def at(post):
    return at_doses(curve(), post, GivenExposures(PEOPLE, ("AUC",)), PEOPLE, seed=1)


def exact() -> dict[str, float]:
    """Posterior means by sums over a grid: each group's e0 is integrated out by itself."""
    rows = curve().read(DATA)
    e0, slope = np.linspace(-7, 7, 281), np.linspace(-0.03, 0.15, 73)
    mean, tau = np.linspace(-7, 7, 113), np.linspace(0.01, 4.01, 161)
    normal = stats.norm.pdf(e0, mean[:, None, None], tau[:, None])  # (mean, tau, e0)
    normal /= normal.sum(-1, keepdims=True)
    like, first = {}, {}
    for g in ("a", "b"):
        own = rows.isel(patient=(rows["subgroup"] == g).to_numpy())
        x, y = own["exposure"].to_numpy(), own["y"].to_numpy()
        eta = e0[:, None, None] + slope[:, None] * x
        each = np.exp(
            -np.logaddexp(0, np.where(y > 0, -eta, eta)).sum(-1) + 0.5 * x.size
        )  # (e0, slope)
        like[g] = np.einsum("mte,es->mts", normal, each)
        first[g] = np.einsum("mte,es->mts", normal, each * e0[:, None])
    prior = (stats.norm.pdf(mean, 0, 2)[:, None, None] * stats.halfnorm.pdf(tau)[:, None]
             * stats.norm.pdf(slope, 0, 0.1))  # fmt: skip
    whole = prior * like["a"] * like["b"]
    total = whole.sum()
    return {
        "a": float((prior * first["a"] * like["b"]).sum() / total),
        "b": float((prior * first["b"] * like["a"]).sum() / total),
        "slope": float((whole * slope).sum() / total),
        "tau": float((whole * tau[:, None]).sum() / total),
        "mean": float((whole * mean[:, None, None]).sum() / total),
    }


def test_the_posterior_is_that_of_sums_over_a_grid(post):
    assert post.check().passed
    assert int(post.tree["sample_stats"]["diverging"].sum()) == 0
    found = {"a": post["e0"].sel(subgroup="a"), "b": post["e0"].sel(subgroup="b"), "slope": post["slope"],
             "tau": post["e0_tau"], "mean": post["e0_mean"]}  # fmt: skip
    # a group without patients is centred where the others are
    found["c"] = post["e0"].sel(subgroup="c")
    reference = exact()
    reference["c"] = reference["mean"]
    for name, draws in found.items():
        error = float(post.mcse(draws))
        assert float(post.expect(draws)) == pytest.approx(reference[name], abs=4 * error), name


def test_a_preview_says_the_same(post):
    quick = preview(curve(), DATA, seed=1)
    assert quick.check().passed
    for name in ("e0", "slope", "e0_tau"):
        one, two = quick[name], post[name]
        error = np.hypot(quick.mcse(one), post.mcse(two))
        assert bool((abs(quick.expect(one) - post.expect(two)) < 4 * error).all()), name


def test_each_groups_dose_is_its_own_average_over_people(post):
    found = at_doses(curve(), post, ObservedExposures(DATA, ("AUC",), resample=False), (10, 40))
    assert found["p_resp"].dims == ("chain", "draw", "subgroup", "dose")
    table = DATA.table
    for g in LEVELS:
        for dose in (10.0, 40.0):
            x = table.loc[
                table["dose"] == dose, "AUC"
            ].to_numpy()  # everybody's, whatever the group
            slope = post["slope"].to_numpy()[..., None]
            eta = post["e0"].sel(subgroup=g).to_numpy()[..., None] + slope * x
            here = found["p_resp"].sel(subgroup=g, dose=dose).to_numpy()
            np.testing.assert_allclose(here, expit(eta).mean(-1), rtol=1e-12)


def test_what_groups_share_stays_one_number_and_counts_are_their_own(at):
    assert at["slope"].dims == at["e0_tau"].dims == ("chain", "draw")
    table = DATA.table
    for g in LEVELS:
        for dose in (10.0, 20.0):
            here = table[(table["subgroup"] == g) & (table["dose"] == dose)]
            cell = at.seen.sel(subgroup=g, dose=dose)
            assert int(cell["n_treated"]) == len(here)
            assert int(cell["events"].sel(endpoint="resp")) == int(here["resp"].sum())
    assert int(at.seen["n_treated"].sel(dose=30.0).sum()) == 0
    about = at.tree["regimens"].to_dataset()
    assert bool(about["untested"].sel(subgroup="c").all())
    assert not bool(about["untested"].sel(subgroup="a", dose=10.0))


def test_notes_say_whose_they_are(at):
    notes = "\n".join(at.notes)
    assert "c: 10 mg: untested" in notes
    assert "\n30 mg: untested" in notes  # of all groups: said once
    assert "exposures are those of all groups together" in notes


def test_observed_exposures_count_a_groups_own_patients(post):
    half = Regimen("20 mg, halved", 20.0, factor=0.5)
    found = at_doses(curve(), post, ObservedExposures(DATA, ("AUC",)), [10.0, half])
    table = DATA.table
    at_ten = [int(((table["subgroup"] == g) & (table["dose"] == 10)).sum()) for g in LEVELS]
    counts = found.seen["n_treated"].to_numpy()
    assert counts[:, 0].tolist() == at_ten
    assert counts[:, 1].tolist() == [0, 0, 0]


def test_every_group_gets_the_decision_of_its_own_posterior():
    models = {"eff": curve("resp"), "tox": curve("ae")}
    fits = {name: fit(m, DATA, seed=3) for name, m in models.items()}
    both = at_doses(models, fits, GivenExposures(PEOPLE, ("AUC",)), PEOPLE, seed=1)
    assert both.groupings == ("subgroup",)
    utility = dob.CUI({"p_eff": dob.Attribute(1, "benefit"), "p_tox": dob.Attribute(1, "harm")})
    rules = dob.Tolerable(0.5, certainty=0.1) & dob.AnyDose()
    decision = dob.decide(both, utility, rules)
    for g in LEVELS:
        one = dob.decide(both.at(subgroup=g), utility, rules)
        whole = decision.at(subgroup=g)
        assert whole.headline == one.headline
        np.testing.assert_array_equal(whole.leading.to_numpy(), one.leading.to_numpy())
    assert float(both.expect(both["p_tox"]).sel(subgroup="b", dose=30.0)) > float(
        both.expect(both["p_tox"]).sel(subgroup="a", dose=30.0)
    )


def test_one_curve_is_asked_for_where_there_are_several(post, at):
    with pytest.raises(DoseOptError, match=r"model.at\(subgroup='a'\)"):
        curve_quantities(curve(), post, at)
    with pytest.raises(DoseOptError, match="one for each subgroup"):
        dob.figure_exposure_response(curve(), post, DATA)
    found = curve_quantities(curve().at(subgroup="b"), post.at(subgroup="b"), at.at(subgroup="b"))
    assert "better with every dose" in str(found)
    picture = dob.figure_exposure_response(curve().at(subgroup="b"), post.at(subgroup="b"),
                                           DATA.at(subgroup="b"))  # fmt: skip
    assert int(picture.data["bin_n"].sum()) == SIZES["b"]


def test_the_analysis_with_a_report_refuses_groups_before_sampling():
    with pytest.raises(DoseOptError, match="an analysis with its report is of one curve"):
        dob.analyse_exposure(curve(), DATA, dob.Prediction(doses=(10.0,), better="higher"))
    with pytest.raises(DoseOptError, match="a model-averaged curve"):
        dob.stack({"one": (curve(), None)}, {"one": 1.0})


def test_a_file_says_the_same_groups():
    builder = ExposureBuilder("er.toml")
    found = builder.value(ExposureResponse, tomllib.loads(WRITTEN), "model")
    assert not builder.problems
    assert found == curve()
    roles = builder.value(dob.ExposureColumns, tomllib.loads(ROLES), "data")
    assert not builder.problems
    assert roles.group_levels == {"subgroup": LEVELS}


WRITTEN = """
endpoint = "resp"
exposure = "AUC"
shape = "linear"
response = "binary"
unit = "h"
groups = { subgroup = ["a", "b", "c"] }

[priors]
slope = { dist = "normal", mean = 0.0, sd = 0.1 }

[priors.e0]
dist = "pooled"
mean = { dist = "normal", mean = 0.0, sd = 2.0 }
tau = { dist = "half_normal", sd = 1.0 }
"""
ROLES = """
id = "ID"
dose = "mg"
dose_unit = "mg"
exposures = { AUC = "h" }
endpoints = { resp = { kind = "binary", column = "RESP" } }
groups = { subgroup = "G" }
group_levels = { subgroup = ["a", "b", "c"] }
"""


def test_patients_are_predicted_by_their_own_groups_curve(post):
    found = dob.figure_predictive(curve(), post, DATA).data
    assert found.attrs["endpoint"] == "resp"
    loo = dob.leave_one_out(curve(), DATA, post)
    assert np.isfinite(float(loo.elpd))


def test_the_empty_group_is_the_predictive_prior_of_a_further_one(post):
    declared, further = (predictive_prior(post, "e0", g).prior for g in ("c", None))
    for q in (0.1, 0.5, 0.9):
        assert declared.quantile(q) == pytest.approx(further.quantile(q), abs=0.15)


def test_one_group_alone_is_warned_of(post):
    sizes = {"a": 40, "b": 0}
    seen = read(sizes, seed=5)
    found = fit(curve(levels=("a", "b")), seen, seed=1)
    notes = "\n".join(found.notes)
    assert "subgroup: patients in one group alone" in notes
    tau = found["e0_tau"]
    ratio = float(tau.std()) / (1 - 2 / np.pi) ** 0.5  # sd of the HalfNormal(1)
    assert ratio > 0.8
    assert f"e0_tau: its posterior sd is {ratio:.2f} of its prior sd" in notes
    assert "patients in one group alone" not in "\n".join(post.notes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes", [(100, 0), (5, 3), (100, 30, 5, 0), (100, 60, 30, 20, 10, 5, 1, 0)], ids=str
)
@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", ["emax", "linear"])
def test_no_divergence_from_two_to_eight_groups(shape, sizes, apart):
    rng = np.random.default_rng(int(10 * apart) + len(sizes))
    parts, e0, size = [], [], []
    for k, n in enumerate(sizes):
        e0.append(-1.2 + apart * rng.normal())
        size.append(2.5 + apart * rng.normal())
        dose = rng.choice([0.0, 50, 100, 200], n)
        x = dose * rng.lognormal(0, 0.4, n)
        gain = x / (60 + x) if shape == "emax" else x / 200
        y = rng.random(n) < expit(e0[-1] + size[-1] * gain)
        parts.append(pd.DataFrame({"G": f"g{k}", "mg": dose, "AUC": x, "AE": y.astype(int)}))
    frame = pd.concat(parts, ignore_index=True).assign(ID=lambda t: [f"P{i}" for i in t.index])
    levels = tuple(f"g{k}" for k in range(len(sizes)))
    data = ExposureData.from_frame(
        frame, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h"}, doses=(0, 50, 100, 200),
        endpoints={"ae": Binary("AE")}, groups={"subgroup": "G"}, group_levels={"subgroup": levels},
    )  # fmt: skip
    pooled = Pooled(Normal(0, 2.5), HalfNormal(1))
    if shape == "emax":
        recipe = ExposureResponse(
            "ae", "AUC", Emax(), BinaryResponse(),
            {"level": pooled, "effect": pooled, "ec50": Pooled(LogNormal(80, 1), HalfNormal(0.3))},
            reference=(0, 200), unit="h", groups=data.groups,
        )  # fmt: skip
    else:
        slope = Pooled(Normal(0, 0.03), HalfNormal(0.005))
        recipe = ExposureResponse("ae", "AUC", Linear(), BinaryResponse(), {"e0": pooled, "slope": slope},
                                  unit="h", groups=data.groups)  # fmt: skip
    post = fit(recipe, data, seed=3)
    assert post.check().passed
    assert int(post.tree["sample_stats"]["diverging"].sum()) == 0
    assert not any("refitted" in note for note in post.notes)
    for k, n in enumerate(sizes):
        if n >= 30:  # the placebo log-odds of a group with many patients, within 4 posterior sd
            x = post["e0"].sel(subgroup=f"g{k}")
            assert float(abs(x.mean() - e0[k]) / x.std()) < 4
