# SPDX-License-Identifier: Apache-2.0
"""Whole programs on files: the host's with sanitizers, the firmware's under QEMU."""

import numpy as np
import pytest

from shrinkfit.check import execute
from shrinkfit.check.build import CORES, Target, build_firmware, build_host
from shrinkfit.check.execute import board_target, run_host, run_qemu
from shrinkfit.errors import CheckError

pytestmark = pytest.mark.needs("arm-none-eabi-gcc", "gcc", "qemu-system-arm")
TOY_OUTPUT_BYTES = 4


@pytest.mark.parametrize("core", CORES)
def test_firmware_equals_host(toy, place, toy_program, toy_inputs, core):
    target = board_target(Target(core))
    outputs = run_qemu(build_firmware(toy, place, target), toy_inputs, TOY_OUTPUT_BYTES, target)
    np.testing.assert_array_equal(outputs, run_host(toy_program, toy_inputs, TOY_OUTPUT_BYTES))


def break_toy(toy, old, new):
    source = (toy / "toy.c").read_text()
    assert old in source
    (toy / "toy.c").write_text(source.replace(old, new))


HOST_FAULTS = {
    "address": ("i < 4; i++) {\n        int32_t sum", "i < 9; i++) {\n        int32_t sum", "overflow|out of bounds"),
    "undefined": ("sum * weights[i]", "(sum | 1) << (weights[i] + 40)", "shift"),
}


@pytest.mark.parametrize(("old", "new", "said"), HOST_FAULTS.values(), ids=HOST_FAULTS)
def test_sanitizers_stop_the_host(toy, place, toy_inputs, old, new, said):
    break_toy(toy, old, new)
    program = build_host(toy, place, use_dsp=False)
    with pytest.raises(CheckError, match=f"host_scalar ended with status [0-9-]+: (.*\n)*.*({said})"):
        run_host(program, toy_inputs, TOY_OUTPUT_BYTES)


def test_input_that_is_not_whole(toy_elf, toy_program, toy_inputs):
    short = toy_inputs.reshape(-1)[:-3]
    with pytest.raises(CheckError, match="the last input in inputs.bin is not whole"):
        run_qemu(toy_elf, short, TOY_OUTPUT_BYTES, Target())
    with pytest.raises(CheckError, match="the last input is not whole"):
        run_host(toy_program, short, TOY_OUTPUT_BYTES)


QEMU_FAULTS = {
    "status": ("return SF_OK;", "return SF_ERROR_ARENA;", "status 13.*run function returned an error"),
    "fault": ("int8_t *bytes = arena;", 'int8_t *bytes = arena; __asm("udf #0");', "status 15.*took a fault"),
}


@pytest.mark.parametrize(("old", "new", "said"), QEMU_FAULTS.values(), ids=QEMU_FAULTS)
def test_firmware_tells_why_it_stopped(toy, place, toy_inputs, old, new, said):
    break_toy(toy, old, new)
    elf = build_firmware(toy, place, Target())
    with pytest.raises(CheckError, match=said):
        run_qemu(elf, toy_inputs, TOY_OUTPUT_BYTES, Target())


def test_firmware_that_does_not_end(toy, place, toy_inputs, monkeypatch):
    monkeypatch.setattr(execute, "RUN_SECONDS", 1)
    break_toy(toy, "int8_t *bytes = arena;", "int8_t *bytes = arena; for (volatile int go = 1; go != 0;) {}")
    with pytest.raises(CheckError, match="firmware under QEMU had not ended after 1 s"):
        run_qemu(build_firmware(toy, place, Target()), toy_inputs, TOY_OUTPUT_BYTES, Target())


def test_other_number_of_outputs(toy_program, toy_inputs):
    with pytest.raises(CheckError, match="wrote 20 bytes, expected 5 outputs of 7"):
        run_host(toy_program, toy_inputs, 7)
