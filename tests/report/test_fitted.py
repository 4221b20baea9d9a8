# SPDX-License-Identifier: Apache-2.0
"""The table and the plot of a fit say what its records say."""

import pytest

import shrinkfit
from shrinkfit.report.fitted import fit_figure
from tests.report.test_plots import drawn
from tests.report.test_table import row


def layer(name, before, after, reason, epochs=None, makes=True):
    costs = {
        f"{cost}_{when}": 1000 * n
        for cost in ("flops", "flash_bytes", "ram_bytes")
        for when, n in (("before", before), ("after", after))
    }
    widths = {"width_before": before, "width_after": after, "makes_channels": makes}
    return {"layer": name, "kind": "conv2d", **widths, **costs, "epochs": epochs, "reason": reason}


class Fitted:
    """What summary and plot_fit ask of a FitDevice."""

    def __init__(self, history=(), **changed):
        self._changed, self.history = changed, list(history)

    def records(self):
        costs = {"ram_bytes": 9000, "flash_bytes": 30_000, "flops": 4_000_000}
        return {
            "model": "kws",
            "device": "efm32",
            "epochs": 20,
            "layers": [
                layer("stem", 64, 41, "flops; no further: minimum_width 41", [2, 11]),
                layer("pool", 64, 41, "flops", [2, 11], makes=False),
                layer("head", 12, 12, "fixed by the model's inputs or outputs"),
            ],
            "before": costs,
            "after": costs | {"flops": 1_900_000},
            "limits": {"flops": 2_000_000, "flash_bytes": 20_000},
            "sparsity": {},
        } | self._changed


def text_of(**changed) -> str:
    texts = []
    shrinkfit.summary(Fitted(**changed), print_fn=texts.append)
    assert len(texts) == 1
    return texts[0]


def test_what_is_the_listeners_is_said():
    text = text_of(listener={"ram_bytes": 2200, "flash_bytes": 10_300})
    assert "the image that listens; 2,200 bytes of RAM and 10,300 bytes of flash are the listener's" in text
    assert "listener" not in text_of(listener=None)


def test_a_line_per_layer():
    text = text_of()
    assert "kws on efm32, 20 epochs" in text
    assert row(text, "stem").split()[:5] == ["stem", "64", "→", "41", "23"]
    assert "64,000 → 41,000" in row(text, "stem") and "3–12" in row(text, "stem")
    assert row(text, "stem").rstrip().endswith("FLOPs; no further: minimum_width 41")
    assert row(text, "head").split()[:4] == ["head", "12", "12,000", "12,000"] and "inputs or outputs" in text


def test_totals_against_the_limits():
    text = text_of()
    assert row(text, "FLOPs").split() == ["FLOPs", "4,000,000", "1,900,000", "52.5", "%", "2,000,000", "95.0", "%"]
    assert row(text, "flash").rstrip().endswith("150.0 %") and row(text, "RAM").rstrip().endswith("no limit")


def test_milliseconds_have_three_digits():
    text = text_of(before={"latency_ms": 0.3361}, after={"latency_ms": 0.2293}, limits={"latency_ms": 0.25})
    assert row(text, "latency").split() == ["latency", *"0.336 ms 0.229 ms 31.8 % 0.25 ms 91.7 %".split()]


@pytest.mark.parametrize(("sparsity", "said"), [({}, False), ({"a": {"blocks": 60, "zero": 45, "share": 0.75}}, True)])
def test_zero_blocks_say_where_the_device_skips_them(sparsity, said):
    assert ("45 of 60 in 1 layers; the device skips them in dense" in text_of(sparsity=sparsity)) is said


