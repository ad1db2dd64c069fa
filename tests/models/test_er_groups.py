"""A curve of exposure for each group: the stated graph, the stated refusals, one group's curve."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit

from doseopt_bayes.data.endpoints import Binary, Continuous
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.exposure_columns import Covariate
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.er_curve import CovariateEffect
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.joint_exposure import JointExposureResponse
from doseopt_bayes.models.response import BinaryResponse, ContinuousResponse
from doseopt_bayes.models.shapes import Emax, Linear, Quadratic
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal, Pooled, Unpooled

LEVELS = {"subgroup": ("a", "b", "c"), "region": ("EU", "US")}
TAU = HalfNormal(0.7)


def data(n: int = 60, seed: int = 4) -> ExposureData:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"mg": rng.choice([0.0, 50, 100], n), "G": rng.choice(["a", "b"], n),
                          "R": rng.choice(["EU", "US"], n), "AGE": rng.normal(60, 9, n).round()})  # fmt: skip
    frame["AUC"] = frame["mg"] * rng.lognormal(0, 0.3, n)
    frame["AE"] = rng.integers(0, 2, n)
    frame["VALUE"] = rng.normal(3, 1, n)
    frame["ID"] = [f"P{i}" for i in range(n)]
    return ExposureData.from_frame(
        frame, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h"}, doses=(0, 50, 100),
        endpoints={"ae": Binary("AE"), "value": Continuous("VALUE")}, covariates=(Covariate("AGE", "numeric"),),
        groups={"subgroup": "G", "region": "R"}, group_levels=LEVELS,
    )  # fmt: skip


def stated(**changes: object) -> ExposureResponse:
    priors = {"level": Pooled(Normal(0, 2), TAU), "effect": Pooled(Normal(0, 2), TAU, over="region"),
              "ec50": Pooled(LogNormal(60, 1), HalfNormal(0.4))}  # fmt: skip
    options = {"reference": (0, 100), "unit": "h", "groups": LEVELS}
    return ExposureResponse("ae", "AUC", Emax(), BinaryResponse(), changes.pop("priors", priors),
                            **{**options, **changes})  # fmt: skip


def raw(**changes: object) -> ExposureResponse:
    priors = {"e0": Unpooled(Normal(0, 2)), "slope": Pooled(Normal(0, 0.05), HalfNormal(0.01)),
              "e0_AGE": Pooled(Normal(0, 1), HalfNormal(0.2), over="region")}  # fmt: skip
    options = {"unit": "h", "groups": LEVELS,
               "covariates": (CovariateEffect("e0", "AGE", centre=60, per=10),)}  # fmt: skip
    return ExposureResponse(
        "ae", "AUC", Linear(), BinaryResponse(), priors, **{**options, **changes}
    )


def at_random(model, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {k: v + rng.normal(0, 0.4, np.shape(v)) for k, v in model.initial_point().items()}


@pytest.mark.parametrize("recipe", [stated(), raw()], ids=["stated", "raw"])
def test_the_likelihood_is_that_of_each_patients_own_curve(recipe):
    seen = data()
    model, rows = recipe.build(seen), recipe.read(seen)
    likelihood = model.compile_logp(vars=model.observed_RVs)
    kept = [*model.free_RVs, *model.deterministics]
    found = model.compile_fn(model.replace_rvs_by_values(kept), inputs=model.value_vars)
    rng = np.random.default_rng(1)
    at = {g: [LEVELS[g].index(v) for v in rows[g].to_numpy()] for g in LEVELS}
    x, y = rows["exposure"].to_numpy(), rows["y"].to_numpy()
    for _ in range(5):
        point = at_random(model, rng)
        value = {v.name: np.asarray(f) for v, f in zip(kept, found(point), strict=True)}
        if "ec50" in value:
            ec50 = value["ec50"][at["subgroup"]]
            size = value["effect"][at["region"]] * (ec50 + 100) / 100  # effect is from 0 to 100
            eta = value["level"][at["subgroup"]] + size * x / (ec50 + x)
        else:
            age = (rows["cov_AGE"].to_numpy() - 60) / 10
            eta = value["e0"][at["subgroup"]] + value["e0_AGE"][at["region"]] * age
            eta = eta + value["slope"][at["subgroup"]] * x
        exact = -np.logaddexp(0, np.where(y > 0, -eta, eta)).sum()
        assert float(likelihood(point)) == pytest.approx(exact, rel=1e-10)


def test_what_follows_from_groups_lies_over_their_groupings():
    dims = stated().build(data()).named_vars_to_dims
    assert dims["level"] == dims["ec50"] == ("subgroup",)
    assert dims["effect"] == ("region",)
    assert dims["emax"] == dims["e0"] == ("subgroup", "region")
    assert "y_seen" in dims


def test_the_prior_is_the_stated_hierarchy():
    model = stated().build(data())
    rng = np.random.default_rng(2)
    prior = model.compile_logp(vars=model.free_RVs, jacobian=False)
    point = at_random(model, rng)
    tau = {k: math.exp(point[f"{k}_tau_log__"]) for k in ("level", "effect", "ec50")}
    centre = math.exp(point["ec50_mean_log__"])
    exact = sum(stats.norm.logpdf(point[f"{k}_offset"]).sum() for k in tau)
    exact += sum(stats.norm.logpdf(point[f"{k}_mean"], 0, 2) for k in ("level", "effect"))
    exact += stats.lognorm.logpdf(centre, 1, scale=60)
    exact += sum(stats.halfnorm.logpdf(tau[k], scale=0.7) for k in ("level", "effect"))
    exact += stats.halfnorm.logpdf(tau["ec50"], scale=0.4)
    assert float(prior(point)) == pytest.approx(exact, rel=1e-9)


def test_draws_give_the_response_of_every_group():
    draws = xr.Dataset(
        {"e0": ("subgroup", [0.0, 1.0, 2.0]), "emax": (("subgroup", "region"), np.ones((3, 2)) * [1, 2]),
         "ec50": ("subgroup", [10.0, 20.0, 40.0])},
        coords={g: list(v) for g, v in LEVELS.items()},
    ).expand_dims(draw=4)  # fmt: skip
    found = stated().response_at(draws, [0.0, 20.0])
    assert set(found.dims) == {"draw", "subgroup", "region", "exposure"}
    one = found.sel(subgroup="b", region="US", exposure=20.0).isel(draw=0)
    assert float(one) == pytest.approx(expit(1 + 2 * 20 / 40))


def test_patients_are_counted_by_group_and_dose():
    seen, recipe = data(), stated()
    counts = recipe.seen(seen)
    table = seen.table
    assert counts["n_treated"].dims == ("subgroup", "region", "dose")
    assert counts["n_treated"].sel(subgroup="c").sum() == 0
    for g, r, d in [("a", "EU", 50.0), ("b", "US", 100.0), ("a", "US", 0.0)]:
        here = table[(table["subgroup"] == g) & (table["region"] == r) & (table["dose"] == d)]
        cell = counts.sel(subgroup=g, region=r, dose=d)
        assert int(cell["n_treated"]) == len(here)
        assert int(cell["events"].sel(endpoint="ae")) == int(here["ae"].sum())


def test_it_says_who_shares_what_and_how_it_is_sampled():
    text = str(stated(priors={"level": Pooled(Normal(0, 2), TAU), "effect": Normal(0, 2),
                              "ec50": LogNormal(60, 1)}, groups={"subgroup": ("a", "b")}))  # fmt: skip
    assert "level: one for each subgroup (a, b); effect, ec50 shared by all" in text
    assert "each group's curve is sampled by level and effect" in text
    assert "mean ~ Normal(mean 0, sd 2)" in text
    assert "sampled by its own parameters" in str(raw())


def test_a_reference_does_not_change_what_e0_and_size_of_groups_mean():
    # with plain priors e0 and size are sampled through level and effect; a group's size has its own prior
    recipe = raw(reference=(0, 100))
    assert "slope_offset" in recipe.build(data()).named_vars
    assert "effect" not in recipe.build(data()).named_vars


def test_a_rising_curve_pools_a_log_normal_size():
    priors = {"e0": Pooled(Normal(0, 2), TAU), "slope": Pooled(LogNormal(0.02, 1), HalfNormal(0.3))}
    one = {"subgroup": ("a", "b", "c")}
    recipe = ExposureResponse("ae", "AUC", Linear(), BinaryResponse(), priors, monotone="rising",
                              unit="h", groups=one)  # fmt: skip
    model = recipe.build(data())
    point = at_random(model, np.random.default_rng(3))
    assert np.all(model.compile_fn(model["slope"], inputs=model.free_RVs, on_unused_input="ignore")(
        {v.name: np.full(np.shape(v.eval()), 0.5) for v in model.free_RVs}) > 0)  # fmt: skip
    assert np.isfinite(model.compile_logp()(point))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"groups": {"subgroup": ("a", "b", "c")}}, "lies over 'region', which is none of its groups"),
        ({"groups": {**LEVELS, "study": ("1", "2")}}, "no parameter lies over study"),
        ({"groups": {**LEVELS, "region": ("EU", "EU")}}, "list each level once"),
        ({"priors": {"level": Pooled(Normal(0, 2), TAU), "effect": Unpooled(Normal(0, 1), "region"),
                     "ec50": Pooled(Normal(60, 10), TAU)}}, "must stay positive in every group"),
        ({"priors": {"level": Pooled(Normal(0, 2), TAU, together="curve"), "ec50": LogNormal(60, 1),
                     "effect": Unpooled(Normal(0, 1), "region")}}, "correlated"),
        ({"priors": {"level": Pooled(Normal(0, 2), TAU, exchangeable=0.5, apart=Normal(0, 2)),
                     "ec50": LogNormal(60, 1), "effect": Unpooled(Normal(0, 1), "region")}}, "mixture"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(changes, said):
    with pytest.raises(DoseOptError, match=said):
        stated(**changes)


def test_a_falling_curve_of_groups_is_refused_before_sampling():
    priors = {"e0": Normal(0, 2), "slope": Unpooled(Normal(0, 1))}
    recipe = ExposureResponse("ae", "AUC", Linear(), BinaryResponse(), priors, monotone="falling",
                              unit="h", groups={"subgroup": ("a", "b", "c")})  # fmt: skip
    with pytest.raises(DoseOptError, match="a falling curve that differs between groups"):
        recipe.build(data())


def test_scatter_is_one_number():
    priors = {"e0": Unpooled(Normal(0, 2)), "slope": Normal(0, 1), "sigma": Unpooled(HalfNormal(1))}
    with pytest.raises(DoseOptError, match="sigma is one number for all groups"):
        ExposureResponse("value", "AUC", Linear(), ContinuousResponse(), priors, unit="h",
                         groups={"subgroup": ("a", "b", "c")})  # fmt: skip


def test_groups_of_the_data_must_be_those_of_the_model():
    one = {"subgroup": ("a", "c", "b")}
    priors = {"level": Pooled(Normal(0, 2), TAU), "effect": Normal(0, 2), "ec50": LogNormal(60, 1)}
    with pytest.raises(DoseOptError, match="declare the protocol's levels once"):
        stated(priors=priors, groups=one).build(data())
    priors["level"] = Pooled(Normal(0, 2), TAU, over="study")
    with pytest.raises(DoseOptError, match="the data have no grouping 'study'"):
        stated(priors=priors, groups={"study": ("1", "2")}).build(data())


def test_one_groups_recipe_reads_and_does_not_fit():
    one = stated().at(subgroup="b", region="US")
    assert not one.groups
    assert "one group of Pooled" in str(one)
    with pytest.raises(DoseOptError, match="cannot be fitted by itself"):
        one.build(data().at(subgroup="b", region="US"))
    with pytest.raises(DoseOptError, match="name a level of region too"):
        stated().at(subgroup="b")
    with pytest.raises(DoseOptError, match="no level 'd'"):
        stated().at(subgroup="d", region="US")


def test_shapes_that_turn_have_groups_too():
    bent = Pooled(Normal(0, 0.01), HalfNormal(0.001))
    priors = {"e0": Pooled(Normal(0, 2), TAU), Quadratic.size: Normal(0, 0.1),
              **dict.fromkeys(Quadratic.free, bent)}  # fmt: skip
    recipe = ExposureResponse("ae", "AUC", Quadratic(), BinaryResponse(), priors, unit="h",
                              groups={"subgroup": ("a", "b", "c")})  # fmt: skip
    model = recipe.build(data())
    assert np.isfinite(model.compile_logp()(model.initial_point()))


def test_the_joint_model_refuses_groups():
    plain = ExposureResponse("value2", "AUC", Linear(), BinaryResponse(),
                             {"e0": Normal(0, 2), "slope": Normal(0, 1)}, unit="h")  # fmt: skip
    with pytest.raises(DoseOptError, match="differs between groups"):
        JointExposureResponse(stated(), plain, Normal(0, 1))
