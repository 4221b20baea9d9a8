# SPDX-License-Identifier: Apache-2.0
"""Plain numbers enter, PNG files leave. Drawn on matplotlib's own canvas: no window, no global state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shrinkfit.errors import ShrinkfitError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

# Okabe and Ito's colours, told apart by colour-blind readers too.
BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#6b6b6b"
_CURVES = (BLUE, ORANGE, GREEN, GREY)  # red is for limits
_DPI, _WIDTH = 150, 7.5  # inches
_STYLE: dict[RcKeyType, Any] = {
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": "#333333",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "text.color": "#222222",
    "legend.frameon": False,
}
_COSTS = {
    "ram_bytes": ("RAM", "KB", 1024),
    "flash_bytes": ("Flash", "KB", 1024),
    "flops": ("Operations per inference", "MFLOP", 1e6),
    "cycles": ("Cycles per inference", "million", 1e6),
    "latency_ms": ("Latency", "ms", 1),
    "energy_uj": ("Energy per inference", "µJ", 1),
}

# What small models are counted in.
_SMALLER: dict[str, tuple[str, float]] = {
    "KB": ("bytes", 1),
    "MFLOP": ("kFLOP", 1e3),
    "million": ("thousand", 1e3),
    "ms": ("µs", 1e-3),
    "µJ": ("nJ", 1e-3),
    "": ("", 1),
}


@cache
def _figure_class() -> type[Figure]:
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """Known to no window, and so not to pyplot either, which is what notebooks usually ask for pictures."""

        def _repr_png_(self) -> bytes:
            content = BytesIO()
            self.savefig(content, format="png")
            return content.getvalue()

    return NotebookFigure


def figure_of(size: tuple[float, float], fill: Callable[[Any], None]) -> Figure:
    """What `fill` puts into a figure of that size in inches, in the house's look."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        figure = _figure_class()(figsize=size, dpi=_DPI, layout="constrained")
        fill(figure)
    return figure


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure in the format that the path's suffix names; the path.

    Raises:
        ShrinkfitError: no figure can be written in that format.
    """
    import matplotlib

    path = Path(path)
    if path.suffix and path.suffix[1:].lower() not in figure.canvas.get_supported_filetypes():
        raise ShrinkfitError(f"plot '{path}' ends in '{path.suffix}'; expected a format such as .png, .svg or .pdf")
    path.parent.mkdir(parents=True, exist_ok=True)
    # No date or version in a PNG: the same numbers give the same bytes.
    metadata = {"Software": None} if path.suffix.lower() == ".png" else None
    with matplotlib.rc_context(_STYLE):
        figure.savefig(path, metadata=metadata)
    return path


def draw(path: str | Path, size: tuple[float, float], fill: Callable[[Any], None]) -> Path:
    """Write what `fill` puts into a figure of that size in inches, in the house's look; the path."""
    return save(figure_of(size, fill), path)


def plot_epochs(
    path: str | Path,
    epochs: Sequence[int],
    costs: Mapping[str, Sequence[float]],
    limits: Mapping[str, Sequence[float | None]],
    accuracy: Mapping[str, Sequence[float]],
) -> Path:
    """Accuracy above, then each cost against its limit, over the epochs.

    Args:
        path: PNG to write.
        epochs: [n] numbers for the x axis.
        costs: name -> [n]; ram_bytes, flash_bytes in bytes, flops, cycles as counts.
        limits: name -> [n], that epoch's limit; None or absent where there was none.
        accuracy: label -> [n] in 0..1.
    Returns:
        path.
    """
    part = _epochs_part(epochs, costs, limits, accuracy)
    return draw(path, (_WIDTH, part.height), part.fill)


def fit_plot(
    epochs: Sequence[int],
    costs: Mapping[str, Sequence[float]],
    limits: Mapping[str, Sequence[float | None]],
    metrics: Mapping[str, Sequence[float]],
    before: Mapping[str, int],
    after: Mapping[str, int],
) -> Figure:
    """The figure of `plot_epochs` above that of `plot_widths`.

    Args:
        epochs, costs, limits: as in `plot_epochs`.
        metrics: as its accuracy; or names of losses -> [n].
        before, after: as in `plot_widths`.
    """
    parts = [_epochs_part(epochs, costs, limits, metrics), *([_widths_part(before, after)] if before else [])]
    heights = [part.height for part in parts]

    def fill(figure: Any) -> None:
        places = np.atleast_1d(figure.subfigures(len(parts), 1, height_ratios=heights))
        for part, place in zip(parts, places, strict=True):
            part.fill(place)

    return figure_of((_WIDTH, sum(heights)), fill)


@dataclass(frozen=True)
class _Part:
    """A picture, or a part of one: its height in inches, and what draws it into a figure."""

    height: float
    fill: Callable[[Any], None]


def _epochs_part(
    epochs: Sequence[int],
    costs: Mapping[str, Sequence[float]],
    limits: Mapping[str, Sequence[float | None]],
    metrics: Mapping[str, Sequence[float]],
) -> _Part:
    _check_lengths(len(epochs), {**costs, **limits, **metrics})
    panels = len(costs) + bool(metrics)
    if not epochs or not panels:
        raise ValueError("there is nothing to plot: no epoch, or neither a cost nor an accuracy")

    def fill(figure: Any) -> None:
        axes = list(np.atleast_1d(figure.subplots(panels, 1, sharex=True)))
        if metrics:
            _metrics_panel(axes.pop(0), epochs, metrics)
        for panel, (name, values) in zip(axes, costs.items(), strict=True):
            _cost_panel(panel, epochs, name, values, limits.get(name))
        figure.axes[-1].set_xlabel("epoch")
        figure.axes[-1].xaxis.get_major_locator().set_params(integer=True)
        figure.align_ylabels()

    return _Part(0.6 + 1.75 * panels, fill)


