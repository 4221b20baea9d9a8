# SPDX-License-Identifier: Apache-2.0
"""No test reaches the network, and property tests give the same answer on every machine."""

import socket

import pytest
from hypothesis import settings

# No deadline: the first example of a test may compile or import TensorFlow.
settings.register_profile("shrinkfit", deadline=None, derandomize=True)
settings.load_profile("shrinkfit")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    connect = socket.socket.connect

    def local_only(self, address):
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("localhost", "127.0.0.1", "::1"):
            raise RuntimeError(f"a test tried to reach {address}: tests use no network")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
