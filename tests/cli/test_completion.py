# SPDX-License-Identifier: Apache-2.0
"""What a shell is told when a user presses the tab key; the installed command is asked in tests/test_project.py."""

import os
import subprocess
import sys

import pytest

import shrinkfit
from shrinkfit.check.compare import PLACES
from shrinkfit.cli import options


def asked(**variables) -> str:
    command = [sys.executable, "-m", "shrinkfit"]
    done = subprocess.run(command, env=os.environ | variables, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("shrinkfit p", ["price", "profile"]),
        ("shrinkfit price --device nrf5", ["nrf52832", "nrf52840", "nrf5340"]),
        ("shrinkfit export m.tflite --device efm32w", ["efm32wg"]),
        ("shrinkfit price m.tflite --optimize s", ["speed", "size"]),
        ("shrinkfit check fw --on c", ["cortex-m4"]),
        ("shrinkfit price m.tflite --ram s", ["smallest"]),
        ("shrinkfit export m.tflite --no-", ["--no-optimize"]),
        ("shrinkfit price kws", []),  # bash then completes names of files
    ],
)
def test_bash(line, wanted):
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    assert asked(_SHRINKFIT_COMPLETE="complete_bash", **words).split() == wanted


def test_other_shells_are_told_the_makers_names_too():
    line = {"_TYPER_COMPLETE_ARGS": "shrinkfit price --device rp2"}
    assert '"rp2350":"RP2350, Arm cores"' in asked(_SHRINKFIT_COMPLETE="complete_zsh", **line)
    fish = asked(_SHRINKFIT_COMPLETE="complete_fish", _TYPER_COMPLETE_FISH_ACTION="get-args", **line)
    assert fish.splitlines() == ["rp2040\tRP2040", "rp2350\tRP2350, Arm cores"]


def test_the_script_to_install_names_the_variable():
    command = [sys.executable, "-m", "shrinkfit", "--show-completion"]
    variables = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run([*command, "bash"], env=variables, check=True, capture_output=True, text=True)
    assert "_SHRINKFIT_COMPLETE=complete_bash" in done.stdout and done.stdout.rstrip().endswith(" shrinkfit")


def test_other_names_of_a_part_are_completed_where_no_name_is():
    alias = next(name for part in shrinkfit.devices() for name in part.aliases)
    assert alias in [name for name, _ in options.complete_part(alias)]


def test_places_are_those_that_check_knows():
    assert options.PLACES == PLACES
