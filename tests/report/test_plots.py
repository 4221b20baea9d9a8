# SPDX-License-Identifier: Apache-2.0
"""Plots are written, are pictures with content, and refuse numbers that do not fit together."""

import numpy as np
import pytest

from shrinkfit.errors import ShrinkfitError
from shrinkfit.report import plots

EPOCHS = [1, 2, 3]
COSTS = {"ram_bytes": [9000, 8000, 7000], "flops": [4e6, 3e6, 1.9e6]}
LIMITS = {"ram_bytes": [262144] * 3, "flops": [None, 3.5e6, 2e6]}
ACCURACY = {"training": [0.5, 0.7, 0.9], "validation": [0.5, 0.6, 0.8]}


def pixels(path) -> np.ndarray:
    from matplotlib.image import imread

    return imread(path)


def drawn(path) -> float:
    """Share of pixels that are not white."""
    return float((pixels(path)[..., :3].min(axis=-1) < 0.98).mean())


@pytest.mark.parametrize(
    "costs, limits, accuracy",
    [
        (COSTS, LIMITS, ACCURACY),
        (COSTS, {}, {}),
        ({}, {}, ACCURACY),
        ({"cycles": [5, 4, 3]}, {"cycles": [4, 4, 4]}, {}),
    ],
)
def test_epochs(tmp_path, costs, limits, accuracy):
    path = plots.plot_epochs(tmp_path / "new" / "epochs.png", EPOCHS, costs, limits, accuracy)
    assert drawn(path) > 0.01
    height, width = pixels(path).shape[:2]
    assert width == 1125 and abs(height - 150 * (0.6 + 1.75 * (len(costs) + bool(accuracy)))) <= 1


def test_same_numbers_give_the_same_file(tmp_path):
    first, second = (plots.plot_epochs(tmp_path / name, EPOCHS, COSTS, LIMITS, ACCURACY) for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "epochs, costs, message",
    [(EPOCHS, {"flops": [1, 2]}, "'flops' has 2 values, expected 3"), ([], {}, "nothing to plot")],
)
def test_epochs_that_do_not_fit(tmp_path, epochs, costs, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_epochs(tmp_path / "x.png", epochs, costs, {}, {})
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("n", [2, 12])
def test_confusion_is_dark_on_the_diagonal_only(tmp_path, n):
    right = plots.plot_confusion(tmp_path / "right.png", 50 * np.eye(n, dtype=int), [f"word{i}" for i in range(n)])
    none = plots.plot_confusion(tmp_path / "none.png", np.zeros((n, n), int), [f"word{i}" for i in range(n)])
    dark = [(pixels(path)[..., 0] < 0.2).mean() for path in (right, none)]
    assert dark[0] > dark[1] + 0.3 / n


def test_confusion_of_a_wrong_shape(tmp_path):
    with pytest.raises(ValueError, match=r"shape \(2, 3\), expected \(2, 2\) for 2 labels"):
        plots.plot_confusion(tmp_path / "x.png", np.ones((2, 3)), ["a", "b"])


def test_widths(tmp_path):
    path = plots.plot_widths(tmp_path / "w.png", {"a": 64, "b": 32}, {"a": 16, "b": 32})
    assert drawn(path) > 0.05
    with pytest.raises(ValueError, match="before names the layers"):
        plots.plot_widths(path, {"a": 64}, {"b": 16})


def test_a_format_that_is_none_is_named(tmp_path):
    with pytest.raises(
        ShrinkfitError, match=r"x\.foo' ends in '\.foo'; expected a format such as \.png, \.svg or \.pdf"
    ):
        plots.draw(tmp_path / "x.foo", (2, 2), lambda figure: None)
    assert list(tmp_path.iterdir()) == []
