"""Rank-based desirability scores of BOIN12, for the table of a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from doseopt_bayes.comparators.boin12 import BOIN12

__all__ = ["desirability_scores"]


def desirability_scores(design: BOIN12, sizes: Sequence[int]) -> pd.DataFrame:
    """Rank every outcome that a dose can have, from the least desirable (1) upwards.

    Parameters
    ----------
    design
        BOIN12 with its limits and utilities, which must be additive: then toxicities and responses say
        it all.
    sizes
        Numbers of patients that a dose can have, for example ``(0, 3, 6, 9, 12)``.

    Returns
    -------
    pandas.DataFrame
        A row for each number of ``patients``, ``toxicities`` and ``responses``: ``score``, missing where
        the dose is inadmissible; equal desirabilities share the mean of their ranks.

    Raises
    ------
    DoseOptError
        On sizes that are no numbers of patients, or a utility table that is not additive.

    Notes
    -----
    Lin et al. (2020), Table 3. A rank depends on the sizes that are ranked together.
    """
    import pandas as pd  # noqa: PLC0415

    if not design.utility.additive:
        raise DoseOptError(
            "a table of scores by toxicities and responses needs an additive utility",
            hint="efficacy + toxicity = both + neither",
        )
    if not sizes or any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in sizes):
        raise DoseOptError(f"sizes = {tuple(sizes)} must be whole numbers >= 0")
    cases = np.array([(n, t, e) for n in sizes for t in range(n + 1) for e in range(n + 1)])
    n, tox, eff = cases.T
    neither, _, _, both = design.worth
    wish = design.desirability(n, both * eff + neither * (n - tox))
    fine = design.admissible(n[:, None], tox[:, None], eff[:, None])[:, 0]
    score = np.full(len(cases), np.nan)
    score[fine] = rankdata(wish[fine].round(9))
    return pd.DataFrame({"patients": n, "toxicities": tox, "responses": eff, "score": score})
