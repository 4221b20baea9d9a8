# SPDX-License-Identifier: Apache-2.0
"""C kernels that keep state against the simulator: outputs and state, bit for bit, step after step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.graph import simulate
from shrinkfit.price.kernels import kernel_for
from tests.runtime_c import graphs_arithmetic as g
from tests.runtime_c.cases_arithmetic import CELLS
from tests.runtime_c.runner import Runner


def assert_same_run(lib, graph, rng, steps):
    session, runner = simulate.Session(graph), Runner(lib, graph)
    for step in range(steps):
        inputs = g.inputs_for(graph, rng, {3: -128, 5: 127}.get(step))
        expected = session.step(inputs)[graph.outputs[0]]
        np.testing.assert_array_equal(runner.step(inputs), expected, err_msg=f"step {step}")
        for name, state in session.state.items():
            np.testing.assert_array_equal(runner.state[name], state, err_msg=f"step {step}, {name}")


@pytest.mark.parametrize("case", CELLS, ids=str)
def test_outputs_and_state_over_100_steps(lib, case):
    rng = np.random.default_rng(1)
    assert_same_run(lib, case.make(rng), rng, 100)


@settings(deadline=None)
@given(st.data())
def test_random_lstms(lib, data):
    steps, features, units = data.draw(st.tuples(*[st.integers(1, 6)] * 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    zps = data.draw(st.tuples(*[st.integers(-128, 127)] * 2))
    size = 10.0 ** data.draw(st.integers(-4, 4))
    graph = g.lstm(rng, steps, features, units, data.draw(st.integers(9, 15)), zps=zps, size=size)
    assert_same_run(lib, graph, rng, 4)


@settings(deadline=None)
@given(st.data())
def test_random_svdfs(lib, data):
    features, units, memory, rank = data.draw(st.tuples(*[st.integers(1, 6)] * 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    zps = data.draw(st.tuples(*[st.integers(-128, 127)] * 2))
    scales = tuple(10.0 ** data.draw(st.integers(-5, 3)) for _ in range(3))
    graph = g.svdf(rng, features, units, memory, rank, scales, zps, heavy=data.draw(st.booleans()))
    assert_same_run(lib, graph, rng, 4)


def test_a_cell_too_wide_for_the_kernel_is_refused():
    graph = g.lstm(np.random.default_rng(0), 1, 2, 2, cell_bits=8)
    with pytest.raises(UnsupportedLayerError, match="8 fractional bits"):
        kernel_for(graph.ops[0], graph, False)
