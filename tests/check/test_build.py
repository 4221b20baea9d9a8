# SPDX-License-Identifier: Apache-2.0
"""Compiling an exported folder, and the sizes of the result."""

import subprocess

import pytest

from shrinkfit.check import build
from shrinkfit.check.build import CORES, Target, build_firmware, build_host, linked_sizes
from shrinkfit.device import Device
from shrinkfit.errors import CheckError, ToolMissingError

needs_arm = pytest.mark.needs("arm-none-eabi-gcc")
# Vectors, start-up, semihosting main: what an image holds beside the model.
MOST_BARE_FLASH_BYTES = 500


@needs_arm
def test_sizes_equal_arm_size(toy_elf):
    row = subprocess.run(["arm-none-eabi-size", toy_elf], capture_output=True, text=True, check=True).stdout.split()
    text, data, bss = map(int, row[6:9])
    sizes = linked_sizes(toy_elf)
    assert (sizes.flash_bytes, sizes.ram_bytes) == (text + data, data + bss)


@needs_arm
def test_bare_image_is_small(toy_elf):
    sizes = linked_sizes(toy_elf)
    model = sum(s.size_bytes for s in sizes.symbols if s.name.startswith("toy_"))
    assert 0 < sizes.flash_bytes - model <= MOST_BARE_FLASH_BYTES


@needs_arm
def test_ram_is_arena_and_stack(toy_elf):
    sizes = linked_sizes(toy_elf)
    assert sizes.sections[".stack"] == 512
    assert sizes.ram_bytes == 512 + 40


@needs_arm
@pytest.mark.parametrize("core", CORES)
def test_every_core_links(toy, place, core):
    elf = build_firmware(toy, place, Target(core))
    assert linked_sizes(elf).flash_bytes > 0
    assert elf.with_suffix(".map").stat().st_size > 0


@needs_arm
@pytest.mark.needs("gcc")
def test_folder_stays_untouched(toy, place):
    before = {p: p.read_bytes() for p in toy.rglob("*") if p.is_file()}
    build_host(toy, place, use_dsp=True)
    build_firmware(toy, place, Target())
    assert before == {p: p.read_bytes() for p in toy.rglob("*") if p.is_file()}


@needs_arm
@pytest.mark.parametrize(("memory", "region"), [("flash_bytes", "FLASH"), ("ram_bytes", "RAM")])
def test_image_larger_than_the_part(toy, place, memory, region):
    with pytest.raises(CheckError, match=f"region `{region}' overflowed"):
        build_firmware(toy, place, Target(**{memory: 64}), stack_bytes=512)


@pytest.mark.needs("gcc")
def test_warning_is_an_error(toy, place):
    (toy / "extra.c").write_text("static int unused;\n")
    with pytest.raises(CheckError, match="for the host does not compile:\n(.*\n)*.*unused"):
        build_host(toy, place, use_dsp=False)


@pytest.mark.parametrize("tool", build.INSTALL)
def test_missing_tool(monkeypatch, tool):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissingError, match=f"{tool} is not installed; install it with: apt-get install"):
        build.find_tool(tool)


def test_folder_without_ports(tmp_path):
    with pytest.raises(CheckError, match="export the model again"):
        build.sources(tmp_path, "host")


def test_unknown_core():
    with pytest.raises(CheckError, match="core 'cortex-a53' is not one that check builds for: cortex-m0"):
        Target("cortex-a53")


def test_target_of_a_device():
    device = Device("mine", "cortex-m33", dsp=False, fpu=True, flash_bytes=512 * 1024)
    target = Target.of(device)
    assert target.compiler_flags == ("-mcpu=cortex-m33+nodsp", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16")
    assert (target.flash_bytes, target.ram_bytes) == (512 * 1024, build.UNKNOWN_MEMORY_BYTES)
