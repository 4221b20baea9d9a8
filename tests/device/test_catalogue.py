# SPDX-License-Identifier: Apache-2.0
"""The catalogue: every figure has a source, and every name leads to one part."""

import pytest

from shrinkfit import Device, devices, get_device
from shrinkfit.errors import ShrinkfitError, UnknownDeviceError

FIGURES = (
    "dsp",
    "fpu",
    "clock_hz",
    "flash_bytes",
    "ram_bytes",
    "ram_total_bytes",
    "active_ua_per_mhz",
    "flops_per_second",
    "supply_volts",
)
ASKED_FOR = (
    *("efm32", "efm32gg11", "efm32wg", "efr32mg12", "efr32mg24", "stm32f407", "stm32f446", "stm32l4r5", "stm32l476"),
    *("stm32h743", "nrf52832", "nrf52840", "nrf5340", "rp2040", "rp2350", "apollo3", "samd51", "max32660", "lpc55s69"),
    "k64f",
)
by_part = pytest.mark.parametrize("device", devices(), ids=lambda device: device.name)


def test_the_parts_asked_for_are_there():
    assert len(devices()) >= 20
    assert [name for name in ASKED_FOR if get_device(name).name != name] == []


@by_part
def test_every_figure_has_a_source_and_every_source_a_figure(device):
    known = {name for name in FIGURES if getattr(device, name) is not None}
    if device.ram_total_bytes == device.ram_bytes:  # then the file gives one figure for both
        known.discard("ram_total_bytes")
    assert set(device.sources) == known
    assert all(len(source) > 8 for source in device.sources.values())  # a tag that is not in the legend is shorter


@by_part
def test_flops_follow_the_rule(device):
    if device.flops_per_second is None:
        assert not (device.dsp and device.clock_hz)
    else:
        assert device.dsp and device.flops_per_second == pytest.approx(0.05 * device.clock_hz)


@by_part
def test_unknown_figures_are_noted(device):
    if device.active_ua_per_mhz is None:
        assert "current" in device.notes.lower()
    if device.clock_hz is None:
        assert "clock" in device.notes.lower()


def test_efm32_is_the_pearl_gecko_12():
    part = get_device("efm32")
    assert (part.core, part.dsp, part.fpu) == ("cortex-m4", True, True)
    assert (part.clock_hz, part.flash_bytes, part.ram_bytes) == (40_000_000, 1024 * 1024, 256 * 1024)
    assert part.flops_per_second == 2_000_000


@pytest.mark.parametrize("name, part", [("arduino-nano-33-ble", "nrf52840"), ("EFM32", "efm32"), ("pico", "rp2040")])
def test_aliases_and_case(name, part):
    assert get_device(name).name == part


def test_names_are_unique():
    names = [name for device in devices() for name in (device.name, *device.aliases)]
    assert len(names) == len(set(names)) and all(name == name.lower() for name in names)


@pytest.mark.parametrize(
    "name, near", [("emf32", "efm32"), ("stm32f4", "stm32f407"), ("nrf52840-qiaa", "nrf52840"), ("rp2049", "rp2040")]
)
def test_unknown_device_names_its_neighbours(name, near):
    with pytest.raises(
        UnknownDeviceError, match=f"unknown device '{name}'; did you mean .*{near}.*`shrinkfit devices`"
    ):
        get_device(name)


@pytest.mark.parametrize("name", ["zzzz", ""])
def test_unknown_device_without_neighbours(name):
    with pytest.raises(UnknownDeviceError, match=f"unknown device '{name}'; `shrinkfit devices` lists all"):
        get_device(name)


def test_device_of_a_wrong_type():
    with pytest.raises(UnknownDeviceError, match="a shrinkfit.Device, got int"):
        get_device(32)


BOARD = 'core = "cortex-m4"\nflash_bytes = 262_144\nram_bytes = 65_536\n'


def board_file(folder, text):
    path = folder / "board.toml"
    path.write_text(text)
    return path


def test_a_file_of_one_s_own_is_a_device(tmp_path):
    path = board_file(tmp_path, BOARD)
    board = Device("board", "cortex-m4", flash_bytes=262_144, ram_bytes=65_536)
    assert get_device(path) == get_device(str(path)) == board
    named = board_file(tmp_path, BOARD + 'name = "mine"\noptimize = "size"\n')
    assert (get_device(named).name, get_device(named).optimize) == ("mine", "size")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ram_bytes = 1", "device's core is ''"),
        (BOARD + "clock = 1", "has a field 'clock', which a Device does not; did you mean 'clock_hz'"),
        (BOARD + "zzz = 1", "has a field 'zzz'.*expected name, core"),
        (BOARD + 'clock_hz = "fast"', "clock_hz is 'fast', expected"),
        (BOARD + 'fpu = "no"', "fpu is 'no', expected true or false"),
        (BOARD + 'aliases = "b"', "aliases is 'b', expected a list"),
        (BOARD + "sources = 3", "sources is 3, expected a table"),
        ("not toml", "is no TOML"),
    ],
)
def test_a_file_that_describes_no_part_is_refused(tmp_path, text, message):
    with pytest.raises(ShrinkfitError, match=message):
        get_device(board_file(tmp_path, text))


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(ShrinkfitError, match="cannot read the device file '.*none.toml': No such file"):
        get_device(tmp_path / "none.toml")
