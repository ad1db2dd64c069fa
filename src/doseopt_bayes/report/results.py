"""An analysis as one DataTree in one file, and back again without a refit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.analysis import Analysis
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.errors import ResultsError
from doseopt_bayes.heterogeneity import Heterogeneity
from doseopt_bayes.inference.checks import diagnose
from doseopt_bayes.inference.nuts import known_parameters, quantities
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.models.ends import ends_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.models.base import DoseModel
    from doseopt_bayes.plan import Plan

__all__ = ["analysis_of", "netcdf", "results_tree"]

ALTERNATIVE: Final = "alternative_"  # prefix of the groups of alternative models
HETEROGENEITY: Final = "heterogeneity"  # its refits are kept as what they say: draws would be many
TRUTHS: Final = ("diverging", "maxdepth_reached")  # sample statistics that are yes or no


def results_tree(analysis: Analysis) -> xr.DataTree:
    """Join posterior, utility and decision in one DataTree.

    Returns
    -------
    xarray.DataTree
        The posterior's groups, ``utility`` (``u`` over chain, draw, dose) and ``decision`` (its
        table); the same of each alternative model below ``alternative_1`` and so on, whose label is
        the attribute ``label``; of subgroups also ``heterogeneity``. The attributes carry the answer in
        words, versions, seed, hashes, and what is known of the data: no patient's row.
    """
    tree = _tree(analysis)
    if (found := analysis.heterogeneity) is not None:
        tree[HETEROGENEITY] = xr.DataTree(found.table)
    return tree


def _tree(analysis: Analysis) -> xr.DataTree:
    post, decision, data = analysis.posterior, analysis.decision, analysis.data
    tree = post.tree.copy()
    reads = {name: post[name] for name in decision.utility.reads}
    tree["utility"] = xr.DataTree(xr.Dataset({"u": decision.utility(reads)}))
    table = decision.table.assign(
        recommended=decision.recommended, leading=decision.leading, status=decision.status
    )
    tree["decision"] = xr.DataTree(table)
    if analysis.plan is not None:
        tree.attrs.update(
            spec_id=analysis.plan.id,
            spec_version=analysis.plan.version,
            spec_sha256=analysis.plan.hash,
            spec_file=analysis.plan.name,
        )
    tree.attrs.update(
        answer=decision.text,
        stamps="\n".join(analysis.stamps),
        notes="\n".join(post.notes),
        data_disposition=json.dumps(data.disposition.to_dict("split", index=False)),
        data_endpoints=json.dumps(data.endpoints),
        data_notes=json.dumps(data.notes),
        data_unit=data.unit,
        data_groups=json.dumps(data.groups),
        added_alternatives=json.dumps(analysis.added),
    )
    for i, (label, other) in enumerate(analysis.alternatives.items(), start=1):
        branch = _tree(other)
        branch.attrs["label"] = label
        tree[f"{ALTERNATIVE}{i}"] = branch
    return tree


def netcdf(tree: xr.DataTree) -> bytes:
    """Return the tree as a netCDF file; the same tree gives the same bytes."""
    for node in tree.subtree:
        node.attrs.pop("created_at", None)  # a clock in the file would make every rerun differ
        node.dataset = node.to_dataset(inherit=False).map(_storable, keep_attrs=True)
    return bytes(tree.to_netcdf(engine="h5netcdf"))  # in memory: no second disk that can be full


def _storable(x: xr.DataArray) -> xr.DataArray:
    return x.astype("int8") if x.dtype == bool else x


def analysis_of(
    tree: xr.DataTree,
    model: DoseModel,
    utility: Utility,
    rules: Rule,
    criterion: Criterion,
    *,
    rows: tuple[str, ...] = (),
    plan: Plan | None = None,
    alternatives: Mapping[str, DoseModel] | None = None,
) -> Analysis:
    """Rebuild an analysis from its saved results: everything but the draws is computed again.

    Parameters
    ----------
    tree
        Result of :func:`results_tree`, as read from a file.
    model, utility, rules, criterion, plan, alternatives
        The specification that it was made from.
    rows
        Fingerprints of the rows of the data.

    Returns
    -------
    Analysis
        Without patients' rows. An overridden diagnostics gate stays overridden, and stamped.

    Raises
    ------
    ResultsError
        When the file does not hold what a rebuild needs, or the model has changed.
    """
    attrs = tree.attrs
    if "data_disposition" not in attrs:
        raise ResultsError(
            "these results were saved without what a rebuild needs", hint="run the analysis again"
        )
    if attrs.get("model") != str(model):
        raise ResultsError(
            "the model of the saved draws is not that of the specification",
            hint="run the analysis again",
        )
    data = _data(tree, rows)
    post = _posterior(tree, model)
    decision = decide(
        post, utility, rules, criterion=criterion,
        override_diagnostics="DIAGNOSTICS OVERRIDDEN" in str(attrs.get("stamps", "")),
    )  # fmt: skip
    known = dict(alternatives or {})
    added = tuple(json.loads(attrs.get("added_alternatives", "[]")))
    known |= {k: end for k, end in ends_of(model, known).items() if k in added}
    others = {}
    for name, branch in tree.children.items():
        if not name.startswith(ALTERNATIVE):
            continue
        label = str(branch.attrs["label"])
        if label not in known:
            raise ResultsError(f"the specification has no alternative '{label}'")
        one = known[label]
        again = _posterior(branch, one)
        judged = decide(again, utility, rules, criterion=criterion, override_diagnostics=True)
        others[label] = Analysis(one, data, again, judged)
    saved = None
    if HETEROGENEITY in tree.children:
        table = tree.children[HETEROGENEITY].to_dataset(inherit=False)
        saved = Heterogeneity(table.assign(reliable=table["reliable"].astype(bool)))
    return Analysis(model, data, post, decision, plan, others, added, saved)


def _posterior(tree: xr.DataTree, model: DoseModel) -> Posterior:
    own = ("utility", "decision", HETEROGENEITY)
    groups = {
        name: child.to_dataset(inherit=False)
        for name, child in tree.children.items()
        if name not in own and not name.startswith(ALTERNATIVE)
    }
    stats = groups["sample_stats"]
    groups["sample_stats"] = stats.assign({v: stats[v].astype(bool) for v in TRUTHS if v in stats})
    kept = xr.DataTree.from_dict(groups)
    kept.attrs = dict(tree.attrs)
    draws = groups["posterior"]
    diagnostics = diagnose(draws, groups["sample_stats"], quantities(model, draws))
    notes = str(tree.attrs["notes"])
    return Posterior(
        kept, known_parameters(model, draws), diagnostics, tuple(notes.split("\n")) if notes else ()
    )


def _data(tree: xr.DataTree, rows: tuple[str, ...]) -> TrialData:
    attrs: dict[Any, Any] = tree.attrs
    counts = tree.children["seen"].to_dataset(inherit=False)
    ledger = pd.DataFrame(**json.loads(attrs["data_disposition"]))
    return TrialData(
        doses=tuple(float(d) for d in counts[names.DOSE].to_numpy()),
        unit=str(attrs["data_unit"]),
        counts=counts,
        endpoints=tuple(json.loads(attrs["data_endpoints"])),
        disposition=ledger,
        source=str(attrs["data_source"]),
        sha256=str(attrs["data_sha256"]),
        row_hashes=rows,
        notes=tuple(json.loads(attrs["data_notes"])),
        patients=None,
        groups={k: tuple(v) for k, v in json.loads(attrs.get("data_groups", "{}")).items()},
    )
