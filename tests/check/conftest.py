# SPDX-License-Identifier: Apache-2.0
"""A folder laid out as export writes it, holding a hand-written toy model: no runtime, no TensorFlow."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from shrinkfit.check.build import Target, build_firmware, build_host

HERE = Path(__file__).parent
PORTS = HERE.parents[1] / "runtime_c" / "ports"
TOY_INPUT_BYTES = 16


def pytest_runtest_setup(item):
    for tool in (name for mark in item.iter_markers("needs") for name in mark.args):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(*programs): skip where one of them is not installed")


@pytest.fixture
def toy(tmp_path):
    folder = tmp_path / "toy"
    shutil.copytree(HERE / "toy", folder)
    shutil.copytree(PORTS, folder / "ports")
    return folder


@pytest.fixture
def toy_inputs():
    return np.random.default_rng(3).integers(-128, 128, (5, TOY_INPUT_BYTES)).astype(np.int8)


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "build"
    path.mkdir()
    return path


@pytest.fixture
def toy_elf(toy, place):
    return build_firmware(toy, place, Target(), stack_bytes=512)


@pytest.fixture
def toy_program(toy, place):
    return build_host(toy, place, use_dsp=False)
