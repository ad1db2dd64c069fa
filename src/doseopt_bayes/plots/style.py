"""One look for every figure: fonts, a colour and a marker per dose, footer, reproducible files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Canvas

from doseopt_bayes import names
from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import xarray as xr

__all__ = [
    "DoseStyle",
    "dose_label",
    "dose_styles",
    "endpoint_word",
    "escape",
    "interval_words",
    "new_figure",
    "save",
    "stamp",
    "styled",
]

WIDTH: Final = 7.0  # inches: the text width of a page
DPI: Final = 300
INK, GREY, PALE = "#222222", "#767676", "#e4e4e4"
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h", "*")
INTERVAL_KIND: Final = "equal-tailed"
RC: Final[dict[Any, Any]] = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.prop_cycle": cycler(color=["#00204d", "#7c7b78", "#b3a100", "#575d6d", "#222222"]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.unicode_minus": False,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # it comes with matplotlib: the same on every machine
    "font.size": 8.5,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "savefig.dpi": DPI,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",  # a reader without the font sees the same figure
    "svg.hashsalt": "doseopt-bayes",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": INK,
    "ytick.labelsize": 8.5,
}
WORDS: Final = {names.P_EFF: "efficacy", names.P_TOX: "toxicity"}


@dataclass(frozen=True)
class DoseStyle:
    """Colour and marker of one dose, the same in every figure of a package."""

    color: str
    marker: str


def dose_styles(doses: Sequence[float]) -> dict[float, DoseStyle]:
    """Return a style per candidate dose, dark to light with rising dose.

    Parameters
    ----------
    doses
        All candidate doses, untried ones included, so that a dose never changes its colour.

    Examples
    --------
    >>> dose_styles([10.0, 20.0])[10.0]
    DoseStyle(color='#440154', marker='o')
    """
    ordered = sorted(float(d) for d in doses)
    shades = np.linspace(0.0, 0.8, max(2, len(ordered)))  # the light end is lost on paper
    viridis = mpl.colormaps["viridis"]
    return {
        dose: DoseStyle(to_hex(viridis(shade)), MARKERS[i % len(MARKERS)])
        for i, (dose, shade) in enumerate(zip(ordered, shades, strict=False))
    }


def styled() -> AbstractContextManager[None]:
    """Return a context with this package's matplotlib settings; the caller's own come back after."""
    return mpl.rc_context(RC)


def new_figure(height: float) -> Canvas:
    """Return an empty page-wide figure that belongs to no window and to no global state.

    Parameters
    ----------
    height
        Inches.
    """
    figure = Canvas(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def escape(text: str) -> str:
    r"""Return `text` so that no part of it is read as mathematics.

    Examples
    --------
    >>> print(escape("5 $ to 6 $"))
    5 \$ to 6 \$
    """
    return text.replace("$", r"\$")


def endpoint_word(variable: str) -> str:
    """Return the word for a probability: efficacy, toxicity or the name of another endpoint.

    Examples
    --------
    >>> endpoint_word("p_eff"), endpoint_word("p_early_stop")
    ('efficacy', 'early stop')
    """
    return WORDS.get(variable, variable.removeprefix("p_").replace("_", " "))


def dose_label(dose: float, unit: str) -> str:
    """Return the dose with its unit, safe for a figure.

    Examples
    --------
    >>> dose_label(6.6, "mg"), dose_label(10.0, "")
    ('6.6 mg', '10')
    """
    return escape(f"{dose:g} {unit}".rstrip())


def interval_words(data: xr.Dataset) -> str:
    """Say which interval a dataset carries, for captions and legends."""
    return (
        f"{data.attrs['interval_prob'] * 100:g} % {data.attrs['interval_kind']} credible interval"
    )


def interval_attrs() -> dict[str, object]:
    """Return the attributes that every dataset with credible intervals carries."""
    return {"interval_kind": INTERVAL_KIND, "interval_prob": INTERVAL}


def stamp(figure: Canvas, text: str) -> None:
    """Add a small grey footer below the figure, which grows by its height. Call it once, last.

    Parameters
    ----------
    figure
        A figure of this package.
    text
        For example identifier, version, hashes and the word DRAFT.
    """
    for _ in range(2):  # labels change the layout, the layout changes labels
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    lines = escape(text).split("\n")
    old = figure.get_figheight()
    new = old + 0.1 * len(lines) + 0.06
    low = 1 - old / new
    frames = [legend.get_window_extent().transformed(figure.transFigure.inverted())
              for legend in figure.legends]  # fmt: skip
    figure.set_figheight(new)
    for ax in figure.axes:
        at = ax.get_position()
        ax.set_position((at.x0, low + at.y0 * old / new, at.width, at.height * old / new))
    for legend, frame in zip(figure.legends, frames, strict=True):
        legend.set_loc((frame.x0, low + frame.y0 * old / new))
    figure.text(0.008, 0.04 / new, "\n".join(lines), fontsize=6, color=GREY, va="bottom",
                fontfamily="DejaVu Sans")  # fmt: skip


def save(
    figure: Canvas, stem: str | Path, *, formats: Sequence[str] = ("png", "svg")
) -> tuple[Path, ...]:
    """Write the figure once per format; the same figure gives the same bytes.

    Parameters
    ----------
    figure
        A figure of this package.
    stem
        Path without ending; folders are made.
    formats
        Of ``"png"`` (300 dpi), ``"svg"`` and ``"pdf"``.

    Returns
    -------
    tuple of Path
        The files, in the order of `formats`. Each appears whole or not at all.
    """
    silent: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    }
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for ending in formats:
        target = stem.with_name(f"{stem.name}.{ending}")
        buffer = io.BytesIO()
        with styled():
            figure.savefig(buffer, format=ending, dpi=DPI, metadata=silent[ending])
        write_whole(target, buffer.getvalue())
        written.append(target)
    return tuple(written)
