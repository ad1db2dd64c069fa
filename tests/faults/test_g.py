"""G: sampling and posterior faults that no other test feeds in; the table is in ``__init__``."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pymc as pm
import pytest

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import Tolerable
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.errors import DiagnosticsError, DoseOptError
from doseopt_bayes.inference import compiled, nuts
from doseopt_bayes.inference.checks import Check, Diagnostics, diagnose
from doseopt_bayes.inference.fingerprint import fingerprint, refuse_another
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.power import log_densities
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.priors import LogNormal, Normal, StudentT
from doseopt_bayes.report.robustness import robustness
from tests.inference.test_checks import SICK, draws_of

DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
MODEL = EffTox(DOSES, EFFTOX_THALL2014, unit="mg")
DATA = TrialData.parse("1NNE 2EEB", doses=DOSES, unit="mg")
LP = LpContour(0.5, 0.65, (0.7, 0.25))


def always(monkeypatch, name):
    """Let one check of every fit fail; return the lengths that were asked for."""
    lengths, real = [], nuts._sampler

    def listening(*given, **options):
        run = real(*given, **options)
        return lambda draws, target: lengths.append((draws, target)) or run(draws, target)

    def failing(*given):
        found = diagnose(*given)
        checks = (replace(c, passed=c.name != name) for c in found.checks)
        return Diagnostics(tuple(checks), found.table)

    monkeypatch.setattr(nuts, "_sampler", listening)
    monkeypatch.setattr(nuts, "diagnose", failing)
    return lengths


def test_g01_divergences_after_two_refits_rank_no_dose(monkeypatch):
    asked = always(monkeypatch, "divergences")
    post = fit(MODEL, DATA, seed=1, draws=1000)
    assert [target for _, target in asked] == [0.9, 0.95, 0.99]
    with pytest.raises(DiagnosticsError, match=r"no dose is ranked: FAIL +divergences"):
        decide(post, LP, Tolerable(0.3, 0.1))


@pytest.mark.parametrize("name", ["bulk ESS", "tail ESS", "R-hat"])
def test_g03_a_short_fit_is_extended_up_to_four_times_and_then_refused(monkeypatch, name):
    asked = always(monkeypatch, name)
    post = fit(MODEL, DATA, seed=1, draws=1000)
    assert [length for length, _ in asked] == [1000, 2000, 4000]
    assert [c.name for c in post.check().failures] == [name]
    assert sum(name in note and "draws x 2" in note for note in post.notes) == 2
    with pytest.raises(DiagnosticsError, match=name):
        decide(post, LP, Tolerable(0.3, 0.1))


@pytest.mark.parametrize("name", ["stuck chain", "chain elsewhere"])
def test_g06_the_chain_that_stands_apart_is_named(name):
    values, stats, _ = SICK[name]
    found = diagnose(*draws_of(values, **stats), ["b"])
    assert any("without chain 2 at most 1.0" in c.measured for c in found.failures)


@pytest.mark.parametrize("name", ["all jump midway", "bimodal, one mode a chain", "random walk"])
def test_g06_no_chain_is_blamed_when_all_are_at_fault(name):
    values, stats, _ = SICK[name]
    assert "without chain" not in str(diagnose(*draws_of(values, **stats), ["b"]))


def test_g08_saturated_trees_rank_no_dose(synthetic):
    check = Check("saturated tree depth", passed=False, measured="90", limit="0")
    p = np.random.default_rng(0).beta(2, 5, (2, 4, 100, 2))
    post = replace(
        synthetic(*p), diagnostics=Diagnostics((check,), synthetic(*p).diagnostics.table)
    )
    with pytest.raises(DiagnosticsError, match="saturated tree depth: 90"):
        decide(post, LP, Tolerable(0.3, 0.1))


def test_g10_draws_end_at_the_most_and_the_answer_stays_open(monkeypatch):
    monkeypatch.setattr(nuts, "MAX_DRAWS", 10_000)
    post = fit(MODEL, DATA, seed=5, draws=1000, enough=lambda _: False)
    assert post.n_draws == 10_000
    assert any("not enough to decide; 2500 draws per chain" in note for note in post.notes)


def changed(**priors):
    return EffTox(DOSES, {**EFFTOX_THALL2014, **priors}, unit="mg")


def print_of(model, data=DATA):
    return fingerprint(model.build(data))


OTHERS = {
    "a prior's last digit": changed(tox_slope=Normal(1.5482 + 1e-12, 3.5018)),
    "a prior's scale": changed(association=Normal(0.0, 1.0001)),
    "another family": changed(tox_slope=StudentT(5, 1.5482, 3.5018)),
    "a truncation": changed(tox_slope=Normal(1.5482, 3.5018, lower=0.0)),
    "a positive parameter": changed(tox_slope=LogNormal(1.0, 1.0)),
    "another dose": EffTox((*DOSES[:-1], 11.0), EFFTOX_THALL2014, unit="mg"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_g13_the_fingerprint_changes_with_each_number(name):
    model = OTHERS[name]
    data = TrialData.parse("1NNE 2EEB", doses=model.doses, unit="mg")
    assert print_of(model, data) != print_of(MODEL)
    more = TrialData.parse("1NNE 2EEB 3TTB", doses=model.doses, unit="mg")
    assert print_of(model, data) == print_of(model, more)  # counts are no part of the model


EDITS = {
    "a term is added": lambda m: pm.Potential("extra", -(m["association"] ** 2)),
    "an outcome is seen once more": lambda m: pm.Binomial("more", n=3, p=m["p_tox"][0], observed=1),
    "a node has another name": lambda m: pm.Deterministic("p_mine", m["p_tox"]),
}


@pytest.mark.parametrize("name", EDITS)
def test_g13_the_fingerprint_changes_with_each_term(name):
    with MODEL.build(DATA) as edited:
        EDITS[name](edited)
    assert fingerprint(edited) != print_of(MODEL)


def test_g13_the_fingerprint_is_the_same_in_every_process():
    code = (
        "import doseopt_bayes as dob; from doseopt_bayes.inference.fingerprint import fingerprint; "
        f"m = dob.EffTox({DOSES}, dob.presets.EFFTOX_THALL2014, unit='mg'); "
        "print(fingerprint(m.build(dob.TrialData.parse('1NNE 2EEB', doses=m.doses, unit='mg'))))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == print_of(MODEL)


@dataclass(frozen=True)
class Edited(EffTox):
    """The user's own model under our labels: only its likelihood differs."""

    def build(self, data):
        model = super().build(data)
        if EDITED:
            with model:
                n = pm.Data("more_n", np.full(len(self.doses), 10), dims="dose")
                pm.Binomial("more", n=n, p=model["p_tox"], observed=n, dims="dose")
        return model


