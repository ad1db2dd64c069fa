"""Trials with pending patients, and their posteriors by quadrature of our own."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, log_expit

from doseopt_bayes.data.columns import PatientColumns
from doseopt_bayes.data.follow_up import FollowUp
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.models import EffTox
from doseopt_bayes.priors import Normal

DOSES = (1.0, 2.5, 5.0, 10.0, 25.0)
WINDOWS = {"tox": FollowUp("days", 28.0, "days"), "eff": FollowUp("days", 84.0, "days")}
NARROW = 1e-3
FIXED = {"tox_slope": 0.8, "eff_slope": 0.6, "eff_curvature": -0.2, "association": 0.7}
REDUCED = EffTox(
    DOSES,
    {"tox_intercept": Normal(-1.0, 1.5), "eff_intercept": Normal(0.0, 1.5)}
    | {k: Normal(v, NARROW) for k, v in FIXED.items()},
)


def trial(*rows, followed=("tox", "eff"), doses=DOSES):
    """Rows (dose, tox, eff, days)."""
    frame = pd.DataFrame(rows, columns=["mg", "dlt", "resp", "days"])
    roles = PatientColumns("mg", tox="dlt", eff="resp", doses=doses,
                           follow_up={e: WINDOWS[e] for e in followed})  # fmt: skip
    return TrialData.from_frame(frame, roles)


DONE = [(1.0, 0, 0, 90), (1.0, 0, 1, 90), (2.5, 0, 0, 100), (2.5, 1, 0, 90), (5.0, 0, 1, 84)]
SOME = [*DONE, (5.0, 0, 0, 21), (10.0, 0, 1, 14)]  # one with nothing so far, one with a response
MANY = [*SOME, (10.0, 1, 0, 9), (10.0, 0, 0, 50), (25.0, 0, 0, 3), (25.0, 0, 0, 0)]


def random_trial(rng, n=12, waiting=6, doses=DOSES):
    mg = rng.choice(doses, n)
    tox, eff = rng.random(n) < 0.25, rng.random(n) < 0.4
    days = np.where(np.arange(n) < waiting, rng.integers(0, 84, n), 84)
    return trial(*zip(mg, tox.astype(int), eff.astype(int), days, strict=True), doses=doses)


def rows_of(rows):
    """Return dose, tox, eff and the shares followed, straight from the rows."""
    found = []
    for dose, tox, eff, days in rows:
        w = {e: 1.0 if x or days >= WINDOWS[e].window else days / WINDOWS[e].window
             for e, x in (("tox", tox), ("eff", eff))}  # fmt: skip
        found.append((DOSES.index(dose), tox, eff, w["tox"], w["eff"]))
    return found


def chance(p_tox, p_eff, strength, row):
    """Probability of what was seen of one patient, by cases and not by shares."""
    _, tox, eff, w_tox, w_eff = row
    both = p_tox * p_eff + p_tox * (1 - p_tox) * p_eff * (1 - p_eff) * strength
    t1, e1 = p_tox - both, p_eff - both
    neither = 1 - t1 - e1 - both
    if tox and eff:
        return both
    if tox:  # a response later, or never
        return t1 + (1 - w_eff) * both
    if eff:
        return e1 + (1 - w_tox) * both
    return neither + (1 - w_tox) * t1 + (1 - w_eff) * e1 + (1 - w_tox) * (1 - w_eff) * both


def reduced_exact(rows, points=241):
    """Posterior means of p_tox and p_eff of `REDUCED` over its two intercepts, by trapezoids."""
    x = np.log(DOSES) - np.log(DOSES).mean()
    side = np.linspace(-9, 9, points)
    a, b = np.meshgrid(-1.0 + side, side, indexing="ij")
    p_tox = expit(a[..., None] + FIXED["tox_slope"] * x)
    p_eff = expit(b[..., None] + FIXED["eff_slope"] * x + FIXED["eff_curvature"] * x**2)
    strength = np.tanh(FIXED["association"] / 2)
    log = -((a + 1) ** 2 + b**2) / (2 * 1.5**2)
    for row in rows_of(rows):
        j = row[0]
        log = log + np.log(chance(p_tox[..., j], p_eff[..., j], strength, row))
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    return [(weight[..., None] * p).sum(axis=(0, 1)) for p in (p_tox, p_eff)]


def tox_rows(rows):
    """Return dose position, event and share followed of toxicity alone."""
    return [(j, tox, w) for j, tox, _, w, _ in rows_of(rows)]


def crm_exact(model, rows, limit):
    """Means and Pr(p_tox < limit) of a CRM, by 400,001 trapezoids over beta."""
    beta = np.linspace(-8, 8, 400_001)
    s = np.array(model.skeleton)
    log = -(beta**2) / (2 * 1.34)
    x = np.log(s) if model.link == "power" else np.log(s / (1 - s)) - 3
    bent = np.exp(beta)[:, None] * x
    log_p = bent if model.link == "power" else log_expit(3 + bent)
    p = np.exp(log_p)
    for j, tox, w in tox_rows(rows):
        log = log + (log_p[:, j] if tox else np.log1p(-w * p[:, j]))
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    below = weight[:, None] * (p < limit)
    return weight @ p, below.sum(axis=0)


def blrm_mean(model, rows, points=1601):
    """Means of p_tox of a BLRM with independent priors, by trapezoids over both parameters."""
    a, b = (model.priors[k] for k in ("log_alpha", "log_beta"))
    u, v = (p.mean + p.sd * np.linspace(-8, 8, points) for p in (a, b))
    x = np.log(np.array(model.doses) / model.reference)
    log = -((u[:, None] - a.mean) ** 2) / (2 * a.sd**2) - (v - b.mean) ** 2 / (2 * b.sd**2)
    for j, tox, w in tox_rows(rows):
        eta = u[:, None] + np.exp(v) * x[j]
        log = log + (log_expit(eta) if tox else np.log1p(-w * expit(eta)))
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    return np.array([(weight * expit(u[:, None] + np.exp(v) * d)).sum() for d in x])
