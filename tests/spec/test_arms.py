"""A comparison's file: what it builds, and every problem of it and of its data at once."""

from __future__ import annotations

from pathlib import Path

import pytest

import doseopt_bayes as dob
from doseopt_bayes.errors import DoseOptError, SpecError
from doseopt_bayes.spec.arms import check_arms, is_arms
from doseopt_bayes.spec.parse import parse_file

FOLDER = Path(__file__).parents[2] / "models"
OPTIC = FOLDER / "arms-optic-ponatinib.toml"
BOLT = FOLDER / "arms-bolt-sonidegib.toml"
TEXT = OPTIC.read_text(encoding="utf-8")
COUNTS = "dose,unit,n_eff,eff,n_tox,tox\n45,mg,93,41,94,5\n30,mg,93,27,94,5\n15,mg,91,21,94,3\n"


def written(folder, text, name="arms.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder, *changes, counts=None):
    """Return every problem after these changes of the shipped file, and of counts if any."""
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    data = None if counts is None else written(folder, counts, "counts.csv")
    spec, found, problems = check_arms(written(folder, text), data)
    assert problems
    assert spec is None or data is not None
    assert found is None
    return "\n".join(map(str, problems))


def test_the_file_builds_what_the_calls_would():
    spec = dob.ArmsSpec.load(OPTIC)
    margins = (
        dob.Margin("eff", 0.10, "difference", "higher"),
        dob.Margin("tox", 0.0, "difference", "lower"),
    )
    index = dob.CUI({"p_eff": dob.Attribute(2, "benefit"), "p_tox": dob.Attribute(3, "harm")})
    agency, physician, patient = spec.configurations
    assert (agency.margins, agency.certainty, agency.utility) == (margins, 0.8, index)
    assert str(agency.rules) == str(
        dob.Tolerable(0.15, certainty=0.8) & dob.Active(0.15, certainty=0.8)
    )
    assert physician.utility.weights == {"p_eff": 0.8, "p_tox": 0.2}
    assert patient.utility.weights == {"p_eff": 1 / 16, "p_tox": 15 / 16}
    assert patient.margins == margins
    assert spec.sources["physician"] == "illustration, not elicited"
    assert spec.pairs is None
    assert spec.model == dob.Saturated((15, 30, 45), unit="mg", patients=1, prior_on="margins")
    assert spec.alternatives["four prior patients in each arm"].patients == 4
    assert spec.questions == dob.ArmQuestions(20260108)


def test_subgroups_are_added_up_and_the_source_says_so():
    spec = dob.ArmsSpec.load(BOLT)
    data = spec.read()
    assert data.groups == {}
    assert "all subgroups added up" in data.source
    n, events = (data.counts[v].sel(dose=200) for v in ("n", "events"))
    assert (int(events.sel(endpoint="eff")), int(n.sel(endpoint="eff"))) == (38, 79)
    assert spec.pairs == ((200.0, 800.0),)


def test_a_configuration_of_its_own_takes_nothing_from_the_others(tmp_path):
    own = """
[[configuration]]
name = "strict"
version = "2"
certainty = 0.95
decision = { criterion = "lowest_within_delta", delta = 0.02 }
margin = [{ endpoint = "utility", at_most = 0.0, of = "difference", better = "higher" }]
utility = { kind = "cui", attributes.p_eff = { weight = 1, direction = "benefit" }, attributes.p_tox = { weight = 1, direction = "harm" } }
rule = [{ kind = "tolerable", limit = 0.2, certainty = 0.5 }]

[sensitivity]"""
    spec = dob.ArmsSpec.load(written(tmp_path, TEXT.replace("[sensitivity]", own, 1)))
    strict = spec.configurations[3]
    assert strict.margins == (dob.Margin("utility", 0.0, "difference", "higher"),)
    assert strict.certainty == 0.95
    assert strict.criterion == dob.LowestWithinDelta(0.02)
    assert strict.rules == dob.Tolerable(0.2, certainty=0.5)
    assert spec.configurations[0].certainty == 0.8


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('better = "higher"', "", "better is missing"),
        ('of = "difference"\nbetter = "lower"', 'better = "lower"', "of is missing"),
        ('better = "higher"', 'beter = "higher"', "did you mean 'better'?"),
        ("at_most = 0.10 ", "at_most = 10 ", "0.1?"),
        ('endpoint = "eff"', 'endpoint = "efff"', "did you mean 'eff'?"),
        ("weights = { p_eff = 4.0, p_tox = 1.0 }", "weights = { p_eff = 0.0, p_tox = 0.0 }",
         "weights 'physician' sum to 0"),
        ("weights = { p_eff = 4.0, p_tox = 1.0 }", "weights = { p_eff = 4.0, p_tox = -1.0 }",
         "turn the direction"),
        ("weights = { p_eff = 4.0, p_tox = 1.0 }", "weights = { p_eff = 4.0, p_toxx = 1.0 }",
         "did you mean 'p_tox'?"),
        ("weights = { p_eff = 4.0, p_tox = 1.0 }", "weights = { p_eff = 4.0 }", "has no weight for"),
        ('name = "physician"', 'name = "agency"', "two configurations have this name"),
        ('name = "physician"', "", "'name' is missing"),
        ('name = "patient"\nversion = "1"', 'name = "patient"', "'version' is missing"),
        ("certainty = 0.8\n# pairs", "certainty = 80\n# pairs", "0.8?"),
        ("certainty = 0.8\n# pairs", "# pairs", "compare.certainty"),
        ('# pairs = [["15 mg", "45 mg"]]', 'pairs = [["15 g", "45 g"]]', "units are never converted"),
        ('# pairs = [["15 mg", "45 mg"]]', 'pairs = [["45 mg", "15 mg"]]', "not the lower dose"),
        ('# pairs = [["15 mg", "45 mg"]]', 'pairs = [[15, 45], ["15 mg", 45]]', "stands twice"),
        ('# pairs = [["15 mg", "45 mg"]]', "pairs = [[15, 40]]", "there is no arm 40 mg"),
        ('# pairs = [["15 mg", "45 mg"]]', "pairs = [[15]]", "must be two arms"),
        ("doses = [15.0, 30.0, 45.0]", "doses = [15.0, 15.0, 45.0]", "each once"),
        ("strengths = [-1.0", "strengths = [-2.0", "outside -1..1"),
        ("association = true", "asociation = true", "did you mean 'association'?"),
        ("[compare]", "[comparison]", "did you mean 'compare'?"),
        ('criterion = "mean_utility"', 'criterion = "mean_utlity"', "did you mean 'mean_utility'?"),
        ("patients = 4.0", "patients = 0.0", "must be > 0"),
        ("seed = 20211118", "", "'seed' is missing"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place_and_a_repair(tmp_path, old, new, said):
    assert said in faults(tmp_path, (old, new))


def test_weights_of_the_utility_that_sum_to_zero_are_one_problem(tmp_path):
    said = faults(tmp_path, ("weight = 2.0", "weight = 0.0"), ("weight = 3.0", "weight = 0.0"))
    assert "weight > 0" in said
    assert said.count("DOB-") == 1


def test_all_faults_of_file_and_counts_come_at_once(tmp_path):
    said = faults(
        tmp_path,
        ('better = "higher"', ""),
        ("weights = { p_eff = 4.0, p_tox = 1.0 }", "weights = { p_eff = 0.0, p_tox = 0.0 }"),
        ("strengths = [-1.0", "strengths = [-2.0"),
        counts=COUNTS.replace("45,mg,93,41", "45,mg,93,94"),
    )
    for part in ("better is missing", "sum to 0", "outside -1..1", "94"):
        assert part in said


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (COUNTS.replace("94,3", "94,95"), "tox = 95"),  # B13: events above n
        (COUNTS.replace("30,mg", "15,mg"), "dose 15 stands in rows 3 and 4"),  # two arms, one label
        (COUNTS.replace("15,mg", "15,g"), "g"),  # C06: units that clash
        (COUNTS.replace("91,21", "91,2.5"), "2.5"),
        (COUNTS.replace("91,21", "91,-1"), "-1"),
    ],
)  # fmt: skip
def test_faults_of_the_counts_are_named(tmp_path, counts, said):
    assert counts != COUNTS
    spec, data, problems = check_arms(OPTIC, written(tmp_path, counts, "counts.csv"))
    assert spec is not None
    assert data is None
    assert problems
    assert said in "\n".join(map(str, problems))


