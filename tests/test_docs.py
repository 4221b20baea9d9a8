# SPDX-License-Identifier: Apache-2.0
"""Pages that are written from the code are up to date."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_reference_pages_are_up_to_date():
    script = [sys.executable, str(ROOT / "docs" / "reference.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


GUIDES = ("get-started.md",)
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
TOOLS = ("gcc", "arm-none-eabi-gcc", "qemu-system-arm")


def run_block(language: str, text: str, folder: Path) -> None:
    """A shell block runs; any other is a file, whose name its first line gives."""
    if language != "sh":
        name = re.search(r"\w+\.\w+", text.partition("\n")[0])[0]
        (folder / name).write_text(text)
        return
    commands = {"python": "", "shrinkfit": "-m shrinkfit.cli"}
    for command, arguments in commands.items():
        (folder / ".bin").mkdir(exist_ok=True)
        (folder / ".bin" / command).write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
        (folder / ".bin" / command).chmod(0o755)
    env = os.environ | {"PATH": f"{folder / '.bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-euxc", text], capture_output=True, text=True, cwd=folder, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")
@pytest.mark.parametrize("guide", GUIDES)
def test_every_block_of_a_guide_runs(guide, tmp_path):
    blocks = BLOCK.findall((ROOT / "docs" / guide).read_text(encoding="utf-8"))
    assert {"sh", "python", "c"} <= {language for language, _ in blocks}
    for language, text in blocks:
        run_block(language, text, tmp_path)
