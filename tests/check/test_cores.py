# SPDX-License-Identifier: Apache-2.0
"""Every core, with and without FPU and DSP: the simulator's bytes, the predicted sizes, the stack within its bound."""

import pytest

from shrinkfit.check.compare import check
from shrinkfit.device import Device
from shrinkfit.write.export import write_folder
from tests.write import nets, nets_arithmetic

pytestmark = pytest.mark.needs("arm-none-eabi-gcc")
# (core, FPU, DSP); the emulators run the M0+ as an M0 or M4.
PARTS = [(core, False, False) for core in ("cortex-m0", "cortex-m0plus", "cortex-m3")]
PARTS += [(core, fpu, True) for core in ("cortex-m4", "cortex-m7", "cortex-m33") for fpu in (False, True)]
PARTS += [("cortex-m33", fpu, False) for fpu in (False, True)]
GRAPHS = {
    "residual": lambda: nets.residual(size=(13, 9), channels=9),
    "cells": nets_arithmetic.cells,
}


def part_of(core, fpu, dsp):
    return Device("part", core=core, fpu=fpu, dsp=dsp)


def name_of(part):
    return part[0] + "+fp" * part[1] + "+dsp" * part[2]


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("part", PARTS, ids=name_of)
def test_emulated_core(tmp_path, part, name):
    graph = GRAPHS[name]()
    write_folder(graph, tmp_path / "fw", name="net", device=part_of(*part))
    result = check(tmp_path / "fw", on="cortex-m4", graph=graph)
    assert result.exact and result.core == part[0], str(result)
    assert 0 < result.stack_bytes <= result.predicted["stack_bytes"]
    assert result.ram_bytes == result.predicted["ram_bytes"]
    assert result.flash_bytes == pytest.approx(result.predicted["flash_bytes"], rel=0.01)


@pytest.mark.needs("qemu-system-arm")
@pytest.mark.parametrize("part", PARTS, ids=name_of)
def test_whole_board(tmp_path, part):
    graph = GRAPHS["residual"]()
    write_folder(graph, tmp_path / "fw", name="net", device=part_of(*part))
    result = check(tmp_path / "fw", on="qemu", graph=graph)
    assert result.exact, str(result)
