"""The pre-specified comparison of randomised arms: one TOML file, with every problem of the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doseopt_bayes import names
from doseopt_bayes.arms.pairs import arm
from doseopt_bayes.arms_analysis import ArmQuestions, ArmsAnalysis, analyse_arms
from doseopt_bayes.errors import DataError, DoseOptError, Problem, SpecError
from doseopt_bayes.spec.arms_parse import is_arms, parse_arms
from doseopt_bayes.spec.spec import check_priors, read_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from doseopt_bayes.arms.configuration import Configuration
    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.models import DoseModel
    from doseopt_bayes.plan import Plan
    from doseopt_bayes.spec.parse import Sampler

__all__ = ["ArmsSpec", "check_arms", "is_arms"]


@dataclass(frozen=True)
class ArmsSpec:
    """A pre-specified comparison of arms; build it with `load`.

    Parameters
    ----------
    plan
        Name, version, words, data roles and hash.
    model, sampler
        What is fitted; ``saturated`` keeps the arms apart.
    configurations
        Each way to decide, by name and version; the first one gives the answer.
    pairs
        Pairs (low, high) of doses; ``None``: every pair of treated arms.
    questions
        What is asked beside the answer.
    alternatives
        Name to another model, under which every configuration decides again.
    sources
        Configuration to how its weights were elicited.

    Examples
    --------
    ``dob.save_arms(dob.ArmsSpec.load("models/arms-bolt-sonidegib.toml").run(), "results/bolt")``
    """

    plan: Plan
    model: DoseModel
    sampler: Sampler
    configurations: tuple[Configuration, ...]
    questions: ArmQuestions
    pairs: tuple[tuple[float, float], ...] | None = None
    alternatives: Mapping[str, DoseModel] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> ArmsSpec:
        """Read a specification file.

        Parameters
        ----------
        path
            Sections ``[data]``, ``[model]``, ``[alternative]``, ``[[rule]]``, ``[decision]``,
            ``[utility]`` and ``[sampler]`` as in an analysis; ``[compare]`` (certainty, pairs),
            ``[[margin]]`` (endpoint, at_most, of, better), ``[[configuration]]`` (name, version, and
            what differs: weights with their source, utility, margin, rule, decision, certainty) and
            ``[sensitivity]`` (seed, association, strengths).

        Raises
        ------
        SpecError
            With every problem of the file.
        """
        parts, problems = parse_arms(Path(path))
        if problems:
            raise SpecError(problems, str(path))
        return cls(**parts)

    def read(self, data: str | Path | pd.DataFrame | None = None) -> TrialData:
        """Read the data: those given (a file or a frame), else those that the file names.

        Returns
        -------
        TrialData
            Subgroups are added up, and its source says so: arms are compared in one group.

        Raises
        ------
        DataError
            With every problem of the data.
        DoseOptError
            When there are no data, no [data] section says how to read them, an arm that is compared
            has no patient, or the prior of a model cannot take outcomes that were counted apart.
        """
        found = read_data(self.plan.columns, self.plan.source, self.plan.file, data)
        if found.groups:
            found = found.ungrouped()  # its source says so
        self._check_arms(found)
        check_priors(self.model, self.alternatives, found)
        return found

    def _check_arms(self, data: TrialData) -> None:
        n = data.counts[names.N_TREATED]
        doses = [float(d) for d in n[names.DOSE].to_numpy()]
        treated = [d for d in doses if int(n.sel({names.DOSE: d})) > 0]
        wanted = self.pairs if self.pairs is not None else (tuple(treated),)
        if self.pairs is None and len(treated) < 2:
            raise DoseOptError(
                f"{len(treated)} arm has patients; a comparison needs two",
                hint="doseopt run analyses one arm",
            )
        for pair in wanted:
            for dose in pair:
                if arm(dose, doses, data.unit) not in treated:
                    raise DoseOptError(
                        f"compare.pairs: nobody was treated with {dose:g} {data.unit}".rstrip(),
                        hint="a comparison of arms needs patients in both",
                    )

    def run(
        self,
        data: str | Path | pd.DataFrame | TrialData | None = None,
        *,
        override_diagnostics: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> ArmsAnalysis:
        """Run the comparison: read, fit, compare, and ask what would change it.

        Parameters
        ----------
        data
            A file, a frame, trial data as `read` returns them, or nothing for the data that the file
            names.
        override_diagnostics
            Rank although the fit failed its diagnostics; printed on every output.
        progress
            Called with a few words before each step that takes time.
        """
        read: Any = data if hasattr(data, "counts") else self.read(data)
        return analyse_arms(
            self.model,
            read,
            self.configurations,
            pairs=self.pairs,
            questions=self.questions,
            alternatives=self.alternatives,
            sources=self.sources,
            **self.sampler.settings,
            override_diagnostics=override_diagnostics,
            plan=self.plan,
            progress=progress,
        )


def check_arms(
    path: str | Path, data: str | Path | None = None
) -> tuple[ArmsSpec | None, TrialData | None, list[Problem]]:
    """Say everything that is wrong with a specification and its data, without sampling.

    Parameters
    ----------
    path
        Specification file.
    data
        Data file; else the one that the specification names.

    Returns
    -------
    spec, data, problems
        ``None`` for what could not be built.
    """
    path = Path(path)
    parts, problems = parse_arms(path)
    spec = None if problems else ArmsSpec(**parts)
    plan: Plan | None = parts.get("plan")
    if plan is None or plan.columns is None or not (data or plan.source):
        return spec, None, problems
    try:
        if spec is not None:
            return spec, spec.read(data), problems
        read_data(plan.columns, plan.source, path, data)  # its own problems come at once
    except DataError as e:
        problems += e.items
    except DoseOptError as e:
        problems.append(Problem("DOB-A15", e.message, e.hint, file=str(data or plan.source)))
    return spec, None, problems
