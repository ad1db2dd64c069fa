"""Published basket trials and the numbers that were published of them.

Chugh et al. (2009), as analysed in the appendix of Neuenschwander et al. (2016) and repeated in
vignettes/reproduceExNex of the R package bhmbasket (CRAN mirror, commit 100b1f2), JAGS. Thall et al.
(2003), interim data, in the article A500 of the R package trialr (commit cbb4362), Stan. Ankylosing
spondylitis: the R package RBesT (CRAN mirror, commit ae5db62), vignette introduction. ``EXACT`` numbers
are by quadrature over centre and standard deviation between groups, made outside this package.
"""

from __future__ import annotations

import pandas as pd

from doseopt_bayes.data import CountColumns, TrialData
from doseopt_bayes.priors import HalfNormal, Normal, Pooled

CHUGH = ((15, 13, 12, 28, 29, 29, 26, 5, 2, 20), (2, 0, 1, 6, 7, 3, 5, 1, 0, 3))
CHUGH_JAGS = (
    (0.15077467, 0.05287414, 0.12699904, 0.1884935, 0.20512931, 0.13140558, 0.17669509, 0.17857554,
     0.13019866, 0.15732452),
    (0.06293024, 0.05895604, 0.06781268, 0.06009882, 0.06550208, 0.05094556, 0.05732098, 0.10398925,
     0.11375943, 0.05807734),
)  # fmt: skip
CHUGH_EXACT = {
    "mean": (0.1506536517, 0.05316320687, 0.1275775926, 0.1882182316, 0.2046381657, 0.1314512047,
             0.1765721083, 0.1783594579, 0.1310819381, 0.1571920453),
    "sd": (0.06283467145, 0.05912567858, 0.06745673255, 0.05951738931, 0.06496001313, 0.05113168738,
           0.05711194379, 0.1025960085, 0.1132548765, 0.05777985133),
    "exchangeable": (0.7396603522, 0.2874445816, 0.6547265741, 0.7581443391, 0.7194503778, 0.7137611621,
                     0.7747661574, 0.6888491036, 0.5387003054, 0.7654782458),
    "centre": -1.715449645, "tau": 0.3796660274,
}  # fmt: skip
SARCOMA_EXNEX = Pooled(
    Normal(-1.735, 0.146**-0.5), HalfNormal(1), exchangeable=0.5, apart=Normal(-1.734, 0.128**-0.5)
)
THALL = ((0, 2, 1, 7, 5, 0, 2, 3, 1, 0), (0, 0, 1, 3, 5, 0, 1, 2, 0, 0))
THALL_STAN = {
    "mean": (0.502, 0.154, 0.774, 0.433, 0.923, 0.491, 0.494, 0.637, 0.23, 0.495),
    "centre": -0.04, "tau": 3.31,
}  # fmt: skip
THALL_EXACT = {
    "mean": (0.4964398671, 0.1526136638, 0.7680717848, 0.4340592737, 0.9209032861, 0.4964398671,
             0.5001023067, 0.6375038454, 0.2315591243, 0.4964398671),
    "above": (0.6002835819, 0.1809918821, 0.9184198547, 0.7612453417, 0.9996049423, 0.6002835819,
              0.7255017782, 0.9056497075, 0.3043425106, 0.6002835819),
}  # fmt: skip
SPONDYLITIS = ((107, 44, 51, 39, 139, 20, 78, 35), (23, 12, 19, 9, 39, 6, 9, 10))
NEW_STUDY = {"mean": 0.2582679692, "sd": 0.08737550841, "tau": 0.3790427103, "tau_sd": 0.2110058543}
NEW_STUDY_PUBLISHED = {"mean": 0.258, "sd": 0.0842, "tau": 0.377, "tau_sd": 0.217}


def counted(n: tuple[int, ...], events: tuple[int, ...], empty: int = 0) -> TrialData:
    """Return counts of groups g0, g1 ... at dose 1, with `empty` further groups without patients."""
    every = tuple(f"g{i}" for i in range(len(n) + empty))
    table = pd.DataFrame({"g": every[: len(n)], "dose": 1.0, "n": n, "r": events})
    roles = CountColumns(
        "dose", eff="r", n="n", groups={"subgroup": "g"}, group_levels={"subgroup": every}
    )
    return TrialData.from_counts(table, roles)
