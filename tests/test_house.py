"""The house keeps its own rules."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import doseopt_bayes as dob

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "doseopt_bayes"
FLOORS = ["home", "errors", "names", "files", "locks", "datasets", "priors", "data", "plan", "models",
          "elicit", "inference", "prediction", "choice", "decision", "arms", "heterogeneity", "analysis", "arms_analysis",
          "exposure_analysis", "design", "comparators", "planning", "plots", "report", "spec",
          "reopen", "progress", "cli_table", "cli_arms", "cli_plan", "cli_simulate", "cli_exposure", "cli"]  # fmt: skip
FILES = sorted(SOURCE.rglob("*.py"))


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_loads_nothing_heavy():
    said = run("import sys, doseopt_bayes; print([m for m in ('pymc', 'arviz_stats', 'matplotlib', "
               "'pandas', 'xarray', 'numpy') if m in sys.modules])")  # fmt: skip
    assert said == "[]"


def test_specifications_are_read_without_the_sampler():
    said = run("import sys, doseopt_bayes as dob; dob.Spec, dob.EffTox, dob.TrialData; "
               "print('pymc' in sys.modules)")  # fmt: skip
    assert said == "False"


def test_help_costs_less_than_half_a_cpu_second():
    code = ("import resource, subprocess, sys; subprocess.run([sys.executable, '-m', 'doseopt_bayes.cli',"
            "'--help'], stdout=subprocess.DEVNULL, check=True); "
            "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime)")  # fmt: skip
    assert float(run(code)) < 0.5


@pytest.mark.parametrize("name", dob.__all__)
def test_every_public_name_loads_and_is_documented(name):
    assert getattr(dob, name).__doc__


def runtime_imports(path: Path) -> set[str]:
    """Floors that a file imports at run time, wherever in the file."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):  # what is imported for types only draws no arrow
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("doseopt_bayes."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "doseopt_bayes":
            found |= {a.name for a in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_lower_floors_never_import_upper_ones(path):
    here = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if here == "__init__":
        return
    above = FLOORS[FLOORS.index(here) + 1 :]
    assert not runtime_imports(path) & set(above)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_files_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def test_nothing_evaluates_or_unpickles_text():
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        for word in ("pickle", "eval(", "yaml", ".query("):
            assert word not in text, f"{word} in {path.name}"
