"""Clinical Utility Index by dose: which attribute contributes how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.patches import Patch

from doseopt_bayes import names
from doseopt_bayes.decision.cui import CUI
from doseopt_bayes.decision.prose import error
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.decision.decide import Decision

__all__ = ["applies", "caption_cui", "data_cui", "draw_cui", "plot_cui"]

FILLS: Final = (("#c9c9c9", ""), ("#ffffff", "////"), ("#8f8f8f", ""), ("#ffffff", "...."),
                ("#e6e6e6", "\\\\\\\\"), ("#ffffff", "xxxx"))  # fmt: skip


def applies(decision: Decision) -> bool:
    """Whether the utility is a sum of attributes."""
    return isinstance(decision.utility, CUI)


def data_cui(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the CUI figure.

    Returns
    -------
    xarray.Dataset
        ``contribution`` over ``dose`` and ``attribute``, posterior mean of weight times value, and its
        ``contribution_mcse``; ``utility`` with ``utility_low`` and ``utility_high`` over dose;
        ``weight`` over attribute. The interval's kind and probability are attributes.
    """
    post, decision = analysis.posterior, analysis.decision
    utility = decision.utility
    if not isinstance(utility, CUI):
        raise TypeError("the CUI figure needs a decision whose utility is a CUI")
    parts = utility.contributions({name: post[name] for name in utility.reads})
    keep = ["utility", "utility_low", "utility_high", "utility_mcse", "untried", names.N_TREATED]
    data = decision.table[keep].drop_vars("rule", errors="ignore")
    data["contribution"] = post.expect(parts).transpose(names.DOSE, names.ATTRIBUTE)
    data["contribution_mcse"] = post.mcse(parts).transpose(names.DOSE, names.ATTRIBUTE)
    data["weight"] = (names.ATTRIBUTE, list(utility.weights.values()))
    data["direction"] = (names.ATTRIBUTE, [a.direction for a in utility.attributes.values()])
    unit = str(decision.table.attrs.get("unit", ""))
    data.attrs = {**style.interval_attrs(), "unit": unit}
    return data


def plot_cui(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw a stacked bar per dose.

    Segments: mean contribution of each attribute, number inside where it fits. Marker at the end of
    the stack and bar through it: posterior mean and credible interval of the index, in the dose's
    colour; the mean is printed to the right.

    Parameters
    ----------
    data
        Result of `data_cui`.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = (
            style.new_figure(1.4 + 0.42 * data.sizes[names.DOSE]).add_subplot()
            if ax is None
            else ax
        )
        doses = [float(d) for d in data[names.DOSE].to_numpy()]
        attributes = [str(a) for a in data[names.ATTRIBUTE].to_numpy()]
        for y, (dose, look) in enumerate(style.dose_styles(doses).items()):
            row, left = data.isel({names.DOSE: y}), 0.0
            for k, name in enumerate(attributes):
                width = float(row["contribution"][k])
                fill, hatch = FILLS[k % len(FILLS)]
                ax.barh(y, width, left=left, height=0.62, color=fill, hatch=hatch, linewidth=0.7,
                        edgecolor=style.GREY, gid=f"contribution:{dose:g}:{name}")  # fmt: skip
                if width > 0.06:
                    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
                    ax.text(left + width / 2, y + 0.17, f"{width:.2f}", ha="center", va="center",
                            fontsize=8, bbox=box)  # fmt: skip
                left += width
            ends = [float(row["utility_low"]), float(row["utility_high"])]
            at = y - 0.14
            ax.plot(ends, [at, at], color="white", linewidth=4.2, solid_capstyle="butt", zorder=3)
            ax.plot(ends, [at, at], color=look.color, linewidth=2.2, solid_capstyle="butt", zorder=4,
                    gid=f"interval:{dose:g}")  # fmt: skip
            hollow = bool(row["untried"])
            ax.plot([float(row["utility"])], [at], look.marker, markersize=7, zorder=5,
                    markerfacecolor="white" if hollow else look.color, markeredgewidth=1.5,
                    markeredgecolor=look.color, gid=f"mean:{dose:g}")  # fmt: skip
            ax.text(max(ends[1], left) + 0.015, y, f"{float(row['utility']):.3f}", va="center",
                    ha="left", fontweight="bold")  # fmt: skip
        ax.set_xlim(0, 1.1)
        ax.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
        ax.set_ylim(-0.55, len(doses) - 0.45)
        labels = [
            f"{style.dose_label(d, data.attrs['unit'])}{' *' if u else ''}"
            for d, u in zip(doses, data["untried"].to_numpy(), strict=True)
        ]
        ax.set_yticks(range(len(doses)), labels=labels)
        ax.set_xlabel("Clinical Utility Index (0 worst, 1 best)")
    return ax


def draw_cui(data: xr.Dataset) -> Figure:
    """Draw the bars with the legend of the attributes."""
    with style.styled():
        ax = plot_cui(data)
        figure: Figure = ax.figure  # type: ignore[assignment]
        marks = [
            Patch(facecolor=f, hatch=h, edgecolor=style.GREY, linewidth=0.7)
            for f, h in (FILLS[k % len(FILLS)] for k in range(data.sizes[names.ATTRIBUTE]))
        ]
        said = [
            style.escape(f"{style.endpoint_word(str(a))} ({d}, weight {float(w):.2f})")
            for a, d, w in zip(
                data[names.ATTRIBUTE].to_numpy(),
                data["direction"].to_numpy(),
                data["weight"],
                strict=True,
            )
        ]
        figure.legend(marks, said, loc="outside upper left", ncols=min(3, len(said)))
    return figure


def caption_cui(data: xr.Dataset) -> str:
    """Say what every mark is, who was treated, and what is untried."""
    worst = float(max(data["contribution_mcse"].max(), data["utility_mcse"].max()))
    said = [
        (
            "Segments: posterior mean contribution (weight x value) of each attribute to the Clinical "
            "Utility Index; they add up to its posterior mean, printed at the right. Marker and bar: "
            f"posterior mean and {style.interval_words(data)} of the index. Monte Carlo standard error "
            f"of the means at most {error(worst)}. {int(data[names.N_TREATED].sum())} patients treated."
        )
    ]
    untried = data[names.DOSE].to_numpy()[data["untried"].to_numpy()]
    if untried.size:
        doses = ", ".join(f"{d:g}" for d in untried)
        said.append(f"* and hollow marker: no patient was treated at {doses} {data.attrs['unit']}.")
    return " ".join(said)
