# SPDX-License-Identifier: Apache-2.0
"""Exported chains of all arithmetic and a decoder: the same bits on the host and on all cores, the printed sizes."""

import shutil

import numpy as np
import pytest

from shrinkfit.check.build import Target, build_firmware, build_host, linked_sizes
from shrinkfit.check.execute import board_target, run_host, run_qemu
from shrinkfit.device import Device
from shrinkfit.graph import simulate
from shrinkfit.write.export import write_folder
from tests.runtime_c.graphs_arithmetic import inputs_for
from tests.write import nets, nets_arithmetic

STEPS = 40
GRAPHS = {"arithmetic": nets_arithmetic.arithmetic, "cells": nets_arithmetic.cells, "decoder": nets.decoder}
TARGETS = [
    Target("cortex-m4", fpu=True),
    Target("cortex-m4", fpu=False),
    Target("cortex-m0plus", fpu=False, dsp=False),
    Target("cortex-m3", fpu=False, dsp=False),
    Target("cortex-m33", fpu=True),
]


def needs(*tools):
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def bytes_and_expected(graph):
    """int8 [STEPS, bytes of an input] and [STEPS, bytes of an output]."""
    rng, session = np.random.default_rng(2), simulate.Session(graph)
    steps = [inputs_for(graph, rng) for _ in range(STEPS)]
    results = [session.step(step)[graph.outputs[0]] for step in steps]
    raw = [np.frombuffer(values.tobytes(), np.int8) for step in steps for values in step.values()]
    return np.stack(raw), np.stack([np.frombuffer(values.tobytes(), np.int8) for values in results])


def part(target):
    return Device(name="part", core=target.core, fpu=target.fpu, dsp=target.dsp)


@pytest.mark.parametrize("name", GRAPHS)
def test_host_program_equals_simulator(tmp_path, name):
    graph = GRAPHS[name]()
    write_folder(graph, tmp_path / "fw", name="net")
    inputs, expected = bytes_and_expected(graph)
    program = build_host(tmp_path / "fw", tmp_path, use_dsp=True)
    np.testing.assert_array_equal(run_host(program, inputs, expected.shape[1]), expected)


@needs("arm-none-eabi-gcc", "qemu-system-arm")
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.core}{'+fp' * bool(t.fpu)}")
@pytest.mark.parametrize("name", GRAPHS)
def test_every_core_equals_simulator(tmp_path, name, target):
    graph = GRAPHS[name]()
    write_folder(graph, tmp_path / "fw", name="net", device=part(target))
    inputs, expected = bytes_and_expected(graph)
    elf = build_firmware(tmp_path / "fw", tmp_path, board_target(target))
    np.testing.assert_array_equal(run_qemu(elf, inputs, expected.shape[1], target), expected)


@needs("arm-none-eabi-gcc")
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.core}{'+fp' * bool(t.fpu)}")
@pytest.mark.parametrize("name", GRAPHS)
def test_printed_sizes_equal_the_linked_image(tmp_path, name, target):
    graph = GRAPHS[name]()
    cost = write_folder(graph, tmp_path / "fw", name="net", device=part(target)).cost
    sizes = linked_sizes(build_firmware(tmp_path / "fw", tmp_path, target, stack_bytes=cost.stack_bytes))
    assert cost.flash_bytes == pytest.approx(sizes.flash_bytes, rel=0.01)
    assert cost.ram_bytes == sizes.ram_bytes
