# SPDX-License-Identifier: Apache-2.0
"""The emulated core against the host, and its instruction counts against QEMU's own trace."""

import re
import subprocess

import numpy as np
import pytest

from shrinkfit.check import count, emulate
from shrinkfit.check.build import CORES, Target, build_firmware, linked_sizes
from shrinkfit.check.emulate import Api, run_unicorn
from shrinkfit.check.execute import run_host
from shrinkfit.errors import CheckError

pytestmark = [pytest.mark.needs("arm-none-eabi-gcc", "gcc")]
TOY_INPUT_BYTES, TOY_OUTPUT_BYTES = 16, 4


def api(name):
    return Api(f"{name}_run", ((f"{name}_input", TOY_INPUT_BYTES),), ((f"{name}_output", TOY_OUTPUT_BYTES),))


def run_toy(elf, inputs, count=0, target=None):
    return run_unicorn(elf, inputs, api("toy"), target or Target(), count=count)


@pytest.mark.parametrize("core", CORES)
def test_outputs_equal_the_host(toy, place, toy_program, toy_inputs, core):
    target = Target(core)
    got = run_toy(build_firmware(toy, place, target), toy_inputs, count=1, target=target)
    np.testing.assert_array_equal(got.outputs, run_host(toy_program, toy_inputs, TOY_OUTPUT_BYTES))


def test_parts_add_up(toy_elf, toy_inputs):
    profile = run_toy(toy_elf, toy_inputs, count=2).profiles[1]
    for parts in (profile.functions, profile.calls):
        assert sum(p.instructions for p in parts) == profile.instructions
        assert sum(p.cycles for p in parts) == profile.cycles
    assert [c.name.split(".")[0] for c in profile.calls] == ["toy_sums", "toy_narrow"]


def test_counting_leaves_outputs_and_repeats(toy_elf, toy_inputs):
    counted, plain = run_toy(toy_elf, toy_inputs, count=5), run_toy(toy_elf, toy_inputs)
    np.testing.assert_array_equal(counted.outputs, plain.outputs)
    again = run_toy(toy_elf, toy_inputs[::-1].copy(), count=5)
    assert counted.profiles == again.profiles[::-1]
    assert plain.profiles == ()


def test_counts_are_the_same_through_the_binding(toy_elf, toy_inputs, monkeypatch):
    direct = run_toy(toy_elf, toy_inputs, count=5).profiles
    monkeypatch.setattr(count, "_direct_hook", lambda uc, hook: None)
    assert run_toy(toy_elf, toy_inputs, count=5).profiles == direct


def qemu_run_lengths(elf, inputs, place):
    """Instructions from each entry of toy_run to its return, from QEMU's log of every single one."""
    inputs.tofile(place / "inputs.bin")
    machine = "qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -singlestep -d exec,nochain"
    semihosting = "-semihosting-config enable=on,target=native -D trace.txt -kernel"
    subprocess.run([*machine.split(), *semihosting.split(), elf], cwd=place, check=True, timeout=60)
    log = (place / "trace.txt").read_text()
    counters = [int(pc, 16) for pc in re.findall(r"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/", log, re.MULTILINE)]
    entry = {s.name: s.address for s in linked_sizes(elf).symbols}
    main = range(entry["main"], entry["Reset_Handler"])
    starts = [i for i, pc in enumerate(counters) if pc == entry["toy_run"]]
    return [next(n for n, pc in enumerate(counters[i:]) if pc in main) for i in starts]


@pytest.mark.needs("qemu-system-arm")
def test_instructions_equal_qemu_trace(toy_elf, toy_inputs, place):
    counted = [p.instructions for p in run_toy(toy_elf, toy_inputs, count=len(toy_inputs)).profiles]
    assert counted == qemu_run_lengths(toy_elf, toy_inputs, place)


def change_run(toy, body):
    """The toy model with other first statements in its run function."""
    source = (toy / "toy.c").read_text()
    changed = source.replace("int8_t *bytes = arena;", f"int8_t *bytes = arena; {body}")
    assert changed != source
    (toy / "toy.c").write_text(changed)


def test_stack_is_measured(toy, place, toy_inputs):
    before = run_toy(build_firmware(toy, place, Target()), toy_inputs).stack_bytes
    change_run(toy, "volatile uint8_t deep[200]; deep[0] = 1; deep[199] = 1;")
    after = run_toy(build_firmware(toy, place, Target()), toy_inputs).stack_bytes
    assert 200 <= after - before <= 208


FAULTS = {
    "flash is not writable": "*(volatile uint32_t *)0x100 = 1;",
    "outside the memory": "*(volatile uint32_t *)0x20100000 = 1;",
    "the stack overflows": "volatile uint8_t deep[2000]; deep[0] = 1;",
    "undefined instruction": '__asm volatile("udf #0");',
}


@pytest.mark.parametrize("body", FAULTS.values(), ids=FAULTS)
def test_faults_name_the_function(toy, place, toy_inputs, body):
    change_run(toy, body)
    target = Target(ram_bytes=256 * 1024)
    elf = build_firmware(toy, place, target, stack_bytes=512)
    with pytest.raises(CheckError, match=r"toy_run faults on the emulated core at 0x[0-9a-f]+ in toy_run"):
        run_toy(elf, toy_inputs, target=target)


def test_run_that_does_not_end(toy, place, toy_inputs, monkeypatch):
    monkeypatch.setattr(emulate, "RUN_SECONDS", 1)
    change_run(toy, "for (volatile int go = 1; go != 0;) {}")
    with pytest.raises(CheckError, match="toy_run had not ended after 1 s; it was at 0x"):
        run_toy(build_firmware(toy, place, Target()), toy_inputs)


def test_status_is_told(toy, place, toy_inputs):
    change_run(toy, "if (bytes[0] != 99) {return SF_ERROR_ARENA;}")
    with pytest.raises(CheckError, match="toy_run returned status 1 for input 0; expected 0"):
        run_toy(build_firmware(toy, place, Target()), toy_inputs)


def test_missing_symbol(toy_elf, toy_inputs):
    with pytest.raises(CheckError, match="no symbol 'other_input'"):
        run_unicorn(toy_elf, toy_inputs, api("other"), Target())
