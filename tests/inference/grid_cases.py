"""Models, data sets and independent quadrature for tests of the grid engine and its benchmark."""

from __future__ import annotations

import itertools
import math

import numpy as np
import xarray as xr
from scipy.integrate import quad
from scipy.special import expit, log_expit

from doseopt_bayes.models import BLRM, CRM
from doseopt_bayes.models.presets import BLRM_SINGLE_AGENT
from doseopt_bayes.priors import Normal

SKELETON = (0.05, 0.12, 0.25, 0.40, 0.55)
DOSES = (1.0, 2.5, 5.0, 10.0, 25.0)
POWER = CRM(DOSES, SKELETON)
LOGISTIC = CRM(DOSES, SKELETON, "logistic")
TWO = BLRM(DOSES, 50, BLRM_SINGLE_AGENT, unit="mg")
TOGETHER = BLRM(
    DOSES, 10, {"log_alpha": Normal(-0.8, 1.2), "log_beta": Normal(0.3, 0.7)}, correlation=-0.4
)
LIMITS = (0.16, 0.33)
SETS = [
    ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0)),
    ((3, 0, 0, 0, 0), (0, 0, 0, 0, 0)),
    ((3, 0, 0, 0, 0), (3, 0, 0, 0, 0)),
    ((3, 4, 5, 4, 2), (0, 0, 0, 0, 2)),
    ((12, 12, 12, 12, 12), (12, 12, 12, 12, 12)),
    ((12, 12, 12, 12, 12), (0, 0, 0, 0, 0)),
    ((3, 3, 6, 18, 30), (0, 0, 1, 5, 14)),
    ((0, 0, 60, 0, 0), (0, 0, 15, 0, 0)),
    ((60, 60, 60, 60, 60), (3, 6, 15, 24, 33)),
]


def stack(sets, doses=DOSES):
    n, x = (np.array([s[k] for s in sets])[..., None] for k in (0, 1))
    dims = ("trial", "dose", "endpoint")
    coords = {"trial": np.arange(len(sets)), "dose": list(doses), "endpoint": ["tox"]}
    return xr.Dataset({"n_only": (dims, n), "events_only": (dims, x)}, coords=coords)


def read(post):
    found = {"mean": post.expect(post["p_tox"])}
    for limit in LIMITS:
        found[f"below{limit}"], found[f"error{limit}"] = post.below("p_tox", limit)
    return xr.Dataset(found)


def crm_exact(model, n, x):
    """Means and tails by adaptive quadrature, split at the mode and at the crossings."""
    s = np.array(SKELETON)
    shift = np.log(s / (1 - s)) - 3

    def p(b):
        if model.link == "power":
            return np.clip(s ** np.exp(b), 1e-300, 1 - 1e-16)
        return np.clip(expit(3 + np.exp(b) * shift), 1e-300, 1 - 1e-16)

    def log(b):
        q = p(b)
        likelihood = sum(
            a * math.log(v) + (m - a) * math.log1p(-v) for a, m, v in zip(x, n, q, strict=True) if m
        )
        return likelihood - b * b / (2 * 1.34)

    at = np.linspace(-6, 6, 4001)
    logs = np.array([log(b) for b in at])
    mode, peak = at[logs.argmax()], logs.max()
    spread = max(0.02, np.sqrt(np.average((at - mode) ** 2, weights=np.exp(logs - peak))))
    cuts = np.clip([mode - 10 * spread, mode - 2 * spread, mode, mode + 2 * spread,
                    mode + 10 * spread], -8, 8)  # fmt: skip

    def integral(f, low=-8.0, high=8.0):
        ends = [low, *sorted({c for c in cuts if low < c < high}), high]
        return sum(quad(lambda b: f(b) * math.exp(log(b) - peak), a, c, epsabs=1e-12, limit=200)[0]
                   for a, c in itertools.pairwise(ends))  # fmt: skip

    total = integral(lambda _: 1.0)
    mean = [integral(lambda b, j=j: p(b)[j]) / total for j in range(5)]
    tails = []
    for limit in LIMITS:
        if model.link == "power":
            cross = np.log(np.log(limit) / np.log(s))
        else:
            cross = np.log((np.log(limit / (1 - limit)) - 3) / shift)
        # p falls as beta rises under both links
        tails.append([integral(lambda _: 1.0, low=c) / total for c in cross])
    return np.array(mean), np.array(tails)


def blrm_exact(model, n, x, rows=400, points=2000):
    """Means and tails on a fine grid of our own, the boundary by cubics along log_alpha.

    The box holds every density above exp(-45) of the highest one; 1000 rows of 8000 points change no
    number by more than 1e-7.
    """
    a, b = (model.priors[k] for k in BLRM.parameters)
    dose = np.log(np.array(model.doses) / model.reference)
    r = model.correlation

    def density(line, at):
        za, zb = (line[None] - a.mean) / a.sd, (at[:, None] - b.mean) / b.sd
        log = -(za**2 - 2 * r * za * zb + zb**2) / (2 * (1 - r**2))
        for j in np.flatnonzero(n):
            eta = line[None] + np.exp(at)[:, None] * dose[j]
            log = log + x[j] * log_expit(eta) + (n[j] - x[j]) * log_expit(-eta)
        return log

    line, at = np.linspace(-16, 16, 641), np.linspace(-10, 10, 401)
    log = density(line, at)
    high = log > log.max() - 45
    line, at = (
        np.linspace(side[some][0] - 0.1, side[some][-1] + 0.1, count)
        for side, some, count in ((line, high.any(0), points), (at, high.any(1), rows))
    )
    log = density(line, at)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    # trapezoids with the first term of Euler and Maclaurin; a cubic between nodes, its slope the density
    so_far = weight.cumsum(axis=1) - weight / 2 - np.gradient(weight, axis=1) / 12
    mean, tails = [], np.empty((len(LIMITS), len(dose)))
    every = np.arange(rows)
    for j, d in enumerate(dose):
        mean.append(float((weight * expit(line[None] + np.exp(at)[:, None] * d)).sum()))
        for k, limit in enumerate(LIMITS):
            cross = math.log(limit / (1 - limit)) - np.exp(at) * d
            place = np.clip((cross - line[0]) / (line[1] - line[0]), 0, points - 1)
            low = np.minimum(place.astype(int), points - 2)
            s, left, right = place - low, (every, low), (every, low + 1)
            values = so_far[left] + s**2 * (3 - 2 * s) * (so_far[right] - so_far[left])
            slopes = s * (1 - s) ** 2 * weight[left] - s**2 * (1 - s) * weight[right]
            tails[k, j] = (values + slopes).sum()
    return np.array(mean), tails


def states(n, seed):
    rng = np.random.default_rng(seed)
    patients = 3 * rng.multinomial(rng.integers(0, 20, n), np.full(5, 0.2))
    events = rng.binomial(patients, np.sort(rng.random((n, 5)), axis=1))
    return stack(list(zip(patients.tolist(), events.tolist(), strict=True)))
