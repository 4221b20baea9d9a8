# SPDX-License-Identifier: Apache-2.0
"""What goes where: tables as wide as there is room, JSON alone on stdout, progress on terminals only."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

import shrinkfit
from shrinkfit.cli import app, show
from shrinkfit.report.table import Figure, budget_table
from tests.cli.test_cli import dense_model

COMMANDS = get_command(app).commands


class Terminal(io.StringIO):
    """A stderr that somebody looks at."""

    def isatty(self):
        return True


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json(name):
    assert "--json" in [option for parameter in COMMANDS[name].params for option in parameter.opts]


def test_a_terminal_sees_what_is_done_and_stdout_has_json_alone(run, tmp_path, monkeypatch):
    model, terminal = dense_model(tmp_path / "m.tflite", 40, 3), Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    status, out, _ = run("price", model, "--all-devices", "--json")
    assert status == 0 and len(json.loads(out)) == len(shrinkfit.devices())
    assert "pricing all parts" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")  # the line is wiped at the end


def test_nobody_else_sees_it(run, tmp_path):
    model = dense_model(tmp_path / "m.tflite", 40, 3)
    assert run("export", model, "-o", tmp_path / "fw", "--name", "m")[2] == ""


def test_what_a_library_prints_stays_off_stdout(run, tmp_path, monkeypatch):
    def chatty(*arguments, **options):
        print("hello from a library")
        return priced

    priced = shrinkfit.price(dense_model(tmp_path / "m.tflite", 40, 3))
    monkeypatch.setattr(shrinkfit.price.cost, "price", chatty)
    status, out, err = run("price", tmp_path / "m.tflite", "--json")
    assert status == 0 and json.loads(out)["held"] and "hello" in err


def test_json_has_no_word_for_some_numbers(capsys):
    values = {
        "nan": float("nan"),
        "inf": np.float32("inf"),
        "path": Path("a"),
        "array": np.array([1.5, np.nan]),
        3: (1,),
    }
    show.print_json(values)
    wanted = {"nan": None, "inf": None, "path": "a", "array": [1.5, None], "3": [1]}
    assert json.loads(capsys.readouterr().out) == wanted


def test_users_names_are_no_markup(capsys):
    report = budget_table([Figure("[hey]", 1.0), Figure("[/s] :smile:", 1.0)], "board [rev B]")
    show.print_tables(report, "a[red]b")
    out = capsys.readouterr().out
    assert all(name in out for name in ("[hey]", "[/s] :smile:", "board [rev B]", "a[red]b"))


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_tables_are_as_wide_as_columns_says(run, tmp_path, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    model = dense_model(tmp_path / "m.tflite", 40, 3)
    for command in (["devices"], ["price", model], ["price", model, "--all-devices"]):
        lines = run(*command)[1].splitlines()
        assert max(map(len, lines)) <= columns and not any("…" in line for line in lines)


def test_python_runs_it_too():
    done = subprocess.run([sys.executable, "-m", "shrinkfit", "price"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("Usage: shrinkfit price")
