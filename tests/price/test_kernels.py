# SPDX-License-Identifier: Apache-2.0
"""What kernels cost: the figures that need no compiler against those that a compiler gives."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shrinkfit.device import Device, devices, get_device
from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError
from shrinkfit.price import code_sizes, kernels, linked
from shrinkfit.write.pack import pack
from tests.runtime_c import graphs
from tests.runtime_c.cases import CASES, label
from tests.runtime_c.native import RUNTIME

ROOT = Path(__file__).resolve().parents[2]
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


@needs_arm
def test_struct_sizes():
    lines = [f"_Static_assert(sizeof({name}) == {size}, #name);" for name, size in kernels.STRUCT_BYTES.items()]
    source = '#include "shrinkfit.h"\n' + "\n".join(lines).replace("#name", '"size"')
    command = ["arm-none-eabi-gcc", "-std=c11", "-fsyntax-only", f"-I{RUNTIME}", "-xc", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", CASES, ids=label)
def test_data_bytes_are_those_packed(case):
    graph = case[0](np.random.default_rng(0), **case[1])
    (op,) = graph.ops
    packed = pack(op, graph, True)
    sizes = [array.nbytes for array in packed.arrays.values()] + [kernels.STRUCT_BYTES[packed.params]]
    assert kernels.kernel_for(op, graph, True).data_bytes == sum(-(-size // 4) * 4 for size in sizes)


REFUSED = [
    (graphs.dense(np.random.default_rng(0), 1, 70000), "size of 70000"),
    (graphs.mean(None, (2, 3, 4, 5, 6), (1, 3, 5)), "3 places"),
    (graphs.softmax(None, (5000,)), "takes up to 4095"),
    (graphs.softmax(None, (5,), scale=1e-9), "too small"),
    (graphs.mean(None, (2100, 2000, 2), (1, 2)), "takes up to 4194304"),
]


@pytest.mark.parametrize(("graph", "message"), REFUSED, ids=lambda x: x if isinstance(x, str) else "")
def test_what_no_kernel_takes_is_refused(graph, message):
    with pytest.raises(UnsupportedLayerError, match=message):
        kernels.kernel_for(graph.ops[0], graph, True)


def test_price_depends_on_shapes_only():
    sizes = dict(size=(6, 5), channels=4, kernel=(3, 3), out=6)
    a, b = (graphs.conv(np.random.default_rng(seed), **sizes) for seed in (1, 2))
    assert kernels.kernel_for(a.ops[0], a, True) == kernels.kernel_for(b.ops[0], b, True)


@pytest.mark.parametrize("device", devices(), ids=lambda d: d.name)
def test_every_catalogued_core_has_sizes(device):
    graph = graphs.conv(np.random.default_rng(0), size=(6, 5), channels=4, kernel=(3, 3), out=6)
    assert 1000 < linked.linked_code_bytes(graph, device) < 6000
    assert 100 < linked.run_stack_bytes(graph, device) < linked.stack_bytes(graph, device) < 1024
    assert linked.static_ram_bytes(graph, device) == 0


def test_only_used_kernels_are_linked():
    device = get_device("efm32")
    dense = graphs.dense(np.random.default_rng(0), 8, 4)
    conv = graphs.conv(np.random.default_rng(0), size=(6, 5), channels=4, kernel=(3, 3), out=6)
    assert linked.linked_code_bytes(dense, device) < linked.linked_code_bytes(conv, device)


def test_unknown_core_is_named():
    graph = graphs.dense(np.random.default_rng(0), 8, 4)
    with pytest.raises(ShrinkfitError, match="'xtensa-lx7' has no measured code sizes.*cortex-m4"):
        linked.linked_code_bytes(graph, Device(name="esp", core="xtensa-lx7", dsp=False))


def test_closure_and_stack_of_a_small_program():
    section = code_sizes.Section
    sections = {
        "a:.text.main": section(10, 8, ("run", "a:.data.x")),
        "a:.data.x": section(4, 0, ()),
        "a:.bss.y": section(100, 0, ()),
        "b:.text.run": section(20, 16, ("b:.text.leaf", "b:.text.run", "a:.bss.y")),
        "b:.text.leaf": section(6, 32, ()),
        "b:.text.other": section(1000, 1000, ()),
    }
    sizes = code_sizes.CodeSizes(sections, {"run": "b:.text.run"}, ("a:.text.main",))
    assert sizes.flash_bytes(()) == 10 + 4 + 20 + 6
    assert sizes.ram_bytes(()) == 104
    assert sizes.stack_bytes("a:.text.main") == 8 + 16 + 32


@needs_arm
def test_code_sizes_are_up_to_date():
    """benchmarks/code_sizes.py rewrites the file after a change in runtime_c/."""
    version = subprocess.run(["arm-none-eabi-gcc", "-dumpfullversion"], capture_output=True, text=True).stdout.strip()
    if version not in code_sizes.PATH.read_text()[:200]:
        pytest.skip(f"code_sizes.json was made by another compiler than this one, {version}")
    script = [sys.executable, str(ROOT / "benchmarks" / "code_sizes.py"), "--check", "cortex-m4+fp", "cortex-m0plus"]
    done = subprocess.run(
        script, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