def test_an_arm_that_nobody_got_is_refused_before_any_sampling(tmp_path):
    counts = written(tmp_path, COUNTS.rpartition("15,mg")[0], "counts.csv")
    spec = dob.ArmsSpec.load(
        written(tmp_path, TEXT.replace('# pairs = [["15 mg", "45 mg"]]', "pairs = [[15, 45]]"))
    )
    with pytest.raises(DoseOptError, match="nobody was treated with 15 mg"):
        spec.read(counts)
    alone = written(tmp_path, COUNTS.partition("30,mg")[0], "one.csv")
    with pytest.raises(DoseOptError, match="a comparison needs two"):
        dob.ArmsSpec.load(OPTIC).read(alone)


def test_files_are_told_apart_by_their_tables(tmp_path):
    assert is_arms({"margin": [], "data": {}})
    assert not is_arms({"plan": {}, "margin": []})
    assert not is_arms({"model": {}, "rule": []})
    _, problems = parse_file(OPTIC)
    assert "unknown key 'margin'" in "\n".join(map(str, problems))
    with pytest.raises(SpecError, match="does not exist"):
        dob.ArmsSpec.load(tmp_path / "none.toml")


def test_the_hash_is_that_of_the_content(tmp_path):
    one = dob.ArmsSpec.load(written(tmp_path, TEXT + "# a comment\n")).plan.hash
    assert one == dob.ArmsSpec.load(OPTIC).plan.hash
    changed = TEXT.replace("at_most = 0.10 ", "at_most = 0.11 ")
    assert one != dob.ArmsSpec.load(written(tmp_path, changed)).plan.hash
