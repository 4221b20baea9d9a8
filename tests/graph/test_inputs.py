# SPDX-License-Identifier: Apache-2.0
"""What inputs check takes, and what it says about others."""

import numpy as np
import pytest

from shrinkfit.errors import CheckError
from shrinkfit.graph.inputs import graph_inputs, model_inputs, random_inputs
from shrinkfit.graph.ir import Tensor
from tests.write import stateful

TENSOR = Tensor("x", (1, 3, 2), 0.5, -1)


def test_random_inputs_hold_the_extremes_and_repeat():
    values = random_inputs(TENSOR)
    assert values.dtype == np.int8 and values.shape == (32, 3, 2)
    assert np.all(values[0] == -128) and np.all(values[1] == 127)
    np.testing.assert_array_equal(values, random_inputs(TENSOR))
    assert len(np.unique(values)) > 50


def test_int8_stays_and_float_is_quantized():
    given = np.arange(-6, 6, dtype=np.int8).reshape(2, 3, 2)
    np.testing.assert_array_equal(model_inputs(TENSOR, given), given)
    np.testing.assert_array_equal(model_inputs(TENSOR, 0.5 * (given.astype(float) + 1)), given)


def test_float_saturates():
    assert model_inputs(TENSOR, np.full((1, 3, 2), 1e9, np.float32)).min() == 127


def test_npy_file(tmp_path):
    given = np.ones((4, 3, 2), np.int8)
    np.save(tmp_path / "x.npy", given)
    np.testing.assert_array_equal(model_inputs(TENSOR, tmp_path / "x.npy"), given)


BAD = [
    (np.zeros((4, 2, 3), np.int8), r"shape \[4, 2, 3\], expected \[n, 3, 2\] with n at least 1"),
    (np.zeros((3, 2), np.int8), r"shape \[3, 2\], expected \[n, 3, 2\]"),
    (np.zeros((0, 3, 2), np.int8), r"shape \[0, 3, 2\]"),
    (np.int8(1), r"shape \[\], expected"),
    (np.zeros((4, 3, 2), np.uint8), "inputs are uint8, expected int8, or float"),
    (np.zeros((4, 3, 2), bool), "inputs are bool"),
    (np.full((1, 3, 2), np.nan), r"inputs hold nan at \[0, 0, 0\]"),
    (np.full((1, 3, 2), -np.inf, np.float32), r"inputs hold -inf"),
    ("absent.npy", "inputs 'absent.npy' cannot be read"),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_bad_inputs(given, message):
    with pytest.raises(CheckError, match=message):
        model_inputs(TENSOR, given)


def test_files_of_other_kinds(tmp_path):
    (tmp_path / "text.npy").write_text("no array")
    np.savez(tmp_path / "many.npz", a=np.zeros(1))
    for name in ("text.npy", "many.npz"):
        with pytest.raises(CheckError, match=name):
            model_inputs(TENSOR, tmp_path / name)


GRAPH = stateful.delays("int16")
BOTH = {"in:0": np.ones((4, 2, 3), np.int8), "in/1": np.full((4, 5), 0.1, np.float32)}


def test_several_inputs_by_name_or_from_one_file(tmp_path):
    np.savez(tmp_path / "x.npz", **BOTH)
    for given in (BOTH, tmp_path / "x.npz"):
        made = graph_inputs(GRAPH, given)
        np.testing.assert_array_equal(made["in:0"], BOTH["in:0"])
        assert made["in/1"].dtype == np.int16 and np.all(made["in/1"] == 100)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_random_inputs_of_other_types(dtype):
    tensor = stateful.delays(dtype).tensors["in/1"]
    values = random_inputs(tensor, like=Tensor("q", tensor.shape, 0.5, -20) if dtype == "float32" else None)
    low, high = (-54.5, 74) if dtype == "float32" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    assert values.dtype == dtype and values.min() <= low + 1 and values.max() >= high - 1


STRANGE = [
    (np.zeros((4, 2, 3), np.int8), "the model has the inputs 'in:0', 'in/1'; give a dictionary or an .npz file"),
    (BOTH | {"x": np.zeros(3)}, "inputs are given for 'in:0', 'in/1', 'x'"),
    (BOTH | {"in:0": np.zeros((3, 2, 3), np.int8)}, "different lengths: {'in:0': 3, 'in/1': 4}"),
]


@pytest.mark.parametrize(("given", "message"), STRANGE)
def test_strange_inputs_for_a_model_with_several(given, message):
    with pytest.raises(CheckError, match=message):
        graph_inputs(GRAPH, given)