def _check_lengths(n: int, series: Mapping[str, Sequence[Any]]) -> None:
    for name, values in series.items():
        if len(values) != n:
            raise ValueError(f"'{name}' has {len(values)} values, expected {n}, one per epoch")


def _metrics_panel(axes: Axes, epochs: Sequence[int], metrics: Mapping[str, Sequence[float]]) -> None:
    losses = all("loss" in label for label in metrics)
    for row, (label, values) in enumerate(metrics.items()):
        colour, style = _CURVES[row % len(_CURVES)], "-" if row < len(_CURVES) else "--"
        shown = np.asarray(values, float) * (1 if losses else 100)
        axes.plot(epochs, shown, color=colour, linestyle=style, label=label, linewidth=1.8)
    axes.set_title("Loss" if losses else "Accuracy")
    axes.set_ylabel("" if losses else "%")
    axes.legend(loc="upper right" if losses else "lower right", ncols=min(len(metrics), len(_CURVES)))
    axes.grid(axis="y", color="#e6e6e6")


def _cost_panel(axes: Axes, epochs: Sequence[int], name: str, values: Sequence[float], limit: Any) -> None:
    title, unit, scale = _COSTS.get(name, (name, "", 1))
    if np.nanmax(np.asarray(values, float)) < scale:
        unit, scale = _SMALLER[unit]
    cost = np.asarray(values, float) / scale
    top = float(np.nanmax(cost))
    axes.plot(epochs, cost, color=BLUE, linewidth=1.8, marker="o", markersize=3)
    if limit is not None and any(value is not None for value in limit):
        bound = np.array([np.nan if value is None else value for value in limit], float) / scale
        top = _limit(axes, epochs, bound, top, unit)
    axes.set_ylim(0, 1.15 * top)
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.grid(axis="y", color="#e6e6e6")
    axes.annotate(
        f"{cost[-1]:,.3g}", (epochs[-1], cost[-1]), xytext=(5, 0), textcoords="offset points", va="center", color=BLUE
    )


def _limit(axes: Axes, epochs: Sequence[int], bound: np.ndarray, top: float, unit: str) -> float:
    """Draw the limit, and say how high the panel has to be."""
    if np.nanmin(bound) > 2.5 * top:
        # Drawn to scale it would press the model's line flat.
        label = f"limit {bound[-1]:,.4g} {unit}, above this panel"
        axes.text(0.995, 0.95, label, color=RED, ha="right", va="top", transform=axes.transAxes)
        return 1.25 * top  # room for it above the line
    top = max(top, 1.15 * np.nanmax(bound))  # room for the label above the line
    axes.plot(epochs, bound, color=RED, linewidth=1.4, drawstyle="steps-mid")
    axes.fill_between(epochs, bound, 2 * top, color=RED, alpha=0.07, step="mid", linewidth=0)
    axes.text(0.995, 0.95, "above the limit", color=RED, ha="right", va="top", transform=axes.transAxes)
    return top


def plot_confusion(path: str | Path, matrix: Any, labels: Sequence[str], title: str = "") -> Path:
    """A confusion matrix: rows are what was said, columns what was heard; shares of each row, counts off it.

    Args:
        path: PNG to write.
        matrix: int [n, n], counts; [i, j] is class i taken for class j.
        labels: [n] class names.
        title: above the plot; the accuracy is added to it.
    Returns:
        path.
    """
    counts = np.asarray(matrix)
    n = len(labels)
    if counts.shape != (n, n):
        raise ValueError(f"the matrix has shape {counts.shape}, expected {(n, n)} for {n} labels")
    total = counts.sum()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(4.0, 2.2 + 0.48 * n)

    def fill(figure: Any) -> None:
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.spines[:].set_visible(False)
        axes.set_xticks(range(n), labels, rotation=45, ha="right", rotation_mode="anchor", color="#222222")
        axes.set_yticks(range(n), labels, color="#222222")
        axes.tick_params(length=0)
        axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
        axes.set_xlabel("heard")
        axes.set_ylabel("said")
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if share[row, column] > 0.55 else "#222222"
                axes.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=9)
        accuracy = f"{100 * np.trace(counts) / total:.1f} % of {total:,} right" if total else "no examples"
        axes.set_title(f"{title}: {accuracy}" if title else accuracy)

    return draw(path, (side + 0.6, side), fill)


def plot_widths(path: str | Path, before: Mapping[str, int], after: Mapping[str, int]) -> Path:
    """How many channels each layer had and how many it kept.

    Args:
        path: PNG to write.
        before, after: layer name -> channels, for the same layers.
    Returns:
        path.
    """
    part = _widths_part(before, after)
    return draw(path, (_WIDTH, part.height), part.fill)


def _widths_part(before: Mapping[str, int], after: Mapping[str, int]) -> _Part:
    if list(before) != list(after):
        raise ValueError(f"before names the layers {list(before)}, after {list(after)}")
    layers = np.arange(len(before))

    def fill(figure: Any) -> None:
        axes = figure.subplots()
        axes.barh(layers, list(before.values()), height=0.7, color="#dcdcdc", label="before")
        axes.barh(layers, list(after.values()), height=0.7, color=BLUE, label="kept")
        for row, name in enumerate(before):
            axes.text(before[name], row, f"  {after[name]} of {before[name]}", va="center", fontsize=9)
        axes.set_yticks(layers, list(before), color="#222222")
        axes.invert_yaxis()
        axes.set_xlim(0, 1.18 * max(before.values()))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("channels")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title("Channels per layer")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)

    return _Part(1.4 + 0.36 * len(before), fill)
