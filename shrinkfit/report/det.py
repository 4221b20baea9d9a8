# SPDX-License-Identifier: Apache-2.0
"""Figures of a detector on a stream enter, a plot of its curve and a table leave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from shrinkfit.report.columns import plain_table
from shrinkfit.report.plots import BLUE, GREEN, GREY, ORANGE, RED, draw
from shrinkfit.report.table import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from shrinkfit.audio.choose import Choice, WordThresholds
    from shrinkfit.audio.figures import DetCurve, StreamFigures

COLOURS = (BLUE, ORANGE, GREEN, RED)
LINES = ("-", "--", "-.", ":")
REJECT_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99)
HIGHEST_RATE = 1_000.0  # false accepts per hour; behind it nobody looks
# A logarithm has no zero: where it is drawn, in events.
NO_ACCEPT, NO_REJECT = 0.25, 0.5


def plot_det(
    path: str | Path,
    curves: Mapping[str, DetCurve],
    *,
    operating: Mapping[str, int] | None = None,
    max_false_accepts_per_hour: float | None = None,
    title: str = "False accepts against false rejects",
) -> Path:
    """Draw DET curves: false accepts per hour on a logarithmic axis, false rejects as normal deviates.

    Drawn are the thresholds that no other one beats in both. What has no false accept stands at "none seen" on the
    left, what has no false reject at half a word.

    Args:
        path: PNG to write.
        curves: label -> DetCurve, at most four.
        operating: label -> the chosen point on that curve.
        max_false_accepts_per_hour: the target, drawn as a line.
    Returns:
        path.
    """
    if not 1 <= len(curves) <= len(COLOURS):
        raise ValueError(f"{len(curves)} curves cannot be drawn, expected 1 to {len(COLOURS)}")
    unknown = set(operating or {}) - set(curves)
    if unknown:
        raise ValueError(f"operating names {sorted(unknown)}, which no curve is called: {list(curves)}")

    def fill(figure: Any) -> None:
        axes = figure.subplots()
        _axes(axes, curves, max_false_accepts_per_hour)
        for place, (label, curve) in enumerate(curves.items()):
            _curve(axes, label, curve, COLOURS[place], LINES[place], (operating or {}).get(label))
        axes.set_title(title)
        # A curve falls, so there is room below it on the left; on its other side stands what was chosen.
        axes.legend(loc="lower left", frameon=True, facecolor="white", edgecolor="none", framealpha=0.85)

    return draw(path, (7.5, 5.2), fill)


def _rates(curve: DetCurve) -> np.ndarray:
    return np.maximum(np.array(curve.false_accepts, float), NO_ACCEPT) / curve.hours


def _deviates(share: Any) -> np.ndarray:
    normal = NormalDist()
    return np.array([normal.inv_cdf(float(value)) for value in np.ravel(share)])


def _shares(curve: DetCurve) -> np.ndarray:
    """In (0, 1)."""
    return np.clip(np.array(curve.false_rejects, float), NO_REJECT, curve.words - NO_REJECT) / curve.words


def _unbeaten(curve: DetCurve) -> np.ndarray:
    """Points with fewer false rejects than all that have at most as many false accepts; by rising false accepts."""
    accepts, rejects = np.array(curve.false_accepts), np.array(curve.false_rejects)
    order = np.lexsort((rejects, accepts))
    fewest = np.minimum.accumulate(np.append(np.inf, rejects[order]))
    return order[rejects[order] < fewest[:-1]]


def _axes(axes: Axes, curves: Mapping[str, DetCurve], target: float | None) -> None:
    lowest = min(NO_ACCEPT / curve.hours for curve in curves.values())
    shares = np.concatenate([_shares(curve)[_unbeaten(curve)] for curve in curves.values()])
    ticks = [tick for tick in REJECT_TICKS if shares.min() / 1.5 < tick < shares.max()]
    axes.set_xscale("log")
    axes.set_xlim(lowest / 1.4, HIGHEST_RATE)
    axes.set_yticks(_deviates(ticks), [f"{100 * tick:g} %" for tick in ticks])
    low, high = _deviates([shares.min(), shares.max()])
    axes.set_ylim(low - 0.15, high + 0.15)
    powers = [10.0**k for k in range(-3, 4) if lowest * 1.8 < 10.0**k <= HIGHEST_RATE]
    axes.set_xticks([lowest, *powers], ["none\nseen", *(f"{power:,g}" for power in powers)])
    axes.set_xlabel("false accepts per hour")
    axes.set_ylabel("false rejects (share of the hotwords that were said)")
    axes.grid(color="#e6e6e6")
    if target:
        label = f"target: at most {target:g} per hour"
        axes.axvline(target, color=GREY, linewidth=1.2, linestyle=(0, (4, 3)), label=label)


def _curve(axes: Axes, label: str, curve: DetCurve, colour: str, line: str, point: int | None) -> None:
    rates, deviates, shown = _rates(curve), _deviates(_shares(curve)), _unbeaten(curve)
    name = f"{label} ({curve.words:,} words, {curve.hours:.3g} h)"
    # To the end on the right: with more false accepts there are not fewer false rejects.
    x, y = np.append(rates[shown], HIGHEST_RATE), np.append(deviates[shown], deviates[shown[-1]])
    axes.plot(x, y, color=colour, linestyle=line, linewidth=1.8, label=name, drawstyle="steps-post")
    if point is None:
        return
    axes.plot(rates[point], deviates[point], marker="o", markersize=8, color=colour, markeredgecolor="white", zorder=5)
    accepts, missed = curve.false_accepts[point], curve.false_rejects[point] / curve.words
    rate = f"{_counted(accepts)}, {accepts / curve.hours:.2g} per hour" if accepts else "no false accept seen"
    text = f"threshold {curve.threshold[point]:.3f}: {100 * missed:.1f} % missed,\n{rate}"
    paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
    at = (rates[point], deviates[point])
    axes.annotate(text, at, xytext=(10, 10), textcoords="offset points", fontsize=9, zorder=4, bbox=paper)


def stream_table(figures: StreamFigures, choice: Choice | WordThresholds | None = None) -> Table:
    """What a detector did on a stream, a line per figure, with how sure each is.

    Args:
        choice: how the threshold was chosen, for the last line.
    """
    low, high = figures.false_reject_range
    rate, most = figures.false_accepts_per_hour, figures.false_accepts_per_hour_below
    table = plain_table(
        f"{figures.words:,} hotwords in {figures.seconds / 3600:.3g} h of constructed sound",
        caption="" if choice is None else f"how the threshold was chosen: {choice.note}",
    )
    table.show_header = False
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    table.add_row("false accepts per hour", f"{rate:.2g}", f"{figures.false_accepts} counted; below {most:.3g}, 95 %")
    share = number(figures.false_reject_share, "%")
    table.add_row(
        "false rejects", share, f"{figures.false_rejects} counted; {100 * low:.1f} to {100 * high:.1f} %, 95 %"
    )
    table.add_row("latency, median", number(_whole(figures.latency_median_ms), "ms"), "from the end of the word")
    table.add_row("latency, 90 %", number(_whole(figures.latency_90_ms), "ms"), "without the time to compute")
    said, clips = figures.recipe.get("other_clips", 0), figures.recipe.get("negative_clips", 0)
    if clips:
        table.add_row("other sounds", f"{said:,}", f"of {clips:,} clips, {_times(said, clips)}")
    if len(figures.by_word) > 1:
        for word, one in figures.by_word.items():
            missed = f"{one['false_rejects']} of {one['words']} missed"
            table.add_row(f"  {word}", missed, _counted(one["false_accepts"]))
    return table


def _times(said: int, clips: int) -> str:
    """How often each is said: bounds of confidence are those of clips that are said once."""
    if said <= clips:
        return "none said twice"
    few, more = divmod(said, clips)
    often = f"{few} or {few + 1}" if more else f"{few}"
    return f"each said {often} times"


def _counted(accepts: int) -> str:
    return f"{accepts} false accept{'s' * (accepts != 1)}"


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
