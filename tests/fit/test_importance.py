# SPDX-License-Identifier: Apache-2.0
"""Importance: measures by name, the user's own, and what is refused."""

import keras
import numpy as np
import pytest

from shrinkfit.errors import ShrinkfitError
from shrinkfit.fit.channels import couple
from shrinkfit.fit.importance import checked_measure, measure
from shrinkfit.read.stages import fuse
from shrinkfit.read.topology import canonical_weights, read_topology
from tests.keras_models import MODELS, trained


@pytest.fixture(scope="module")
def parts():
    keras.backend.clear_session()  # layers' names count from the beginning again
    topology = read_topology(trained(MODELS["ds_cnn"]))
    stages, channels = fuse(topology), couple(topology)
    weights = {node.name: canonical_weights(node) for node in topology.nodes.values()}
    return topology, stages, channels, weights


def measured(parts, importance, taps=None, alive=None):
    _, stages, channels, weights = parts
    return measure(
        importance, stages, channels, weights, taps, np.ones(channels.count, bool) if alive is None else alive
    )


def group_of(parts, layer):
    return next(group for group in parts[2].groups if layer in group.name.split("+"))


def test_a_function_sees_each_layer_and_decides(parts):
    seen = {}

    def mine(view):
        seen[view.name] = view
        return np.arange(len(view.alive)) if view.kind == "conv" else np.zeros(len(view.alive))

    taps = {stage.key: np.full(stage.last.shape[-1], 7.0) for stage in parts[1] if stage.kind == "conv"}
    worth, instead = measured(parts, mine, taps)
    first = seen["conv2d"]
    assert not instead and worth[group_of(parts, "conv2d").units].tolist() == list(range(12))
    assert first.kernel.shape == (5, 3, 1, 12) and first.gamma.shape == (12,) and (first.taylor == 7).all()
    assert {view.kind for view in seen.values()} == {"conv", "depthwise", "dense"}
    with pytest.raises(ValueError, match="read-only"):
        first.kernel[:] = 0


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda view: np.ones(3), r"importance of layer 'conv2d' has shape \(3,\), expected \(12,\)"),
        (lambda view: 1.0, r"layer 'conv2d' has shape \(\), expected \(12,\)"),
        (lambda view: np.full(len(view.alive), np.nan), "layer 'conv2d' is nan for channel 0, expected finite"),
        (lambda view: -np.arange(len(view.alive)), "layer 'conv2d' is -1.0 for channel 1"),
    ],
)
def test_a_wrong_answer_is_refused_by_name(parts, answer, message):
    with pytest.raises(ShrinkfitError, match=message):
        measured(parts, answer)


def test_what_is_returned_for_channels_that_are_gone_is_not_read(parts):
    alive = np.ones(parts[2].count, bool)
    alive[group_of(parts, "conv2d").units[:5]] = False
    worth, _ = measured(parts, lambda view: np.where(view.alive, 1.0, np.nan), alive=alive)
    assert (worth[~alive] == 0).all() and np.isfinite(worth).all()


def test_batch_norm_is_gamma_and_says_where_there_is_none(parts):
    _, stages, channels, weights = parts
    worth, instead = measured(parts, "batch_norm")
    by_magnitude, _ = measured(parts, "magnitude")
    gammas = [weights[s.batch_norm.name]["gamma"] for s in stages if s.batch_norm is not None]
    expected = sum(np.abs(gamma) / np.abs(gamma).mean() for gamma in gammas)
    first, last = group_of(parts, "conv2d"), group_of(parts, "separable_conv2d")
    unnormalized = {s.head.name for s in stages if s.kind in ("conv", "depthwise", "dense") and s.batch_norm is None}
    assert set(instead) == unnormalized and "no gamma" in next(iter(instead.values()))
    assert worth[last.units] == pytest.approx(by_magnitude[last.units])
    # The separable convolution's depthwise part has no normalization: its magnitude is in the sum.
    assert (worth[first.units] > expected).all() and worth[first.units] != pytest.approx(by_magnitude[first.units])


def test_taylor_without_a_step_is_magnitude_and_says_so(parts):
    worth, instead = measured(parts, "taylor", taps=None)
    assert worth == pytest.approx(measured(parts, "magnitude")[0]) and "no float step" in instead["all"]
    taps = {stage.key: np.ones(stage.last.shape[-1]) for stage in parts[1] if stage.kind in ("conv", "dense")}
    worth, instead = measured(parts, "taylor", taps)
    assert not instead and (worth[group_of(parts, "conv2d").units] == 1).all()


def test_an_unknown_name_is_refused():
    with pytest.raises(ShrinkfitError, match="importance is 'luck', expected 'taylor', 'magnitude', 'batch_norm' or a"):
        checked_measure("luck")
