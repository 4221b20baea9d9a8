# SPDX-License-Identifier: Apache-2.0
"""The console script, called in this process."""

import sys

import pytest

from shrinkfit import cli


@pytest.fixture
def run(monkeypatch, capsys):
    """run(*arguments) -> (status, stdout, stderr) of the console script."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["shrinkfit", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return (stopped.value.code or 0, *capsys.readouterr())

    return call
