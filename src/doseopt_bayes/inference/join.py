"""Posteriors of outcomes that were fitted apart, joined into one for utilities and comparisons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.checks import Diagnostics, diagnose
from doseopt_bayes.inference.levels import WORST_ESS
from doseopt_bayes.inference.posterior import Posterior, probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["together"]

KEPT_DIMS: Final = (names.CHAIN, names.DRAW, names.DOSE)
INDEPENDENT: Final = (
    "the outcomes of {parts} were fitted apart and are taken to be independent given the dose: the "
    "probability of several margins at once, and the spread of a utility, rest on that"
)


def together(post: Posterior, *others: Posterior) -> Posterior:
    """Join posteriors of different outcomes over the same doses into one.

    Parameters
    ----------
    post
        Posterior of the trial, for example of ``Saturated`` or ``EffTox``.
    *others
        Posteriors of further outcomes, for example of ``OrdinalGrades``, ``RecurrentEvents`` and
        ``TimeToFirst``.

    Returns
    -------
    Posterior
        With the variables of all parts: ``p_eff`` beside ``p_diarrhoea`` and ``rate_nausea`` in a
        ``CUI``, in :func:`~doseopt_bayes.decision.decide.decide` and in
        :func:`~doseopt_bayes.arms.compare.compare_arms`. A parameter that two parts have is called
        ``<parameter>_<endpoint>`` in the later one, and a dim whose labels differ
        ``<dim>_of_<endpoint>``.
        ``n_treated`` is the largest of the parts, for each dose. Its diagnostics are those of every
        part: one that failed fails the whole.

    Raises
    ------
    DoseOptError
        When doses, units or numbers of chains differ, two parts have the same outcome, or a part has
        groups or no chains.

    Notes
    -----
    The outcomes are taken to be independent given the dose, which patients' outcomes are not: whoever
    has diarrhoea is likelier to stop. Each outcome by itself, and the mean of an additive utility, do
    not depend on that; the probability of several margins at once and the interval of a utility do.

    Parts need the same number of chains. The part with the fewest draws sets the length: of a longer
    one, evenly spaced draws are kept, its diagnostics are repeated on them, and a note says so. Each
    part's chains are moved on by one against those of the part before: two outcomes with the same
    counts, fitted with the same seed, have the same draws, and would seem to go together.

    The joined posterior has no observed data and no sampler statistics; those stay with the parts.
    A joined analysis, from the fits of a trial and of three tolerability outcomes::

        post = together(trial, diarrhoea, nausea, stopping)
        index = CUI({
            "p_eff": Attribute(2, "benefit"),
            "p_diarrhoea": Attribute(1, "harm"),
            "rate_nausea": Attribute(1, "harm", Linear(worst=3, best=0)),  # events per 28 days
            "p_toxicity": Attribute(1, "harm"),  # stopped because of toxicity by the horizon
        })
        margins = [Margin("eff", 0.1, "difference", "higher"),
                   Margin("rate_nausea", 0.5, "difference", "lower")]
        compare_arms(post, margins=margins, utility=index)
    """
    parts = (post, *others)
    if not others:
        raise DoseOptError(
            "one posterior alone is joined", hint="together(post, diarrhoea, nausea)"
        )
    for part in parts:
        _check_part(part)
    labels = _labels(parts)
    _check_alike(parts, labels)
    _check_outcomes(parts, labels)
    length = min(p.draws.sizes[names.DRAW] for p in parts)
    cut = [_cut(p, length) for p in parts]
    renamed = [_renamed(cut, labels, i) for i in range(len(parts))]
    draws = [
        _shifted(part.draws.rename(new.all), i, len(parts))
        for i, (part, new) in enumerate(zip(cut, renamed, strict=True))
    ]
    doses = parts[0].draws[names.DOSE]
    groups = {"posterior": _merged(draws, doses), "seen": _seen(parts, doses)}
    if all("prior" in p.tree.children for p in parts):
        priors = [p.tree["prior"].to_dataset() for p in parts]
        if len({p.sizes[names.DRAW] for p in priors}) == 1:
            found = [
                p.rename({k: v for k, v in new.all.items() if k in p.variables or k in p.dims})
                for p, new in zip(priors, renamed, strict=True)
            ]
            groups["prior"] = _merged(
                [_rolled(p, i, len(parts)) for i, p in enumerate(found)], doses
            )
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(_attributes(parts))
    diagnostics = _diagnostics(cut, labels, renamed)
    parameters = tuple(
        new.all.get(n, n) for p, new in zip(parts, renamed, strict=True) for n in p.parameters
    )
    return Posterior(tree, parameters, diagnostics, tuple(_notes(parts, labels, length)))


@dataclass(frozen=True)
class _Names:
    """New names of a part's variables and dims."""

    variables: dict[str, str]
    dims: dict[str, str]

    @property
    def all(self) -> dict[str, str]:
        return {**self.variables, **self.dims}


