# SPDX-License-Identifier: Apache-2.0
"""Exported models with state, several inputs and outputs and other types: the C runs as the simulator does."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from shrinkfit.check.compare import check
from shrinkfit.errors import ExportError
from shrinkfit.graph import simulate
from shrinkfit.graph.inputs import graph_inputs
from shrinkfit.price.arena import plan
from shrinkfit.write.export import write_folder
from tests.runtime_c import layouts
from tests.write import stateful

STEPS = 50
DTYPES = ("int8", "uint8", "int16", "float32")
GRAPHS = [stateful.streaming(), *(stateful.delays(dtype) for dtype in DTYPES), stateful.delays("int16", seed=1)]
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")


def inputs_for(graph, steps=STEPS):
    rng = np.random.default_rng(1)
    rows = [{name: layouts.values(rng, graph.tensors[name])[0] for name in graph.inputs} for _ in range(steps)]
    return {name: np.array([row[name] for row in rows]) for name in graph.inputs}


def exact(graph, folder, on, device="efm32"):
    write_folder(graph, folder, name="net", device=device)
    result = check(folder, inputs_for(graph), on=on, graph=graph)
    assert result.exact, result.first_difference
    return result


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: f"{g.name}-{g.tensors[g.inputs[-1]].dtype}")
def test_host_equals_session(tmp_path, graph):
    result = exact(graph, tmp_path / "fw", "host")
    inputs, session = inputs_for(graph), simulate.Session(graph)
    steps = [session.step({name: values[i] for name, values in inputs.items()}) for i in range(STEPS)]
    outputs = result.outputs if isinstance(result.outputs, dict) else {graph.outputs[0]: result.outputs}
    for name, values in outputs.items():
        np.testing.assert_array_equal(values, [step[name] for step in steps])
        assert values.dtype == graph.tensors[name].dtype and len(np.unique(values[5:], axis=0)) > 10


@needs_arm
@pytest.mark.parametrize("device", ["efm32", "rp2040"])
@pytest.mark.parametrize("graph", [GRAPHS[0], GRAPHS[4], GRAPHS[5]], ids=lambda g: g.name)
def test_emulated_core_equals_session_with_sizes_as_printed(tmp_path, graph, device):
    result = exact(graph, tmp_path / "fw", "cortex-m4", device)
    assert result.ram_bytes == result.predicted["ram_bytes"]
    assert result.flash_bytes == pytest.approx(result.predicted["flash_bytes"], rel=0.02)
    assert result.stack_bytes <= result.predicted["stack_bytes"]
    assert [layer.name for layer in result.layers] == [
        op.name for op in graph.ops if op.kind != "reshape" and (graph.name, op.kind) != ("streaming", "read_variable")
    ]


@needs_arm
@needs_qemu
@pytest.mark.parametrize("graph", [GRAPHS[0], GRAPHS[4]], ids=lambda g: g.name)
def test_whole_firmware_equals_session(tmp_path, graph):
    exact(graph, tmp_path / "fw", "qemu")


def test_a_delay_comes_one_run_late(tmp_path):
    graph = stateful.delays("float32")
    write_folder(graph, tmp_path / "fw", name="net")
    inputs = inputs_for(graph)
    late = check(tmp_path / "fw", inputs, graph=graph).outputs["late"]
    np.testing.assert_array_equal(late[1:], inputs["in/1"][:-1])
    np.testing.assert_array_equal(late[0], graph.variables["delay"].initial[0])


def test_functions_are_named_after_tensors(tmp_path):
    graph = stateful.delays("uint8")
    report = write_folder(graph, tmp_path / "fw", name="net").details
    header = (tmp_path / "fw" / "net.h").read_text()
    for line in (
        "int8_t *net_input_in_0(void *arena);",
        "uint8_t *net_input_in_1(void *arena);",
        "const int8_t *net_output_turned(const void *arena);",
        "const uint8_t *net_output_late(const void *arena);",
        "const uint8_t *net_output_late_2(const void *arena);",
        "void net_reset(void *arena);",
        "#define NET_INPUT_IN_1_BYTES 5 /* uint8 5 */",
        "#define NET_OUTPUT_LATE_2_ZERO_POINT (130)",
        "#define NET_STATE_BYTES 16 /* the arena's first bytes */",
    ):
        assert line in header
    assert [edge["function"] for edge in report["inputs"]] == ["net_input_in_0", "net_input_in_1"]
    assert [edge["dtype"] for edge in report["outputs"]] == ["int8", "uint8", "uint8"]
    assert report["reset"] == "net_reset" and json.loads((tmp_path / "fw" / "report.json").read_text()) == report


def test_headers_and_model_compile_without_warning(tmp_path):
    write_folder(stateful.delays("float32"), tmp_path / "fw", name="net")
    source = '#include "net.h"\n#include "sf_model.h"\nfloat *at(void *a);\n'
    source += "float *at(void *a) { sf_model_reset(a); return net_input_in_1(a); }\n"
    common = ["-fsyntax-only", "-Wall", "-Wextra", "-Wconversion", "-Wcast-qual", "-Werror", f"-I{tmp_path / 'fw'}"]
    for compiler in (["gcc", "-xc", "-std=c99"], ["g++", "-xc++", "-std=c++11"]):
        if shutil.which(compiler[0]) is not None:
            subprocess.run([*compiler, *common, "-"], input=source, text=True, check=True)
    subprocess.run(["gcc", "-std=c99", *common, str(tmp_path / "fw" / "net.c")], check=True)


def test_labels_need_one_output(tmp_path):
    with pytest.raises(ExportError, match="labels are for models with one output, and this one has 3"):
        write_folder(stateful.delays(), tmp_path / "fw", name="net", labels=["a"])


def test_a_read_in_place_costs_nothing():
    streaming, delays = stateful.streaming(), stateful.delays()
    placed = plan(streaming, {})
    assert placed.offsets["old"] == placed.state_offsets["ring"] == 0
    placed = plan(delays, {})
    assert placed.offsets["late"] >= placed.state_bytes == 16
    assert "fixed" not in placed.offsets


def test_no_tensor_overlaps_the_state():
    for graph in GRAPHS:
        placed = plan(graph, {})
        held = {"old"} if graph.name == "streaming" else set()
        assert all(offset >= placed.state_bytes for name, offset in placed.offsets.items() if name not in held)
        assert placed.state_bytes >= sum(v.tensor.size_bytes for v in graph.variables.values())


def test_a_reset_forgets(tmp_path):
    """Two runs, a reset, the first run again."""
    graph = stateful.streaming()
    write_folder(graph, tmp_path / "fw", name="net")
    (tmp_path / "main.c").write_text(
        '#include <string.h>\n#include "net.h"\nstatic int8_t arena[NET_ARENA_BYTES] SF_ALIGN(8);\n'
        "static void go(int8_t v, int8_t *to) { memset(net_input(arena), v, NET_INPUT_BYTES);\n"
        "  if (net_run(arena) != SF_OK) return; memcpy(to, net_output(arena), NET_OUTPUT_BYTES); }\n"
        "int main(void) { int8_t a[3], b[3], c[3]; memset(arena, 77, sizeof arena); net_reset(arena);\n"
        "  go(9, a); go(9, b); net_reset(arena); go(9, c);\n"
        "  return memcmp(a, c, 3) == 0 && memcmp(a, b, 3) != 0 ? 0 : 1; }\n"
    )
    sources = [str(path) for path in (tmp_path / "fw").glob("*.c")]
    subprocess.run(
        ["gcc", f"-I{tmp_path / 'fw'}", str(tmp_path / "main.c"), *sources, "-o", tmp_path / "m"], check=True
    )
    assert subprocess.run([tmp_path / "m"]).returncode == 0


def test_a_model_that_only_copies(tmp_path):
    """Its output is a constant, and its run has no layer at all."""
    graph = layouts.graph_of(layouts.ir.Reshape, [(1, 6)], shape=(1, 2, 3))
    exact(graph, tmp_path / "fw", "host")
    tensors = graph.tensors | {"c": layouts.tensor("c", (1, 2))}
    constant = {"c": np.array([[5, -7]], np.int8)}
    both = layouts.ir.Graph("both", tensors, graph.ops, graph.inputs, ("y0", "c"), constant)
    assert np.all(exact(both, tmp_path / "fw2", "host").outputs["c"] == [5, -7])


def test_random_inputs_go_through_the_whole_range():
    values = graph_inputs(stateful.delays("float32"))
    assert set(values) == {"in:0", "in/1"} and {len(v) for v in values.values()} == {32}
    assert values["in/1"].dtype == np.float32 and np.ptp(values["in/1"]) > 7
    assert re.match("int8", str(values["in:0"].dtype))
