"""One level of a posterior: its dims, its diagnostics, its errors and its refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.decision.criteria import MaxProbOBD, MeanUtility, UtilityOfMeans
from doseopt_bayes.decision.judge import judge
from doseopt_bayes.decision.population import population
from doseopt_bayes.decision.rules import AnyDose, Tolerable
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.checks import diagnose
from doseopt_bayes.inference.levels import group_cautions, group_stamps, groupings
from doseopt_bayes.inference.weighted import Weighted
from tests.decision.subgroup_cases import EVENTS, VERDICT, N, conjugate, particles


def test_one_level_has_no_such_dim_in_any_group_and_keeps_the_rest():
    post = replace(conjugate(), notes=("a note",))
    one = post.at(subgroup="mBCC")
    for group in one.tree.children.values():
        assert "subgroup" not in group.to_dataset().coords
        assert "subgroup" not in group.to_dataset().dims
    np.testing.assert_array_equal(one["p_eff"], post["p_eff"].sel(subgroup="mBCC"))
    np.testing.assert_array_equal(one["eff_intercept_tau"], post["eff_intercept_tau"])
    np.testing.assert_array_equal(one.seen["n_treated"], N[1])
    assert one.notes == ("a note",)
    assert one.draws["dose"].attrs["units"] == "mg"
    assert (post.groupings, one.groupings) == (("subgroup",), ())
    assert post.tree["posterior"].sizes["subgroup"] == 2  # the original is what it was


def test_several_groupings_are_taken_one_by_one_or_together():
    post = conjugate()
    tree = xr.DataTree.from_dict(
        {
            name: xr.concat([child.to_dataset()] * 2, "region").assign_coords(region=["EU", "US"])
            for name, child in post.tree.children.items()
        }
    )
    tree.attrs.update(groupings="subgroup,region")
    both = replace(post, tree=tree)
    assert both.groupings == ("subgroup", "region")
    assert both.at(region="EU").groupings == ("subgroup",)
    one, two = both.at(region="EU").at(subgroup="mBCC"), both.at(region="EU", subgroup="mBCC")
    np.testing.assert_array_equal(one["p_tox"], two["p_tox"])
    assert one.tree.attrs["part"] == "region EU, mBCC"


def test_without_the_attribute_dims_with_texts_are_the_groupings():
    tree = conjugate().tree
    del tree.attrs["groupings"]
    assert groupings(tree) == ("subgroup",)
    numbered = tree["posterior"].to_dataset().assign_coords(subgroup=[0, 1])
    assert groupings(xr.DataTree.from_dict({"posterior": numbered})) == ()


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ({"subgroup": "MBCC"}, "did you mean 'mBCC'"),
        ({"subgroup": "CRC"}, "allowed: laBCC, mBCC"),
        ({"subgruop": "mBCC"}, "did you mean 'subgroup'"),
        ({}, 'at\\(subgroup="mBCC"\\)'),
    ],
)
def test_what_is_no_level_is_refused_with_the_nearest_one(levels, said):
    with pytest.raises(DoseOptError, match=said):
        conjugate().at(**levels)


def test_the_table_of_the_gate_speaks_of_this_level_by_its_new_names():
    post = conjugate()
    stats = xr.Dataset(
        {
            "energy": (("chain", "draw"), np.random.default_rng(1).normal(size=(4, 1000))),
            "diverging": (("chain", "draw"), np.zeros((4, 1000), bool)),
        }
    )
    verdict = diagnose(post.draws, stats, ["eff_intercept", "eff_intercept_tau", "p_tox"])
    post = replace(post, diagnostics=verdict)
    one = post.at(subgroup="mBCC").diagnostics
    assert one.checks == verdict.checks
    assert one.table["quantity"].to_numpy().tolist() == [
        "p_tox[200]", "p_tox[800]", "eff_intercept", "eff_intercept_tau",
    ]  # fmt: skip
    for new, old in (("eff_intercept", "eff_intercept[mBCC]"), ("p_tox[800]", "p_tox[mBCC, 800]")):
        np.testing.assert_array_equal(one.table.sel(quantity=new), verdict.table.sel(quantity=old))


def test_outcomes_known_for_all_levels_together_are_no_levels_own():
    some = {"n_together": np.full((2, 2), 30), "events_together": np.full((2, 2), 9)}
    post = conjugate(together=some)
    assert "n_together" not in post.at(subgroup="mBCC").seen


def test_weighted_particles_of_one_level_have_the_numbers_that_all_levels_show():
    post = particles(conjugate())
    one = post.at(subgroup="mBCC")
    assert isinstance(one, Weighted)
    np.testing.assert_allclose(
        one.expect(one["p_eff"]), post.expect(post["p_eff"]).sel(subgroup="mBCC")
    )
    np.testing.assert_allclose(
        one.mcse(one["p_eff"]), post.mcse(post["p_eff"]).sel(subgroup="mBCC")
    )


def test_gaps_between_doses_of_weighted_subgroups_have_the_errors_of_each_alone():
    post = particles(conjugate())
    at = xr.DataArray([True, False], dims="dose", coords={"dose": [200.0, 800.0]})
    together = post.mcse_of_gaps(post["p_eff"], at)
    for level in ("laBCC", "mBCC"):
        one = post.at(subgroup=level)
        np.testing.assert_allclose(
            together.sel(subgroup=level), one.mcse_of_gaps(one["p_eff"], at), rtol=1e-9, atol=1e-12
        )


def test_a_tiny_level_that_nothing_is_pooled_over_is_stamped_and_so_is_each_level():
    n = np.array([[66, 128], [4, 5]])
    events = {k: np.minimum(v, n) for k, v in EVENTS.items()}
    (stamp,) = group_stamps(conjugate(n, events, pooled_over="").tree)
    assert "mBCC (n = 9)" in stamp
    assert "laBCC" not in stamp
    assert group_stamps(conjugate(n, events, pooled_over="").at(subgroup="laBCC").tree) == (stamp,)
    assert not group_stamps(conjugate(n, events, pooled_over="study, subgroup").tree)
    assert not group_stamps(conjugate(n + 1, events, pooled_over="").tree)  # 11 patients


def test_levels_read_off_the_data_are_said():
    (said,) = group_cautions(conjugate(groups_declared="no").tree)
    assert "levels of subgroup were not pre-specified" in said
    assert not group_cautions(conjugate(groups_declared="yes").tree)
    (again,) = group_cautions(conjugate(groups_declared="no").at(subgroup="mBCC").tree)
    assert again == said


def test_events_that_no_draw_has_are_as_rare_as_in_the_whole_fit():
    """Few effective draws of one subgroup's parameter are not lost on looking at another one."""
    post = conjugate()
    slow = np.repeat(np.random.default_rng(1).normal(size=(4, 20)), 50, axis=1)
    post.tree["posterior"]["eff_intercept"][..., 0] = slow
    never = post["p_tox"] < 0
    assert post.min_ess < 400
    for part in (post.at(subgroup="mBCC"), population(post)):
        assert part.min_ess == post.min_ess
    one = post.at(subgroup="mBCC")
    np.testing.assert_array_equal(one.mcse(one["p_tox"] < 0), post.mcse(never).sel(subgroup="mBCC"))


