# SPDX-License-Identifier: Apache-2.0
"""What a user looks at of a FitDevice: its text, tables and pictures, all drawn from its records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shrinkfit._shown import Shown, drawn_by
from shrinkfit.device import Budget, Device
from shrinkfit.fit.pricing import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Views(Shown, by="report.fitted.fit_view"):
    """Base of FitDevice.

    Attributes:
        device, budget, history: see FitDevice.
    """

    device: Device
    budget: Budget
    history: list[dict[str, Any]]

    def summary(self, print_fn: Callable[[str], Any] | None = None) -> None:
        """Print a table of what became of each layer and why; see `shrinkfit.summary`.

        Args:
            print_fn: gets the whole text once; None for the console.
        Raises:
            ShrinkfitError: no model was given to fit() yet.
        """
        drawn_by("report.fitted.summary")(self, print_fn)

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw accuracy, costs and limits over the epochs, above each layer's width before and after.

        Args:
            path: where to write it too, as a .png, .svg or .pdf file.
        Returns:
            A matplotlib figure, which notebooks show.
        Raises:
            ShrinkfitError: nothing was fitted yet, or no epoch has ended.
        """
        return drawn_by("report.fitted.fit_figure")(self, path)

    def plot_widths(self, path: str | Path) -> Path:
        """Draw each layer's width before and after; see `shrinkfit.plot_fit`.

        Args:
            path: PNG to write.
        Returns:
            path.
        Raises:
            ShrinkfitError: no model was given to fit() yet.
        """
        return drawn_by("report.fitted.plot_fit")(self, path)

    def __repr__(self) -> str:
        ended = [epoch for epoch in self.history if "costs" in epoch]
        costs = ended[-1]["costs"] if ended else {}
        limits = (
            f"{name} {shown(costs[name])} of {shown(limit)}" if name in costs else f"{name} at most {shown(limit)}"
            for name, limit in self.budget.limits().items()
        )
        what = f"{len(ended)} epoch{'s' if len(ended) > 1 else ''}" if ended else "not fitted yet"
        return f"<FitDevice {self.device.name}: {what}; {', '.join(limits) or 'no limits'}>"
