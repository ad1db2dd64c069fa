"""Fits and drawn marks shared by the tests of exposure-response figures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from doseopt_bayes.data.endpoints import Binary
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.models.er_curve import CovariateEffect
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import (
    BinaryResponse,
    ContinuousResponse,
    CountResponse,
    WeibullResponse,
)
from doseopt_bayes.models.shapes import Emax
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVE = {"level": Normal(0, 2), "effect": Normal(0, 2), "ec50": LogNormal(50, 1)}
WIDE = CURVE | {"level": Normal(0, 10), "effect": Normal(0, 10)}
FAMILIES = {
    "ae": (BinaryResponse(), CURVE),
    "value": (ContinuousResponse(), WIDE | {"sigma": HalfNormal(5)}),
    "count": (CountResponse(), CURVE | {"overdispersion": HalfNormal(1)}),
    "pfs": (WeibullResponse(12.0), CURVE | {"weibull_shape": LogNormal(1, 0.5)}),
}
EFFECTS = (
    CovariateEffect("e0", "AGE", centre=60, per=10),
    CovariateEffect("ec50", "SEX", level="M"),
    CovariateEffect("emax", "SEX", level="M"),
)


def curve(endpoint: str, *, covariates: bool = False) -> ExposureResponse:
    family, priors = FAMILIES[endpoint]
    given = {"reference": (0.0, 100.0), "unit": "h*mg/L"}
    model = ExposureResponse(endpoint, "AUC", Emax(), family, priors, **given)
    if not covariates:
        return model
    more = {c.name: Normal(0, 0.5) for c in EFFECTS}
    return replace(model, covariates=EFFECTS, priors={**model.priors, **more})


def one_dose(y: list[int]) -> ExposureData:
    """A single dose, exposures that differ little, responses as given."""
    n = len(y)
    table = pd.DataFrame({"ID": range(n), "mg": 50, "AUC": np.linspace(40, 60, n), "AE": y})
    return ExposureData.from_frame(
        table, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h*mg/L"},
        endpoints={"ae": Binary("AE")},
    )  # fmt: skip


def marks(figure: Figure) -> dict[str, list[object]]:
    """Drawn artists of every panel by their name."""
    found: dict[str, list[object]] = {}
    for ax in figure.axes:
        for artist in ax.get_children():
            if artist.get_gid():
                found.setdefault(artist.get_gid(), []).append(artist)
    return found


def _within(ends, ticks, labels):
    return [x for t, x in zip(ticks, labels, strict=False) if min(ends) <= t <= max(ends)]


def texts_apart(figure: Figure) -> None:
    """No text is clipped by the page, and no two visible texts of a panel lie on each other."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    page = figure.bbox
    for ax in figure.axes:
        boxes = [
            (t.get_text(), t.get_window_extent(renderer))
            for t in [*ax.texts, ax.xaxis.label, ax.yaxis.label,
                      *_within(ax.get_xlim(), ax.get_xticks(), ax.get_xticklabels()),
                      *_within(ax.get_ylim(), ax.get_yticks(), ax.get_yticklabels())]
            if t.get_visible() and t.get_text().strip()
        ]  # fmt: skip
        for text, box in boxes:
            assert box.x0 >= page.x0 - 1, text
            assert box.x1 <= page.x1 + 1, text
            assert box.y0 >= page.y0 - 1, text
            assert box.y1 <= page.y1 + 1, text
        for i, (one, a) in enumerate(boxes):
            for other, b in boxes[i + 1 :]:
                wide = min(a.x1, b.x1) - max(a.x0, b.x0)
                high = min(a.y1, b.y1) - max(a.y0, b.y0)
                assert not (wide > 1.5 and high > 1.5), f"{one!r} on {other!r}"
