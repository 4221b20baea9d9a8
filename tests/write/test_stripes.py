# SPDX-License-Identifier: Apache-2.0
"""Exported stripes: the simulator's bytes on the host and on an emulated core, in an image with less RAM."""

import shutil
import subprocess

import numpy as np
import pytest

import shrinkfit
from shrinkfit.graph import simulate
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.export import export
from tests.write import nets
from tests.write.test_export import make, run_host

NETS = {"image": nets.image(1, (24, 16), 8), "skips": nets.skips(1, (16, 8), 8)}
STRICT = "-std=c99 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover -Wall -Wextra -Wconversion -Werror"
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


@pytest.mark.parametrize(("name", "dsp"), [("image", 0), ("image", 1), ("skips", 1)])
def test_host_program_equals_simulator(tmp_path, name, dsp):
    graph = NETS[name]
    assert export(graph, tmp_path / "fw", name="net", ram="smallest").cost.stripes
    make(tmp_path / "fw", "host", f"CFLAGS={STRICT} -DSF_USE_DSP={dsp}")
    inputs = np.random.default_rng(0).integers(-128, 128, (12, *graph.tensors[graph.inputs[0]].shape[1:]), np.int8)
    np.testing.assert_array_equal(run_host(tmp_path / "fw", graph, inputs), simulate.run(graph, inputs))


@needs_arm
@pytest.mark.parametrize(("name", "part"), [("image", "rp2040"), ("skips", "efm32")])
def test_the_linked_image_is_as_small_as_priced(tmp_path, name, part):
    whole = export(NETS[name], tmp_path / "whole", name="net", device=part)
    cost = export(NETS[name], tmp_path / "fw", name="net", device=part, ram="smallest").cost
    make(tmp_path / "fw", "firmware")
    elf = str(tmp_path / "fw" / "build" / "firmware.elf")
    sizes = subprocess.run(["arm-none-eabi-size", elf], capture_output=True, text=True, check=True).stdout
    text, data, bss = map(int, sizes.splitlines()[1].split()[:3])
    assert cost.ram_bytes == data + bss < whole.cost.ram_bytes
    assert cost.flash_bytes == pytest.approx(text + data, rel=0.01)


@needs_arm
@pytest.mark.parametrize(("name", "optimize"), [("skips", "balanced"), ("image", "speed"), ("image", "size")])
def test_an_emulated_core_writes_the_same_bytes_within_the_stack(tmp_path, name, optimize):
    report = export(NETS[name], tmp_path / "fw", name="net", optimize=optimize, ram="smallest")
    result = shrinkfit.check(tmp_path / "fw", on="cortex-m4")
    assert result.held and result.stack_bytes <= report.details["run_stack_bytes"]
    assert result.cycles == pytest.approx(report.cost.cycles, rel=0.1)


def test_weights_are_stored_once_and_the_tflite_is_the_whole_model(tmp_path):
    report = export(NETS["image"], tmp_path / "fw", name="net", ram="smallest")
    weights = (tmp_path / "fw" / "net_weights.h").read_text()
    calls = (tmp_path / "fw" / "net.c").read_text().count("sf_conv2d_pairs(")
    arrays = weights.count("_kernel[")
    assert calls > arrays and arrays <= sum(op.kind in ("conv2d", "dense") for op in NETS["image"].ops)
    assert [op.kind for op in read_tflite(tmp_path / "fw" / "net.tflite").ops] == [op.kind for op in NETS["image"].ops]
    (striping,) = report.details["stripes"]
    assert striping["arena_bytes"] < striping["arena_bytes_before"] and str(report.cost.stripes[0]) in str(report)


def test_a_trace_of_stripes_agrees(tmp_path):
    export(NETS["image"], tmp_path / "fw", name="net", ram="smallest")
    assert shrinkfit.check(tmp_path / "fw", trace=True).held
