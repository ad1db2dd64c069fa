"""The tree of pathways and the letters of a table show what the results hold."""

from __future__ import annotations

import numpy as np
import pytest

import doseopt_bayes as dob
from tests.comparators.test_properties import DESIGNS


def test_every_path_has_its_box_with_what_follows():
    found = dob.pathways(DESIGNS["BOIN"], "1NNN", cohorts=2)
    picture = dob.figure_pathways(found)
    said = {t.get_gid(): t.get_text() for t in picture.figure.axes[0].texts if t.get_gid()}
    for s in found.steps:
        expected = f"{s.following:g}" if s.then == "treat" else None
        shown = said[f"then:{s.path}"]
        assert shown == expected if expected else shown.startswith("stop")
        assert said[f"seen:{s.path}"] == f"{s.dose:g}: {s.outcome.count('T')}/3 toxic"
    leaves = [s for s in found.steps if s.number == 2]
    places = picture.data["place"].sel(path=[s.path for s in leaves]).to_numpy()
    assert sorted(places.tolist()) == list(np.arange(len(leaves)))


def test_a_tree_too_tall_for_a_page_is_refused():
    with pytest.raises(dob.DoseOptError, match="no tree that can be read"):
        dob.figure_pathways(dob.pathways(DESIGNS["BOIN12"], "1NNN", cohorts=2))


def test_a_trial_that_has_ended_has_no_pathways():
    found = dob.pathways(DESIGNS["BOIN"], "1TTT")
    assert found.steps == ()
    with pytest.raises(dob.DoseOptError, match="ended"):
        dob.figure_pathways(found)


def test_letters_stand_at_their_counts():
    table = dob.BOIN(0.3).table(6)
    picture = dob.figure_decisions(table)
    ax = picture.figure.axes[0]
    shown = {(int(t.xy[0]), int(t.xy[1])): t.get_text() for t in ax.texts}
    for n in range(1, 7):
        for y in range(n + 1):
            assert shown[n - 1, y] == table.letter(n, y)
    assert len(shown) == sum(n + 1 for n in range(1, 7))
