"""Ordinal grades of arms against a grid, the cumulative-logit formula and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom, lognorm, multinomial, norm

from doseopt_bayes.data.arm_records import ArmRecords
from doseopt_bayes.data.arm_records_outcome import EventCount, Grade
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.compiled import compiled_for
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.ordinal import OrdinalGrades
from doseopt_bayes.priors import HalfNormal, Normal, Pooled

from .arm_cases import DIARRHOEA, DOSES, GRADES, grade_fit, graded, read, values_of

MODEL = OrdinalGrades(DOSES, DIARRHOEA, unit="mg")


def test_posterior_equals_a_grid():
    """Two arms and one step: three parameters, so that a grid is exact to the digits shown."""
    t = np.linspace(-6, 5, 181)
    s = np.linspace(-3.5, 2.5, 121)  # log of the step
    logit, step = np.meshgrid(t, np.exp(s), indexing="ij")
    p2, p1 = expit(logit), expit(logit + step)  # Pr(grade >= 2), Pr(grade >= 1)
    by_arm = [
        n0 * np.log1p(-p1) + n1 * np.log(p1 - p2) + n2 * np.log(p2) + norm(0, 1.5).logpdf(logit)
        for n0, n1, n2 in GRADES
    ]
    like = [np.exp(x - x.max()) for x in by_arm]
    prior = norm(0, 0.75).pdf(s)
    mass = prior * like[0].sum(0) * like[1].sum(0)
    post = grade_fit()
    assert post.diagnostics.passed, post.diagnostics
    for arm, other in ((0, 1), (1, 0)):
        weight = prior * like[arm] * like[other].sum(0)
        exact = {
            "p_diarrhoea": p2,
            "mean_diarrhoea": p1 + p2,
            "log_odds": logit,
        }
        for name, x in exact.items():
            at = post[name].isel(dose=arm)
            error = float(post.mcse(at))
            assert float(post.expect(at)) == pytest.approx(
                (weight * x).sum() / mass.sum(), abs=4 * error
            )
        none = post["grade_diarrhoea"].isel(dose=arm, grade=0)
        wanted = (weight * (1 - p1)).sum() / mass.sum()
        assert float(post.expect(none)) == pytest.approx(wanted, abs=4 * float(post.mcse(none)))


@pytest.mark.parametrize("proportional", [True, False])
@pytest.mark.parametrize(
    ("lowest", "at_least", "highest"), [(0, 3, 5), (0, 1, 4), (1, 4, 4), (0, 1, 1)]
)
def test_likelihood_is_the_cumulative_logit_of_the_counts(lowest, at_least, highest, proportional):
    outcome = Grade("pain", "worst", at_least=at_least, highest=highest, lowest=lowest)
    rng = np.random.default_rng(highest)
    frame = graded(((13, 7), (9, 11))).assign(worst=rng.integers(lowest, highest + 1, 40))
    recipe = OrdinalGrades(DOSES, outcome, unit="mg", proportional=proportional)
    model = recipe.build(read(frame, outcome))
    point = {k: rng.normal(0, 0.7, v.shape) for k, v in model.initial_point().items()}
    likelihood = model.compile_logp(vars=model.observed_RVs, mode="FAST_COMPILE")(point)
    steps = np.exp(point.get("grade_step_log__", np.zeros(0)))
    steps = np.broadcast_to(steps, (2, steps.shape[-1]))
    total = 0.0
    for dose, log_odds, step in zip(DOSES, point["log_odds"], steps, strict=True):
        # cut-points written the usual way, ascending, 0 at the grade that counts as the event
        cut = np.concatenate([[0.0], np.cumsum(step)])
        reach = np.concatenate([[1.0], expit(log_odds - cut + cut[at_least - lowest - 1]), [0.0]])
        p = reach[:-1] - reach[1:]
        n = np.bincount(frame.loc[frame["mg"] == dose, "worst"] - lowest, minlength=p.size)
        total += multinomial(n.sum(), p).logpmf(n)
        if highest - lowest == 1:
            binary = binom(n.sum(), expit(log_odds)).logpmf(n[1])
            assert multinomial(n.sum(), p).logpmf(n) == pytest.approx(binary)
    assert float(likelihood) == pytest.approx(total, rel=1e-9)
    found = values_of(model, ["p_pain", "grade_pain", "mean_pain"], point)
    np.testing.assert_allclose(found["p_pain"], expit(point["log_odds"]))
    np.testing.assert_allclose(found["grade_pain"].sum(-1), 1)
    upper = found["grade_pain"][:, at_least - lowest :].sum(-1)
    np.testing.assert_allclose(upper, found["p_pain"])
    grades = np.arange(lowest, highest + 1)
    np.testing.assert_allclose(found["mean_pain"], found["grade_pain"] @ grades)
    for parameter, prior in recipe.priors.items():
        assert f"{parameter} " in str(recipe)
        assert str(prior) in str(recipe)
    assert ("proportional odds" in str(recipe)) == (proportional and highest - lowest > 1)


def test_probabilities_stay_positive_where_differences_would_cancel():
    model = MODEL.build(read(graded(), DIARRHOEA))
    far = {"log_odds": np.array([45.0, -45.0]), "grade_step_log__": np.array([-20.0])}
    p = values_of(model, ["grade_diarrhoea"], far)["grade_diarrhoea"]
    assert (p > 0).all()
    assert np.isfinite(model.compile_logp(mode="FAST_COMPILE")(far))


def test_simulated_truth_is_inside_the_intervals():
    rng = np.random.default_rng(8)
    log_odds, step = np.array([-1.2, 0.4]), 1.3
    p2, p1 = expit(log_odds), expit(log_odds + step)
    cells = np.stack([1 - p1, p1 - p2, p2], axis=1)
    counts = [rng.multinomial(400, p) for p in cells]
    post = fit(MODEL, read(graded(counts), DIARRHOEA), seed=4)
    for name, truth in (("log_odds", log_odds), ("p_diarrhoea", p2), ("grade_diarrhoea", cells)):
        low, high = (post.quantile(post[name], q).to_numpy() for q in (0.005, 0.995))
        assert ((low < truth) & (truth < high)).all(), name
    assert float(post.quantile(post["grade_step"], 0.005).item()) < step
    assert float(post.quantile(post["grade_step"], 0.995).item()) > step


def test_order_of_patients_and_of_doses_changes_nothing():
    frame = graded()
    other = frame.sample(frac=1, random_state=2).reset_index(drop=True)
    values = []
    for f, doses in ((frame, DOSES), (other, DOSES[::-1])):
        data = read(f, DIARRHOEA, doses=doses)
        values.append(compiled_for(OrdinalGrades(doses, DIARRHOEA, unit="mg"), data).data())
    np.testing.assert_array_equal(*(v["patients_at_grade"] for v in values))


def test_an_arm_without_patients_has_its_prior():
    outcome = DIARRHOEA
    data = ArmRecords.empty(outcome, DOSES, "mg")
    prior = compiled_for(MODEL, data).forward(4000, 1)["prior"].to_dataset()
    np.testing.assert_allclose(
        prior["log_odds"].quantile([0.05, 0.5, 0.95], ["chain", "draw"]).isel(dose=0),
        norm(0, 1.5).ppf([0.05, 0.5, 0.95]), atol=0.15,
    )  # fmt: skip
    median = float(prior["grade_step"].median())
    assert median == pytest.approx(lognorm(0.75).ppf(0.5), abs=0.06)


def test_what_does_not_fit_is_refused():
    nausea = EventCount("nausea", "n", "t", time_unit="day", period=84)
    with pytest.raises(DoseOptError, match="reads a Grade, not EventCount"):
        OrdinalGrades(DOSES, nausea)
    with pytest.raises(DoseOptError, match="no parameter 'logodds'"):
        OrdinalGrades(DOSES, DIARRHOEA, priors={"logodds": Normal(0, 1)})
    with pytest.raises(DoseOptError, match="over groups"):
        OrdinalGrades(DOSES, DIARRHOEA, priors={"log_odds": Pooled(Normal(0, 1), HalfNormal(1))})
    with pytest.raises(DoseOptError, match="reads ArmRecords, not TrialData"):
        MODEL.build(TrialData.parse("1NNE", doses=DOSES, unit="mg"))
    least = Grade("diarrhoea", "worst", at_least=1, highest=2)
    with pytest.raises(DoseOptError, match="is not that of the model"):
        MODEL.build(read(graded(), least))
    with pytest.raises(DoseOptError, match="candidate doses"):
        OrdinalGrades((15, 30), DIARRHOEA, unit="mg").build(read(graded(), DIARRHOEA))
    with pytest.raises(DoseOptError, match="give both in one unit"):
        OrdinalGrades(DOSES, DIARRHOEA, unit="ug").build(read(graded(), DIARRHOEA))


def test_another_column_name_is_the_same_outcome():
    again = Grade("diarrhoea", "AEGRADE", at_least=2, highest=2)
    MODEL.build(read(graded().rename(columns={"worst": "AEGRADE"}), again))