def test_the_console_is_the_default_and_80_columns_are_enough(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shrinkfit.summary(Fitted())
    lines = capsys.readouterr().out.splitlines()
    assert "64 → 41" in row("\n".join(lines), "stem") and not any("…" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_the_plot_has_the_layers_that_make_channels(tmp_path, monkeypatch):
    from shrinkfit.report import fitted

    drawn_with = []
    monkeypatch.setattr(fitted, "plot_widths", lambda *args: drawn_with.append(args) or args[0])
    shrinkfit.plot_fit(Fitted(), tmp_path / "w.png")
    assert drawn_with == [(tmp_path / "w.png", {"stem": 64, "head": 12}, {"stem": 41, "head": 12})]


def test_the_plot_is_drawn(tmp_path):
    assert drawn(shrinkfit.plot_fit(Fitted(), tmp_path / "w.png")) > 0.02


def epoch(number, **metrics):
    costs = {"ram_bytes": 9000, "flash_bytes": 30_000, "flops": 4_000_000 - 900_000 * number, "latency_ms": 0.3}
    return {"epoch": number, "costs": costs, "limits": {"flops": 2_000_000, "flash_bytes": 20_000}, "metrics": metrics}


def texts_of(figure):
    """Titles of the panels and what else is written into them."""
    drawn = [axes for part in figure.subfigs for axes in part.axes]
    return [axes.get_title(loc="left") for axes in drawn], [text.get_text() for axes in drawn for text in axes.texts]


def test_a_fit_in_one_figure(tmp_path):
    history = [epoch(n, accuracy=0.5 + 0.1 * n, val_accuracy=0.5, loss=1.0) for n in range(3)]
    running = {"epoch": 3, "limits": {"flops": 2_000_000}}  # has no costs yet
    figure = fit_figure(Fitted([*history, running]), tmp_path / "fit.png")
    titles, texts = texts_of(figure)
    assert titles == ["Accuracy", "Flash", "Operations per inference", "Channels per layer"]
    assert {"  41 of 64", "  12 of 12", "above the limit", "2.2"} <= set(texts)
    accuracy, _, flops, _ = (axes for part in figure.subfigs for axes in part.axes)
    assert list(accuracy.lines[0].get_xdata()) == [1, 2, 3] and list(accuracy.lines[0].get_ydata()) == [50, 60, 70]
    assert list(flops.lines[0].get_ydata()) == [4.0, 3.1, 2.2] and list(flops.lines[1].get_ydata()) == [2, 2, 2]
    assert drawn(tmp_path / "fit.png") > 0.02 and figure._repr_png_()[:4] == b"\x89PNG"


def test_without_limits_or_accuracy_costs_and_losses_are_drawn(tmp_path):
    bare = epoch(1, loss=0.25) | {"limits": {}}
    figure = fit_figure(Fitted([bare], layers=[]), tmp_path / "fit.svg")
    wanted = ["Loss", "RAM", "Flash", "Operations per inference", "Latency"]
    assert texts_of(figure)[0] == wanted and "<svg" in (tmp_path / "fit.svg").read_text()
    assert figure.subfigs[0].axes[0].lines[0].get_ydata() == [0.25]
    assert figure.subfigs[0].axes[-1].get_ylabel() == "µs"  # a small latency


def test_nothing_to_plot_is_said():
    with pytest.raises(shrinkfit.ShrinkfitError, match="no epoch of this fit has ended"):
        fit_figure(Fitted([{"epoch": 0, "limits": {}}]))


def test_names_are_shown_as_they_are():
    layers = [layer("[hey]", 4, 4, "a[red]b"), layer("[/s] :smile:", 4, 4, "")]
    text = text_of(model="kws [rev B]", device="board [/x]", layers=layers)
    for name in ("kws [rev B] on board [/x]", "[hey]", "a[red]b", "[/s] :smile:"):
        assert name in text


@pytest.mark.parametrize("ask", [shrinkfit.summary, lambda fit: shrinkfit.plot_fit(fit, "x.png")])
def test_something_else_than_a_fit_is_refused(ask):
    with pytest.raises(shrinkfit.ShrinkfitError, match=r"takes a FitDevice that .* this is a dict; .*price\(model\)"):
        ask({})
