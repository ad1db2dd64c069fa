"""Boundaries of two endpoints: against Dirichlet draws, every path, simulated patients and one endpoint."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.planning.bop2_joint import bop2_joint, calibrate_bop2
from doseopt_bayes.planning.boundaries import bop2

LOOKS = (10, 20, 30, 40)
NESTED = bop2_joint("nested", {"CR": 0.15, "CR or PR": 0.3}, LOOKS, scale=0.8, power=0.9)
EITHER = bop2_joint("co_primary", {"ORR": 0.1, "PFS6": 0.2}, LOOKS, scale=0.8, power=0.9)
BOTH = bop2_joint(
    "efficacy_toxicity", {"response": 0.45, "toxicity": 0.3}, LOOKS, scale=0.7, power=0.9
)
# categories: first only, second only, both, neither
NULL_CELLS = {NESTED: (0.0, 0.15, 0.15, 0.7), EITHER: (0.07, 0.17, 0.03, 0.73),
              BOTH: (0.3, 0.15, 0.15, 0.4)}  # fmt: skip
CUT = {NESTED: (0.8, 0.9), EITHER: (0.8, 0.9), BOTH: (0.7, 0.9)}
NULLS = {NESTED: (0.15, 0.3), EITHER: (0.1, 0.2), BOTH: (0.45, 0.3)}
kinds = pytest.mark.parametrize("bounds", [NESTED, EITHER, BOTH], ids=lambda b: b.kind)


def cells(first, second, both):
    return np.array([first - both, second - both, both, 1 - first - second + both])


@kinds
def test_an_arm_fails_where_the_dirichlet_posterior_says_so(bounds):
    """Every pair of counts of 10 patients, with the association of the null in the prior: 40,000 draws."""
    rng = np.random.default_rng(1)
    n, (scale, power) = 10, CUT[bounds]
    cut, checked = scale * (n / 40) ** power, 0
    for counts in itertools.product(range(n + 1), repeat=3):
        if sum(counts) > n or (bounds is NESTED and counts[0]) or sum(counts) % 2:
            continue
        full = np.array([*counts, n - sum(counts)], float) + NULL_CELLS[bounds]
        gamma = rng.standard_gamma(full, size=(40_000, 4))
        theta = gamma / gamma.sum(axis=1, keepdims=True)
        p = [(theta[:, 0] + theta[:, 2] > NULLS[bounds][0]).mean(),
             (theta[:, 1] + theta[:, 2] > NULLS[bounds][1]).mean()]  # fmt: skip
        if bounds is BOTH:
            p[1] = 1 - p[1]
        if min(abs(x - cut) for x in p) < 4 * np.sqrt(cut * (1 - cut) / 40_000):
            continue  # too near the cut-off for these draws
        low = [x < cut for x in p]
        said = any(low) if bounds is BOTH else all(low)
        events = counts[0] + counts[2], counts[1] + counts[2]
        assert bool(bounds.fails(0, *events)) == said, (counts, p)
        checked += 1
    assert checked > 30


@pytest.mark.parametrize("kind", ["nested", "co_primary", "efficacy_toxicity"])
def test_characteristics_equal_those_of_every_path(kind):
    bounds = bop2_joint(kind, {"a": 0.3, "b": 0.5}, (2, 4, 5), scale=0.7, power=0.5)
    both = 0.35 if kind == "nested" else 0.15
    rate = 0.2 if kind == "efficacy_toxicity" else 0.55
    p = cells(0.35, rate, both)
    total = {"early_no_go": 0.0, "success": 0.0, "patients": 0.0}
    for path in itertools.product(range(4), repeat=5):
        chance = np.prod(p[list(path)])
        for i, n in enumerate(bounds.looks):
            first = sum(c in (0, 2) for c in path[:n])
            second = sum(c in (1, 2) for c in path[:n])
            bad = first <= bounds.no_go[0][i]
            other = second >= bounds.no_go[1][i] if kind[0] == "e" else second <= bounds.no_go[1][i]
            stop = (bad or other) if kind[0] == "e" else (bad and other)
            if stop or n == 5:
                total["patients"] += chance * n
                total["early_no_go"] += chance * (stop and n < 5)
                total["success"] += chance * (not stop)
                break
    found = bounds.operating([0.35], [rate], None if kind == "nested" else [both])
    for name, value in total.items():
        assert float(found[name][0]) == pytest.approx(value, abs=1e-12), name
    assert 0.02 < total["success"] < 0.98


@kinds
def test_error_rates_are_those_of_simulated_patients(bounds):
    truth = {NESTED: (0.2, 0.35, 0.2), EITHER: (0.12, 0.3, 0.08), BOTH: (0.55, 0.25, 0.1)}[bounds]
    rng, trials = np.random.default_rng(7), 20_000
    drawn = rng.choice(4, size=(trials, 40), p=cells(*truth))
    first, second = np.isin(drawn, (0, 2)).cumsum(1), np.isin(drawn, (1, 2)).cumsum(1)
    alive, used = np.ones(trials, bool), np.zeros(trials)
    for i, n in enumerate(LOOKS):
        used[alive] = n
        a, b = first[:, n - 1], second[:, n - 1]
        low = a <= bounds.no_go[0][i]
        stop = (
            low | (b >= bounds.no_go[1][i]) if bounds is BOTH else low & (b <= bounds.no_go[1][i])
        )
        alive &= ~stop
    exact = bounds.operating(*([x] for x in truth[: 2 if bounds is NESTED else 3]))
    p = float(exact["success"][0])
    assert abs(alive.mean() - p) < 4 * np.sqrt(p * (1 - p) / trials)
    assert abs(used.mean() - float(exact["patients"][0])) < 4 * used.std() / np.sqrt(trials)


@pytest.mark.parametrize("rate", [0.2, 0.3, 0.5])
def test_one_endpoint_is_bop2(rate):
    alone = bop2(0.2, LOOKS, scale=0.9, power=1)
    exact = alone.operating([rate])
    twice = bop2_joint("co_primary", {"a": 0.2, "b": 0.2}, LOOKS, scale=0.9, power=1)
    safe = bop2_joint("efficacy_toxicity", {"a": 0.2, "b": 0.3}, LOOKS, scale=0.9, power=1)
    for found in (twice.operating([rate], [rate], [rate]), safe.operating([rate], [0.0], [0.0])):
        for name in ("early_no_go", "success", "patients"):
            assert float(found[name][0]) == pytest.approx(float(exact[name][0]), abs=1e-12), name
    assert safe.no_go[0] == alone.no_go
    # too many events are too few patients without one
    free = bop2(0.7, LOOKS, scale=0.9, power=1).no_go
    assert safe.no_go[1] == tuple(n - k for n, k in zip(LOOKS, free, strict=True))


@settings(deadline=None, max_examples=40)
@given(
    kind=st.sampled_from(["nested", "co_primary", "efficacy_toxicity"]),
    nulls=st.tuples(st.floats(0.05, 0.9), st.floats(0.05, 0.9)),
    rates=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    share=st.floats(0, 1),
    looks=st.lists(st.integers(1, 25), min_size=1, max_size=4, unique=True),
    scale=st.floats(0.05, 0.99),
    power=st.floats(0, 2),
)
def test_two_endpoints_bound_the_success_of_one(kind, nulls, rates, share, looks, scale, power):
    nested = kind == "nested"
    null = tuple(sorted(nulls)) if nested else nulls
    p, q = sorted(rates) if nested else rates
    low, high = max(0.0, p + q - 1), min(p, q)
    both = p if nested else low + share * (high - low)
    given_ = {"scale": scale, "power": power}
    bounds = bop2_joint(kind, {"a": null[0], "b": null[1]}, sorted(looks), **given_)
    found = bounds.operating([p], [q], None if nested else [both]).isel(truth=0)
    assert float(found["no_go"].sum() + found["success"]) == pytest.approx(1, abs=1e-9)
    assert min(looks) <= float(found["patients"]) + 1e-9
    assert float(found["patients"]) <= max(looks) + 1e-9
    one = float(bop2(null[0], sorted(looks), **given_).operating([p])["success"][0])
    if kind == "efficacy_toxicity":
        # no toxicity is no failure: 1 - q is the rate of patients without one
        two = float(bop2(1 - null[1], sorted(looks), **given_).operating([1 - q])["success"][0])
        assert float(found["success"]) <= min(one, two) + 1e-9
        assert float(found["success"]) >= one + two - 1 - 1e-9
    else:
        two = float(bop2(null[1], sorted(looks), **given_).operating([q])["success"][0])
        assert float(found["success"]) >= max(one, two) - 1e-9


def test_calibrated_boundaries_keep_the_error_and_no_others_do_better():
    nulls, looks = {"response": 0.2, "toxicity": 0.4}, (10, 20)
    bad, good = [(0.2, 0.2, 0.04), (0.4, 0.4, 0.16)], (0.4, 0.2, 0.08)
    found = calibrate_bop2("efficacy_toxicity", nulls, looks, bad=bad, good=good, error=0.2)
    columns = [list(x) for x in zip(*bad, good, strict=True)]
    success = found.operating(*columns)["success"].to_numpy()
    assert success[:2].max() <= 0.2
    rng = np.random.default_rng(3)
    for scale, power in zip(rng.choice(np.arange(50, 100), 60), rng.choice(21, 60), strict=True):
        other = bop2_joint("efficacy_toxicity", nulls, looks, scale=scale / 100, power=power / 20)
        its = other.operating(*columns)["success"].to_numpy()
        assert its[:2].max() > 0.2 or its[2] <= success[2] + 1e-12
    with pytest.raises(DoseOptError, match="more patients"):
        calibrate_bop2("efficacy_toxicity", nulls, (2,), bad=[good], good=good, error=0.01)


def test_the_protocol_table_names_each_endpoint_and_says_never():
    text = str(BOTH)
    assert "no-go when either endpoint fails" in text
    assert "response fails if events <=" in text
    assert "toxicity fails if events >=" in text
    assert "either one is enough to go on" in str(NESTED)
    early = bop2_joint("co_primary", {"a": 0.1, "b": 0.2}, (1, 40), scale=0.3, power=1)
    assert early.to_frame().iloc[0, 1:].isna().all()
    table = bop2_joint("efficacy_toxicity", {"a": 0.1, "b": 0.9}, (1, 40), scale=0.3, power=1)
    assert table.to_frame().iloc[0, 2:].isna().all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: bop2_joint("nest", {"a": 0.1, "b": 0.2}, (10,), scale=0.9, power=1), "nested"),
        (lambda: bop2_joint("nested", {"a": 0.1}, (10,), scale=0.9, power=1), "1 endpoints"),
        (lambda: bop2_joint("nested", {"a": 0.3, "b": 0.2}, (10,), scale=0.9, power=1), "part first"),
        (lambda: bop2_joint("co_primary", {"a": 0, "b": 0.2}, (10,), scale=0.9, power=1), "null"),
        (lambda: bop2_joint("co_primary", {"a": 0.1, "b": 0.2}, (9, 9), scale=0.9, power=1), "rise"),
        (lambda: NESTED.operating([0.2], [0.1]), "cannot be probabilities"),
        (lambda: NESTED.operating([0.1], [0.2], [0.1]), "leave both out"),
        (lambda: BOTH.operating([0.5], [0.2]), "independent endpoints"),
        (lambda: BOTH.operating([0.5], [0.2], [0.3]), "cannot be probabilities"),
        (lambda: BOTH.operating([0.5, 0.6], [0.2], [0.1]), "equal length"),
        (lambda: calibrate_bop2("nested", {"a": 0.1, "b": 0.2}, (9,), bad=[(0.1, 0.2, 0.1)],
                                good=(0.2, 0.3), error=0.1), "2 numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, said):
    with pytest.raises(DoseOptError) as e:
        call()
    assert said in str(e.value)