EDITED: list[bool] = []


@pytest.mark.slow
def test_g13_an_edited_model_under_the_same_labels_is_seen(monkeypatch):
    """Neither the compiled program nor the posterior of the model before the edit is used for it."""
    monkeypatch.setattr(compiled, "_CACHE", type(compiled._CACHE)())
    model = Edited(DOSES, EFFTOX_THALL2014, unit="mg")
    before = fit(model, DATA, seed=1, draws=1000)
    monkeypatch.setitem(globals(), "EDITED", [True])
    assert repr(model) == repr(Edited(DOSES, EFFTOX_THALL2014, unit="mg"))
    with pytest.raises(DoseOptError, match=r"not the model of the posterior.*\n.*fit it again"):
        log_densities(before, model, DATA)
    after = fit(model, DATA, seed=1, draws=1000)
    assert (
        float(after["p_tox"].sel(dose=1.0).mean())
        > float(before["p_tox"].sel(dose=1.0).mean()) + 0.3
    )
    assert after.tree.attrs["model_fingerprint"] != before.tree.attrs["model_fingerprint"]


def test_g13_after_an_upgrade_the_printed_model_decides():
    """Another PyTensor may write the same model as another graph."""
    built, said = MODEL.build(DATA), str(MODEL)
    attrs = {"model_fingerprint": "0" * 64, "model": said, "version_pymc": "6.3.0"}
    refuse_another(attrs, said, built)
    refuse_another({}, said, built)
    with pytest.raises(DoseOptError, match="not the model of the posterior"):
        refuse_another(attrs, str(OTHERS["a prior's scale"]), built)


def test_g13_other_data_are_refused(analysis):
    with pytest.raises(DoseOptError, match="not the data of the posterior"):
        log_densities(
            analysis.posterior, analysis.model, TrialData.parse("1NNE", doses=DOSES, unit="mg")
        )


def test_g13_a_report_never_prints_one_model_and_the_draws_of_another(analysis):
    priors = {**analysis.model.priors, "association": Normal(0.0, 0.1)}
    other = EffTox(DOSES, priors, unit="mg")
    with pytest.raises(DoseOptError, match="not the model of the posterior"):
        robustness(replace(analysis, model=other))
