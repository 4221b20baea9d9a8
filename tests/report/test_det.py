# SPDX-License-Identifier: Apache-2.0
"""The DET plot shows what is on the curve, on any page, and refuses what does not fit together; the table too."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from rich.console import Console

from shrinkfit.audio.choose import choose_threshold
from shrinkfit.audio.figures import DetCurve, StreamFigures
from shrinkfit.report import det
from shrinkfit.report.det import plot_det, stream_table


def curve(seed=0, points=200, hours=2.0, words=400):
    """Falling false accepts, rising false rejects, with some bumps as a refractory time makes them."""
    rng = np.random.default_rng(seed)
    accepts = np.sort(rng.integers(0, 3_000, points))[::-1] + rng.integers(0, 20, points)
    accepts[-40:] = 0
    rejects = np.minimum(np.sort(rng.integers(0, words // 2, points)) + rng.integers(0, 5, points), words)
    threshold = tuple(np.linspace(0.1, 0.99, points).tolist())
    return DetCurve(hours, words, threshold, tuple(accepts.tolist()), tuple(rejects.tolist()))


def share_of(path, colour):
    """Share of the pixels that have a colour."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return float((np.abs(imread(path)[..., :3] - rgb).max(axis=-1) < 0.02).mean())


@pytest.mark.parametrize("seed", range(5))
def test_drawn_are_the_points_that_no_other_beats(seed):
    one = curve(seed)
    pairs = list(zip(one.false_accepts, one.false_rejects, strict=True))
    unbeaten = {p for p in pairs if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in pairs)}
    drawn = [pairs[i] for i in det._unbeaten(one)]
    assert set(drawn) == unbeaten and drawn == sorted(drawn)


@pytest.mark.parametrize(
    "extreme",
    [
        DetCurve(1.0, 10, (0.5,), (0,), (0,)),
        DetCurve(1.0, 10, (0.5,), (0,), (10,)),
        DetCurve(0.01, 1, (0.2, 0.5), (10**6, 0), (0, 1)),
        DetCurve(50.0, 10_000, (0.2, 0.5), (3, 1), (1, 2)),
    ],
    ids=["perfect", "deaf", "short", "long"],
)
def test_extremes_are_drawn(tmp_path, extreme):
    path = plot_det(tmp_path / "det.png", {"test": extreme}, operating={"test": 0}, max_false_accepts_per_hour=0.5)
    assert share_of(path, det.COLOURS[0]) > 0.0003


def test_two_curves_look_different(tmp_path):
    curves = {"validation": curve(1), "test": curve(2)}
    one, same = (plot_det(tmp_path / name, curves) for name in ("a.png", "b.png"))
    assert all(share_of(one, colour) > 0.001 for colour in det.COLOURS[:2])
    assert one.read_bytes() == same.read_bytes()


def test_what_is_written(tmp_path, monkeypatch):
    figure = Figure()
    monkeypatch.setattr(det, "draw", lambda path, size, fill: fill(figure))
    one = curve(1)
    plot_det("det.png", {"test": one}, operating={"test": 120}, max_false_accepts_per_hour=0.5, title="Ten words")
    (axes,) = figure.axes
    (note,) = [text.get_text() for text in axes.texts]
    assert note.startswith(f"threshold {one.threshold[120]:.3f}: {one.false_rejects[120] / 4:.1f} % missed")
    assert f"{one.false_accepts[120]} false accepts, {one.false_accepts[120] / 2:.2g} per hour" in note
    assert (axes.get_title(loc="left") or axes.get_title()) == "Ten words"
    assert axes.get_xlabel() == "false accepts per hour" and axes.get_ylabel().startswith("false rejects")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(labels) == ["target: at most 0.5 per hour", "test (400 words, 2 h)"]


def test_it_brings_its_own_paper(tmp_path):
    """On a dark page as on a light one: every pixel is opaque and the paper is white."""
    picture = imread(plot_det(tmp_path / "det.png", {"test": curve()}))
    assert picture.shape[2] == 3 or (picture[..., 3] == 1).all()
    assert (picture[..., :3].min(axis=-1) > 0.98).mean() > 0.5 and picture[0, 0, :3].min() == 1


@pytest.mark.parametrize(
    ("curves", "operating", "says"),
    [
        ({}, None, "0 curves cannot be drawn, expected 1 to 4"),
        ({f"c{i}": curve() for i in range(5)}, None, "5 curves"),
        ({"test": curve()}, {"tset": 1}, r"operating names \['tset'\], which no curve is called: \['test'\]"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, curves, operating, says):
    with pytest.raises(ValueError, match=says):
        plot_det(tmp_path / "det.png", curves, operating=operating)
    assert not (tmp_path / "det.png").exists()


def figures(**change):
    plain = {"detector": {}, "seconds": 3_600.0, "hours": 0.9, "words": 200, "false_rejects": 14, "false_accepts": 2}
    plain |= {"false_accepts_per_hour": 2 / 0.9, "false_accepts_per_hour_below": 6.996, "false_reject_share": 0.07}
    plain |= {"false_reject_range": (0.0421, 0.1142), "latency_median_ms": 126.4, "latency_90_ms": None}
    plain |= {"by_word": {"yes": {"words": 200, "false_rejects": 14, "false_accepts": 2}}}
    return StreamFigures(**(plain | {"false_accept_seconds": (), "recipe": {}} | change))


def printed(table):
    console = Console(width=200)
    with console.capture() as caught:
        console.print(table)
    return [line.split("  ") for line in caught.get().splitlines()], caught.get()


def test_table_of_figures():
    lines, text = printed(stream_table(figures(), choose_threshold(curve(), 30.0)))
    cells = {line[0]: [cell.strip() for cell in line[1:] if cell.strip()] for line in lines}
    assert cells["false accepts per hour"] == ["2.2", "2 counted; below 7, 95 %"]
    assert cells["false rejects"] == ["7.0 %", "14 counted; 4.2 to 11.4 %, 95 %"]
    assert cells["latency, median"][0] == "126 ms" and cells["latency, 90 %"][0] == "?"
    assert "200 hotwords in 1 h" in text and "how the threshold was chosen: " in text and "yes" not in text


def test_table_of_several_words():
    counts = {"words": 9, "false_rejects": 1, "false_accepts": 4}
    _, text = printed(stream_table(figures(by_word={"yes": counts, "no": counts | {"words": 3}})))
    assert "1 of 9 missed" in text and "1 of 3 missed" in text and "4 false accepts" in text
    assert "chosen" not in text


@pytest.mark.parametrize(
    ("said", "clips", "text"),
    [
        (1_200, 1_300, "of 1,300 clips, none said twice"),
        (1_300, 1_300, "of 1,300 clips, none said twice"),
        (2_600, 1_300, "of 1,300 clips, each said 2 times"),
        (9_000, 200, "of 200 clips, each said 45 times"),
        (2_000, 1_300, "of 1,300 clips, each said 1 or 2 times"),
    ],
)
def test_table_tells_how_often_the_other_sounds_are_said(said, clips, text):
    _, told = printed(stream_table(figures(recipe={"other_clips": said, "negative_clips": clips})))
    assert f"{said:,}" in told and text in told


def test_table_of_a_stream_without_other_sounds():
    assert "other sounds" not in printed(stream_table(figures(recipe={"other_clips": 0, "negative_clips": 0})))[1]
