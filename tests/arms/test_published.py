"""Two randomised comparisons that were published: one in which the lower dose wins, one in which not."""

from __future__ import annotations

import pytest

import doseopt_bayes as dob

from .cases import beta_difference, posterior

# BOLT, sonidegib 200 and 800 mg: responses in laBCC, grade >= 3 adverse events and discontinuations
# of all patients (datasets/SOURCES.md). Each endpoint has its own denominator.
BOLT = {"resp": ((37, 59), (66, 128)), "ae": ((34, 96), (79, 150)), "stop": ((24, 60), (79, 150))}
# OPTIC, ponatinib 15 and 45 mg: BCR-ABL1 <= 1 % at 12 months, arterial occlusive events
OPTIC = {"resp": ((21, 41), (91, 93)), "ae": ((3, 5), (91, 94))}
CUI = dob.CUI({"p_resp": dob.Attribute(2, "benefit"), "p_ae": dob.Attribute(1, "harm")})
MARGINS = [
    dob.Margin("resp", 0.1, "difference", "higher"),
    dob.Margin("ae", 0.0, "difference", "lower"),
]


@pytest.mark.parametrize(
    ("counts", "doses", "wins"), [(BOLT, (200.0, 800.0), True), (OPTIC, (15.0, 45.0), False)],
    ids=["BOLT", "OPTIC"],
)  # fmt: skip
def test_the_lower_dose_wins_in_bolt_and_not_in_optic(counts, doses, wins):
    empty = [(0, 0, 0, 0)] * 2
    post = posterior(empty, doses=doses, extra=counts, prior=0.25)
    found = dob.compare_arms(post, margins=MARGINS, utility=CUI)
    at = found.table.isel(pair=0)
    assert float(found.decision.leading) == doses[0 if wins else 1]
    assert str(at["status"].item()) == ("met" if wins else "not met")
    (r1, r2), (n1, n2) = counts["resp"]
    exact = 1 - beta_difference(r1, n1, r2, n2, 0.1, prior=0.5)
    assert float(at["within"][0]) == pytest.approx(exact, abs=4 * float(at["within_mcse"][0]))
    assert (exact > 0.95) == wins
    # the denominators stay those of each endpoint
    assert [int(x) for x in found.table["n"].sel(endpoint="resp")] == [n1, n2]
    assert [int(x) for x in found.table["n"].sel(endpoint="ae")] == list(counts["ae"][1])
    band = dob.association_band(post, found, seed=1)
    assert {str(v) for v in band.table["meets"].to_numpy().ravel()} == {
        "met" if wins else "not met"
    }
    assert any("with any of them" in s for s in band.sentences)
