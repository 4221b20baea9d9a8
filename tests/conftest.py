# SPDX-License-Identifier: Apache-2.0
"""No test reaches the network, property tests give the same answer on every machine, processes share what is built."""

import ctypes
import fcntl
import os
import shutil
import socket

import pytest
from hypothesis import settings

# One thread a process: `make test` has a process for each core, and sums do not depend on how many there are. Read when
# the libraries are loaded, so before anything imports them; the processes that tests start have them too.
for _variable in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# Tables are as wide as into any pipe: xdist tells its processes that they had a terminal of 80 columns.
os.environ.pop("COLUMNS", None)

# No deadline: the first example of a test may compile or import TensorFlow.
settings.register_profile("shrinkfit", deadline=None, derandomize=True)
settings.load_profile("shrinkfit")

# Begun first where several processes share the tests, so that none of them is still at one when the others are done.
LONGEST = ("test_architectures", "test_callback", "test_docs", "test_hotword", "test_workflow", "test_graphs")


def pytest_collection_modifyitems(items):
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    connect = socket.socket.connect

    def local_only(self, address):
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("localhost", "127.0.0.1", "::1"):
            raise RuntimeError(f"a test tried to reach {address}: tests use no network")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """once(name, make) -> a folder that make(folder) fills, once a run, however many processes share the tests.

    Nobody writes into it after that.
    """
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent

    def get(name, make):
        folder, done = place / f"once-{name}", place / f"once-{name}.done"
        with (place / f"once-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a failed attempt left
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return get


@pytest.fixture(scope="session")
def kernels_folder(once):
    """Where native.NAME is: all C kernels, compiled."""
    from tests.runtime_c import native

    return once("kernels", native.compile_kernels)


@pytest.fixture(scope="session")
def lib(kernels_folder):
    """All C kernels for this computer, scalar and the portable twins of the DSP ones."""
    from tests.runtime_c import native

    return ctypes.CDLL(str(kernels_folder / native.NAME))


@pytest.fixture(scope="session")
def arm_objects(once):
    """arm_objects(core, level) -> the runtime's object files, with gcc's lists of calls and frames beside them."""
    from tests.runtime_c.images import WARNINGS, compile_arm

    def get(core, level="-O2"):
        flags = [level, *WARNINGS, "-fstack-usage", "-fcallgraph-info"]
        return sorted(once(f"runtime-{core}{level}", lambda folder: compile_arm(folder, core, *flags)).glob("*.o"))

    return get