def _check_part(part: object) -> None:
    if type(part) is not Posterior or part.sample_dims != (names.CHAIN, names.DRAW):
        raise DoseOptError(
            f"{type(part).__name__} has no chains of draws to join",
            hint="join what dob.fit returns; fit_grid and previews are of one outcome each",
        )
    if names.DOSE not in part.draws.dims or "seen" not in part.tree.children:
        raise DoseOptError(
            "a part has no doses",
            hint="a curve of exposure is first carried to doses: dob.at_doses(...)",
        )
    if part.groupings:
        raise DoseOptError(
            f"a part lies over {', '.join(part.groupings)}",
            hint='join one level at a time: post.at(subgroup="...")',
        )


def _labels(parts: Sequence[Posterior]) -> list[str]:
    """Call each part by its endpoints."""
    return [
        " and ".join(v.removeprefix("p_") for v in probabilities(p.draws)) or f"part {i + 1}"
        for i, p in enumerate(parts)
    ]


def _check_alike(parts: Sequence[Posterior], labels: Sequence[str]) -> None:
    first = parts[0].draws
    doses, unit = first[names.DOSE].to_numpy(), str(first[names.DOSE].attrs.get("units", ""))
    for part, label in zip(parts[1:], labels[1:], strict=True):
        other = part.draws[names.DOSE].to_numpy()
        if other.shape != doses.shape or not np.allclose(other, doses, rtol=1e-6, atol=0):
            raise DoseOptError(
                f"{label} has the doses {_said(other)}, {labels[0]} has {_said(doses)}",
                hint="read both with the same candidate doses, untried ones included",
            )
        its = str(part.draws[names.DOSE].attrs.get("units", ""))
        if its != unit:
            raise DoseOptError(
                f"the doses of {label} are in '{its}', those of {labels[0]} in '{unit}'",
                hint="give both models the unit of the doses: units are never converted silently",
            )
        if part.draws.sizes[names.CHAIN] != first.sizes[names.CHAIN]:
            raise DoseOptError(
                f"{label} has {part.draws.sizes[names.CHAIN]} chains, {labels[0]} has "
                f"{first.sizes[names.CHAIN]}",
                hint="fit all parts with the same number of chains",
            )


def _said(doses: np.ndarray) -> str:
    return ", ".join(f"{d:g}" for d in doses)


def _check_outcomes(parts: Sequence[Posterior], labels: Sequence[str]) -> None:
    """Refuse a variable that two parts have, unless it is a parameter, which can be renamed."""
    owner: dict[str, str] = {}
    for part, label in zip(parts, labels, strict=True):
        for name in map(str, part.draws.data_vars):
            if name in part.parameters and not name.startswith("p_"):
                continue
            if name in owner:
                raise DoseOptError(
                    f"'{name}' is in two parts: {owner[name]}, and {label}",
                    hint="give one outcome another name, for example FirstEvent(..., name='stop')",
                )
            owner[name] = label


def _cut(part: Posterior, length: int) -> Posterior:
    """Return the part with `length` evenly spaced draws of each chain, judged again."""
    has = part.draws.sizes[names.DRAW]
    if has == length:
        return part
    kept = np.arange(length) * has // length
    draws = part.draws.isel({names.DRAW: kept}).assign_coords({names.DRAW: np.arange(length)})
    tree = part.tree.copy()
    tree["posterior"] = xr.DataTree(draws)
    diagnostics = part.diagnostics
    if "sample_stats" in part.tree.children:
        stats = part.tree["sample_stats"].to_dataset()
        judged = dict.fromkeys([*part.parameters, *probabilities(draws)])
        again = diagnose(draws, stats, judged)
        failed = [c for c in diagnostics.failures if c not in again.failures]
        diagnostics = Diagnostics((*again.checks, *failed), again.table)
    return replace(part, tree=tree, diagnostics=diagnostics)


def _renamed(parts: Sequence[Posterior], labels: Sequence[str], i: int) -> _Names:
    """Find new names for what an earlier part has: parameters, and dims with other labels."""
    suffix = labels[i].split(" and ")[0].replace(" ", "_")
    here, before = parts[i].draws, [p.draws for p in parts[:i]]
    variables = {
        n: f"{n}_{suffix}"
        for n in map(str, here.data_vars)
        if any(n in b.variables for b in before)
    }
    dims = {}
    for d in map(str, here.dims):
        clash = d not in KEPT_DIMS and any(
            d in b.dims and not (d in b.indexes and here[d].equals(b[d])) for b in before
        )
        if clash:
            dims[d] = f"{d}_of_{suffix}"  # a variable may be called grade_<endpoint>
    return _Names(variables, dims)


