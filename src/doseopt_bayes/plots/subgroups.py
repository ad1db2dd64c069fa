"""What the figures by subgroup share: one list of levels, and rows of levels and doses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from doseopt_bayes import names
from doseopt_bayes.inference.levels import label
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes

    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.decision.pooling import Pooling

__all__ = [
    "LEVEL",
    "caption",
    "has_groups",
    "height",
    "label_rows",
    "one_line",
    "pooled_numbers",
    "pooling_of",
    "rows",
    "stamps",
]

LEVEL: Final = "level"
ROW: Final = 0.2  # inches of one row
BAND: Final = "#f4f4f4"


def has_groups(analysis: Analysis) -> bool:
    """Whether the analysis decides for several subgroups at once."""
    return bool(analysis.decision.status.ndim)


def pooling_of(analysis: Analysis) -> Pooling | None:
    """Return the comparison with no pooling, where the analysis has made it."""
    found: Pooling | None = getattr(analysis, "pooling", None)
    return found if has_groups(analysis) else None


def one_line(data: xr.Dataset, over: Sequence[str]) -> xr.Dataset:
    """Put all groupings of `data` along one dim ``level``, labelled as a reader calls them."""
    flat = data.stack({LEVEL: list(over)})
    called = [label(dict(zip(over, at, strict=True))) for at in flat[LEVEL].to_numpy()]
    return flat.drop_vars([LEVEL, *over]).assign_coords({LEVEL: called})


def stamps(analysis: Analysis) -> dict[str, object]:
    """Return the attribute with which the numbers of a figure carry the stamps of the decision."""
    return {"stamps": "\n".join(analysis.decision.stamps)}


def caption(said: Sequence[str], data: xr.Dataset) -> str:
    """Join the sentences of a caption, the stamps of the decision first."""
    above = [f"{s}." for s in str(data.attrs["stamps"]).split("\n") if s]
    return " ".join([*above, *said])


def pooled_numbers(analysis: Analysis, kept: Sequence[str]) -> xr.Dataset:
    """Return columns of the pooling table along ``level``, dose and endpoint, efficacy first.

    Raises
    ------
    ValueError
        When the analysis has no comparison with a fit without pooling.
    """
    found = pooling_of(analysis)
    if found is None:
        raise ValueError("this figure needs `analysis.pooling`")
    table = found.table
    ends = [str(e) for e in table[names.ENDPOINT].to_numpy()]
    first = [e for e in (names.EFF, names.TOX) if e in ends]
    data = one_line(
        table[[v for v in kept if v in table]], str(table.attrs["groupings"]).split(",")
    )
    data = data.sel({names.ENDPOINT: [*first, *(e for e in ends if e not in first)]})
    data.attrs = {**table.attrs, **stamps(analysis)}
    return data.transpose(LEVEL, names.DOSE, names.ENDPOINT, ...)


def rows(data: xr.Dataset) -> list[tuple[float, int, int | None]]:
    """Return (height, level, dose) of each row from the top; dose ``None`` is the level's own row."""
    found: list[tuple[float, int, int | None]] = []
    y = 0.0
    for i in range(data.sizes[LEVEL]):
        for j in (None, *range(data.sizes[names.DOSE])):
            found.append((y, i, j))
            y -= 1.0
        y -= 0.35
    return found


def height(data: xr.Dataset) -> float:
    """Inches that all rows need, without legend and axis."""
    return ROW * -rows(data)[-1][0] + ROW


def label_rows(ax: Axes, data: xr.Dataset) -> None:
    """Name the levels and their doses at the left of the rows, and shade every second level."""
    every = rows(data)
    unit = str(data.attrs.get("unit", ""))
    doses = data[names.DOSE].to_numpy()
    texts = [
        style.escape(str(data[LEVEL].to_numpy()[i]))
        if j is None
        else style.dose_label(float(doses[j]), unit)
        for _, i, j in every
    ]
    ax.set_yticks([y for y, _, _ in every], labels=texts)
    for tick, (y, i, j) in zip(ax.yaxis.get_major_ticks(), every, strict=True):
        tick.label1.set_fontweight("bold" if j is None else "normal")
        tick.label1.set_fontsize(7.5)
        if j is None and i % 2 == 0:
            low = y - data.sizes[names.DOSE] - 0.6
            ax.axhspan(low, y + 0.65, color=BAND, linewidth=0, zorder=-1)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(every[-1][0] - 0.75, 0.75)
