"""One analysis from start to end: the path that notebook and command line share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes.decision.decide import Decision, decide
from doseopt_bayes.inference.nuts import fit

if TYPE_CHECKING:
    from pathlib import Path

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.spec.spec import Spec

__all__ = ["Analysis", "analyse"]


@dataclass(frozen=True, eq=False)
class Analysis:
    """A specification, its data, the posterior and the decision: all that a report prints.

    Parameters
    ----------
    spec, data, posterior, decision
        The four of them; no number is kept anywhere else.
    """

    spec: Spec
    data: TrialData
    posterior: Posterior
    decision: Decision

    def save(self, folder: str | Path, *, draft: bool = True) -> dict[str, Path]:
        """Write report, figures, tables, posterior and manifest into `folder`.

        Parameters
        ----------
        folder
            Made when it does not exist; files of an earlier run are replaced, one by one and whole.
        draft
            Whether figures and report carry the footer stamp and the word DRAFT.

        Returns
        -------
        dict
            Name of each output to its path.
        """
        from doseopt_bayes.report.bundle import save  # noqa: PLC0415  (imports matplotlib)

        return save(self, folder, draft=draft)


def analyse(spec: Spec, data: TrialData, *, override_diagnostics: bool = False) -> Analysis:
    """Fit the specified model to `data` and decide.

    Draws are added, up to 64,000, while Monte Carlo error alone could change the answer.

    Parameters
    ----------
    spec
        The pre-specified analysis.
    data
        Trial data with the model's doses.
    override_diagnostics
        As in :func:`~doseopt_bayes.decision.decide.decide`.

    Raises
    ------
    DiagnosticsError
        When the fit failed its diagnostics and that is not overridden.
    """

    def judge(posterior: Posterior) -> Decision:
        return decide(
            posterior,
            spec.utility,
            spec.rules,
            criterion=spec.criterion,
            override_diagnostics=override_diagnostics,
        )

    posterior = fit(
        spec.model,
        data,
        seed=spec.sampler.seed,
        sampler=spec.sampler.name,  # type: ignore[arg-type]  # checked when the spec was read
        draws=spec.sampler.draws,
        tune=spec.sampler.tune,
        chains=spec.sampler.chains,
        enough=lambda p: str(judge(p).status.item()) != "not resolved",
    )
    posterior.tree.attrs.update(
        spec_id=spec.id, spec_version=spec.version, spec_sha256=spec.hash, spec_file=spec.file.name
    )
    return Analysis(spec, data, posterior, judge(posterior))