def _shifted(draws: xr.Dataset, i: int, parts: int) -> xr.Dataset:
    """Move the chains of part `i` on, so that no chain meets the one with its random numbers."""
    chains, length = draws.sizes[names.CHAIN], draws.sizes[names.DRAW]
    moved = {names.CHAIN: i % chains, names.DRAW: (i // chains) * length // (parts // chains + 1)}
    return _plain(draws).roll(moved, roll_coords=False)


def _rolled(prior: xr.Dataset, i: int, parts: int) -> xr.Dataset:
    """Move independent prior draws on, for the same reason."""
    return _plain(prior).roll({names.DRAW: i * prior.sizes[names.DRAW] // parts}, roll_coords=False)


def _plain(draws: xr.Dataset) -> xr.Dataset:
    """Number chains and draws from 0, so that parts align by position."""
    return draws.assign_coords({d: np.arange(draws.sizes[d]) for d in (names.CHAIN, names.DRAW)})


def _merged(draws: Sequence[xr.Dataset], doses: xr.DataArray) -> xr.Dataset:
    # doses may differ in the last bits, and labels must align
    alike = [d.assign_coords({names.DOSE: doses}) for d in draws]
    found = xr.merge(alike, join="exact", compat="no_conflicts")
    found[names.DOSE].attrs.update(doses.attrs)
    return found


def _seen(parts: Sequence[Posterior], doses: xr.DataArray) -> xr.Dataset:
    """Lay the endpoints of all parts side by side; patients treated are the most of any part."""
    # a label beside a dose, such as a regimen, stays with the draws
    seen = [p.seen.reset_coords(drop=True).assign_coords({names.DOSE: doses}) for p in parts]
    treated = xr.concat([s[names.N_TREATED] for s in seen], dim="part")
    found = {names.N_TREATED: treated.max("part")}
    counted = (names.N, names.EVENTS)
    if all(set(counted) <= set(s) for s in seen):
        found |= {
            v: xr.concat(
                [s[v] for s in seen], dim=names.ENDPOINT, coords="minimal", compat="override"
            )
            for v in counted
        }
    done = {*found, *counted}
    for s in seen:
        found |= {
            str(v): x
            for v, x in s.data_vars.items()
            if v not in done and names.ENDPOINT not in x.dims
        }
    return xr.Dataset(found)


def _attributes(parts: Sequence[Posterior]) -> dict[str, Any]:
    attrs: dict[str, Any] = {
        str(k): v
        for k, v in parts[0].tree.attrs.items()
        if all(p.tree.attrs.get(k) == v for p in parts[1:])
    }
    attrs.pop("model_fingerprint", None)
    for key in ("model", "data_source", "data_sha256"):
        attrs[key] = "\n".join(str(p.tree.attrs.get(key, "")) for p in parts)
    if any(WORST_ESS in p.tree.attrs for p in parts):
        attrs[WORST_ESS] = min(p.min_ess for p in parts)
    return attrs


def _diagnostics(
    parts: Sequence[Posterior], labels: Sequence[str], renamed: Sequence[_Names]
) -> Diagnostics:
    checks, tables = [], []
    for part, label, new in zip(parts, labels, renamed, strict=True):
        found = part.diagnostics
        checks += [replace(c, name=f"{label}: {c.name}") for c in found.checks]
        if "quantity" in found.table.dims:
            titles = [_title(str(q), new.variables) for q in found.table["quantity"].to_numpy()]
            tables.append(found.table.assign_coords(quantity=titles))
    table = xr.concat(tables, dim="quantity") if tables else parts[0].diagnostics.table
    return Diagnostics(tuple(checks), table)


def _title(quantity: str, new: dict[str, str]) -> str:
    name, bracket, rest = quantity.partition("[")
    return f"{new.get(name, name)}{bracket}{rest}"


def _notes(parts: Sequence[Posterior], labels: Sequence[str], length: int) -> list[str]:
    notes = [INDEPENDENT.format(parts="; ".join(labels))]
    for part, label in zip(parts, labels, strict=True):
        has = part.draws.sizes[names.DRAW]
        if has != length:
            notes.append(f"{label}: {length} evenly spaced of {has} draws per chain are used")
    treated = [p.seen[names.N_TREATED].to_numpy().tolist() for p in parts]
    if any(n != treated[0] for n in treated):
        each = "; ".join(f"{label} {n}" for label, n in zip(labels, treated, strict=True))
        notes.append(f"patients by dose differ between the parts ({each}): the largest stands")
    for part, label in zip(parts, labels, strict=True):
        notes += [f"{label}: {note}" for note in part.notes]
    return notes
