# SPDX-License-Identifier: Apache-2.0
"""Layers that the user keeps: by name, by pattern, with what is coupled; unknown names are errors."""

import keras
import pytest

from shrinkfit.errors import BudgetError, ShrinkfitError
from shrinkfit.fit.channels import couple
from shrinkfit.fit.floors import checked_exclude, checked_minimum, floors
from shrinkfit.read.topology import read_topology
from tests.keras_models import MODELS, trained


def floors_of(name, exclude=(), minimum_width=4):
    keras.backend.clear_session()  # layers' names count from the beginning again
    topology = read_topology(trained(MODELS[name]))
    channels = couple(topology)
    found = floors(topology, channels, exclude, minimum_width)
    return {group.name: floor for group, floor in zip(channels.groups, found, strict=True)}


@pytest.mark.parametrize(
    ("exclude", "group", "width", "reason"),
    [
        (("conv2d",), "conv2d", 12, "excluded by 'conv2d'"),
        (("conv2*",), "conv2d", 12, "excluded by 'conv2*'"),
        (("depthwise_conv2d",), "conv2d", 12, "coupled with 'depthwise_conv2d', excluded by 'depthwise_conv2d'"),
        ((), "separable_conv2d", 4, "minimum_width 4"),
    ],
)
def test_excluded_layers_and_what_is_coupled_with_them_stay_whole(exclude, group, width, reason):
    floor = floors_of("ds_cnn", exclude)[group]
    assert (floor.width, floor.reason) == (width, reason)


def test_a_coupled_group_stays_whole_for_one_of_its_layers():
    floor = floors_of("residual_1d", ("conv1d_1",))["conv1d+conv1d_1"]
    assert floor.width == 12 and floor.reason == "coupled with 'conv1d_1', excluded by 'conv1d_1'"


def test_minimum_widths_by_layer():
    found = floors_of("residual_1d", (), {"conv1d": 6, "conv1d_1": 8, "conv1d_2": 99})
    assert found["conv1d+conv1d_1"].width == 8 and found["conv1d_2"].width == 16
    assert "within minimum_width 99" in found["conv1d_2"].reason
    assert {name: floor.width for name, floor in floors_of("ds_cnn", (), {"conv2d": 6}).items()} == {
        "conv2d": 6,
        "separable_conv2d": 4,
    }


@pytest.mark.parametrize(
    ("exclude", "minimum_width", "message"),
    [
        (("cov2d",), 4, "exclude: 'cov2d' matches no layer of the model; such as there are: 'conv2d'"),
        (("stem*",), 4, r"exclude: 'stem\*' matches no layer"),
        ((), {"batch_normalization": 8}, "minimum_width: 'batch_normalization' matches no layer that makes channels"),
    ],
)
def test_unknown_layers_are_errors(exclude, minimum_width, message):
    with pytest.raises(ShrinkfitError, match=message):
        floors_of("ds_cnn", exclude, minimum_width)


def test_bad_settings_are_errors():
    assert checked_exclude("stem") == ("stem",)
    with pytest.raises(ShrinkfitError, match="exclude holds 3, expected names"):
        checked_exclude([3])
    with pytest.raises(BudgetError, match="minimum_width of 'stem' is 0"):
        checked_minimum({"stem": 0})
