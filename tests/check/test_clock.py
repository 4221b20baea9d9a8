# SPDX-License-Identifier: Apache-2.0
"""Instruction counts of whole networks against the clock of QEMU, which counts every instruction itself."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from shrinkfit.check.build import build_firmware
from shrinkfit.check.emulate import run_unicorn
from shrinkfit.check.exported import Exported
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.export import write_folder
from tests.write import nets

pytestmark = pytest.mark.needs("arm-none-eabi-gcc", "qemu-system-arm")
SHARED = Path(os.environ.get("SHRINKFIT_SHARED", Path(__file__).resolve().parents[2] / "../shared"))
CLOCK_MAIN = Path(__file__).with_name("clock_main.c")
# mps2-an386 clocks its core's timer with 25 MHz.
NS_PER_TICK = 40
QEMU = "qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -icount shift=0"
SEMIHOSTING = "-semihosting-config enable=on,target=native -kernel"
MODELS = ["kws_ref_model_int8", "ad01_int8", "vww_96_int8"]


def counted(graph, place):
    """Instructions of one run: (by the emulated core, by QEMU's clock)."""
    write_folder(graph, place / "fw", name="net")
    exported = Exported.read(place / "fw")
    sizes = [size for _, size in exported.api.inputs]
    inputs = np.random.default_rng(4).integers(-128, 128, (1, sum(sizes)), np.int8)
    elf = build_firmware(exported.folder, place, exported.target, stack_bytes=exported.stack_bytes)
    instructions = run_unicorn(elf, inputs, exported.api, exported.target, count=1).profiles[0].instructions
    shutil.copy(CLOCK_MAIN, exported.folder / "ports" / "cortex_m4" / "main.c")
    elf = build_firmware(exported.folder, place, exported.target)
    inputs.tofile(place / "inputs.bin")
    subprocess.run([*QEMU.split(), *SEMIHOSTING.split(), str(elf)], cwd=place, check=True, timeout=60)
    (ticks,) = np.fromfile(place / "outputs.bin", "<u4")
    return instructions, int(ticks) * NS_PER_TICK


def test_large_random_net(tmp_path):
    ours, qemus = counted(nets.residual(size=(60, 40), channels=16), tmp_path)
    assert ours > 400_000 and ours == pytest.approx(qemus, rel=1e-4, abs=NS_PER_TICK)


@pytest.mark.parametrize("name", MODELS)
def test_real_model(tmp_path, name):
    path = SHARED / "models" / "mlperf_tiny" / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    ours, qemus = counted(read_tflite(path), tmp_path)
    assert ours == pytest.approx(qemus, rel=1e-4, abs=NS_PER_TICK)
