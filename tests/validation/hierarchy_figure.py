"""The figure of hierarchy_calibration.csv: coverage and error against the true heterogeneity."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from doseopt_bayes.plots import style

HERE: Final = Path(__file__).parent
LINES: Final = {
    "hierarchy": ("#00204d", "o", "-", "hierarchy"),
    "unpooled": ("#b3a100", "s", "--", "no pooling"),
    "full": ("#7c7b78", "^", ":", "full pooling"),
}
PANELS: Final = (("4 x 13", 0.5), ("10 x 5 to 60", 0.5), ("4 x 13", 1.0), ("10 x 13", 1.0))


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw coverage (above) and root mean squared error (below) of the analyses as PNG."""
    rows = table[(table["model"] == "Basket") & (table["true_sd"] != "prior")]
    with style.styled():
        figure = style.new_figure(4.9)
        axes = figure.subplots(2, len(PANELS), sharex=True, sharey="row")
        for (sizes, tau), (top, low) in zip(PANELS, axes.T, strict=True):
            at = rows[(rows["sizes"] == sizes) & (rows["tau"] == tau)]
            x = at["true_sd"].astype(float).to_numpy()
            for method, (colour, marker, line, label) in LINES.items():
                how = {
                    "color": colour,
                    "marker": marker,
                    "linestyle": line,
                    "markersize": 4,
                    "linewidth": 1.2,
                }
                y, error = at[f"coverage_{method}"], at[f"coverage_{method}_se"]
                top.errorbar(x, y, 1.96 * error, label=label, **how)
                mse, error = at[f"mse_{method}"], at[f"mse_{method}_se"]
                low.errorbar(x, np.sqrt(mse), 1.96 * error / (2 * np.sqrt(mse)), **how)
            top.axhline(0.95, color="#a50f15", linewidth=0.8, linestyle=(0, (4, 2)))
            top.set_title(
                f"{sizes} patients\ntau ~ HalfNormal({tau:g})", fontweight="normal", fontsize=8
            )
            top.set_ylim(0.15, 1.02)
            low.set_ylim(0, 0.22)
            low.set_xticks([0, 0.3, 0.6, 1.2], ["0", "0.3", "0.6", "1.2"])
            low.set_xlabel("true sd of log-odds")
        axes[0, 0].set_ylabel("coverage of 95 % intervals")
        axes[1, 0].set_ylabel("root mean squared error")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        figure.suptitle(
            "Response of subgroups, 1000 simulated basket trials each", x=0.01, ha="left",
            fontsize=9.5, fontweight="bold",
        )  # fmt: skip
        figure.savefig(path, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    draw(
        pd.read_csv(HERE / "hierarchy_calibration.csv", dtype={"true_sd": str}),
        HERE / "hierarchy_calibration.png",
    )
