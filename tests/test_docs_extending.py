# SPDX-License-Identifier: Apache-2.0
"""docs/extending.md: its blocks run, its commands exist, and what it says lies somewhere lies there."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.test_docs import BLOCK, ROOT, run_block

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
CONSOLE = sorted({line for kind, text in BLOCK.findall(PAGE) if kind == "console" for line in text.splitlines()})
# | room | file | what is there | who complains |
ROWS = [re.findall(r"`([^`]+)`", row) for row in re.findall(r"^\|[^|]*\| (`.*) \|$", PAGE, re.MULTILINE)]
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder in which the blocks ran."""
    folder = tmp_path_factory.mktemp("extending")
    for language, text in BLOCK.findall(PAGE):
        if language == "toml":
            (folder / "my-board.toml").write_text(text)
        elif language != "console":
            run_block(language, text, folder)
    return folder


@needs_arm
def test_every_block_runs(ran):
    assert {language for language, _ in BLOCK.findall(PAGE)} == {"python", "toml", "sh", "console"}
    assert (ran / "one" / "one.c").is_file()


@needs_arm
def test_what_the_page_says_the_choices_cost_is_what_they_cost(ran):
    done = subprocess.run([sys.executable, "choices.py"], cwd=ran, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 4 and done.stdout in PAGE


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_the_walk_names_is_in_that_file(row):
    path, *names = row
    text = (ROOT / path).read_text(encoding="utf-8")
    for name in names:
        assert (ROOT / name).is_file() if "/" in name else re.search(rf"\b{re.escape(name)}\b", text), name


def test_the_walk_is_a_whole_one():
    assert len(ROWS) >= 19 and {row[0].split("/")[0] for row in ROWS} > {"shrinkfit", "runtime_c", "tests"}


def test_every_path_and_name_beside_it_exists():
    paths = {name for name in re.findall(r"`([\w/.]+/[\w.]+\.\w+)`", PAGE) if "*" not in name and "NAME" not in name}
    assert len(paths) > 25
    assert [path for path in sorted(paths) if not (ROOT / path).is_file()] == ["price/kernels.py", "write/pack.py"]


def usage(words):
    """What a command's own help says."""
    if words[0] == "shrinkfit":
        command = [sys.executable, "-m", "shrinkfit.cli", words[1], "--help"]
    elif words[0] == "make":
        command = ["make", "-n", *words[1:]]
    else:
        command = [sys.executable, *(words[1:3] if words[1] == "-m" else words[1:2]), "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("line", CONSOLE)
def test_every_command_exists_with_its_options(line):
    words = shlex.split(line)
    if words[0] == "pytest":
        assert all((ROOT / path).is_file() for path in words[1:])
        return
    done = usage(words)
    assert done.returncode == 0, done.stderr
    for option in [word for word in words if word.startswith("--")]:
        assert option in done.stdout