def test_without_parameters_the_worst_probability_limits_what_draws_can_know():
    post = replace(conjugate(), parameters=())
    assert 100 < post.min_ess <= 1.5 * post.n_draws


def test_many_trials_with_subgroups_are_judged_as_each_alone():
    """Dims trial and subgroup at once, as a simulated basket design has them."""
    trials = [particles(conjugate(seed=k), seed=k) for k in (1, 2)]
    groups = {
        name: xr.concat([t.tree[name].to_dataset() for t in trials], "trial")
        for name in ("posterior", "seen")
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(trials[0].tree.attrs)
    weight = xr.concat([t.weight for t in trials], "trial")
    many = Weighted(tree, trials[0].parameters, VERDICT, (), ("particle",), weight=weight)
    rules, utility = Tolerable(0.55, 0.5) & AnyDose(), LpContour(0.5, 0.65, (0.7, 0.25))
    for how in (MeanUtility(), UtilityOfMeans(), MaxProbOBD()):
        found = judge(many, utility, rules, how)
        for t, one in enumerate(trials):
            alone = judge(one, utility, rules, how)
            np.testing.assert_allclose(
                found.choice.mcse.isel(trial=t).transpose(*alone.choice.mcse.dims),
                alone.choice.mcse,
            )
            here = found.leading.isel(trial=t)
            np.testing.assert_array_equal(here, alone.leading)
            np.testing.assert_array_equal(found.status.isel(trial=t), alone.status)
        level = judge(many.at(subgroup="mBCC"), utility, rules, how)
        np.testing.assert_array_equal(level.leading, found.leading.sel(subgroup="mBCC"))
    whole = population(many)
    assert whole["p_eff"].dims[0] == "trial"
    np.testing.assert_allclose(
        whole.expect(whole["p_eff"]).isel(trial=1),
        population(trials[1]).expect(population(trials[1])["p_eff"]),
    )
