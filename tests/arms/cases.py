"""Posteriors of randomised arms in closed form: independent Dirichlet and Beta draws, no sampler."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.integrate import quad
from scipy.stats import beta

from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.posterior import Posterior

CHAINS, DRAWS = 4, 10000

# DESTINY-Lung02 interim, objective response at 5.4 and 6.4 mg/kg (Goto et al., PMC9954068, table 1)
DESTINY = (28, 52, 12, 28)
# KEYNOTE-002, drug-related grade 3-4 adverse events at 2 and 10 mg/kg (Ribas 2015, PMC9004487, table 3)
KEYNOTE = (19, 178, 25, 179)


def posterior(cells, *, doses=(15.0, 45.0), unit="mg", extra=None, seed=1, prior=0.25, groups=()):
    """Exact posterior of complete counts `cells` (dose, N E T B) and further (events, n) per endpoint."""
    rng = np.random.default_rng(seed)
    cells = np.asarray(cells, dtype=float)
    p = np.stack([rng.dirichlet(row + prior, size=(CHAINS, DRAWS)) for row in cells], axis=2)
    dims = ("chain", "draw", "dose")
    draws = xr.Dataset(
        {"p_cell": ((*dims, "cell"), p)},
        coords={"dose": list(doses), "cell": list("NETB")},
    )
    draws["p_tox"] = draws["p_cell"].sel(cell=["T", "B"]).sum("cell")
    draws["p_eff"] = draws["p_cell"].sel(cell=["E", "B"]).sum("cell")
    n, events = [cells.sum(1)] * 2, [cells[:, 2] + cells[:, 3], cells[:, 1] + cells[:, 3]]
    for end, (r, m) in (extra or {}).items():
        x = [
            rng.beta(a + 2 * prior, b - a + 2 * prior, (CHAINS, DRAWS))
            for a, b in zip(r, m, strict=True)
        ]
        draws[f"p_{end}"] = (dims, np.stack(x, axis=2))
        n, events = [*n, np.array(m, float)], [*events, np.array(r, float)]
    ends = ["tox", "eff", *(extra or {})]
    draws["dose"].attrs["units"] = unit
    seen = xr.Dataset(
        {"n_treated": ("dose", np.max(n, axis=0).astype(int)),
         "n": (("dose", "endpoint"), np.stack(n, 1).astype(int)),
         "events": (("dose", "endpoint"), np.stack(events, 1).astype(int))},
        coords={"dose": list(doses), "endpoint": ends},
    )  # fmt: skip
    draws["anchor"] = draws["p_tox"].isel(dose=0, drop=True)
    tree = xr.DataTree.from_dict({"posterior": draws, "seen": seen})
    return Posterior(tree, ("anchor",), Diagnostics((), xr.DataArray(np.zeros(0))))


def beta_difference(r1, n1, r2, n2, shift, prior=1.0):
    """Pr(p2 - p1 > shift) of two Betas, by quadrature."""
    one, two = beta(prior + r1, prior + n1 - r1), beta(prior + r2, prior + n2 - r2)
    return quad(lambda x: one.pdf(x) * two.sf(x + shift), 0, 1, epsabs=1e-10, limit=200)[0]
