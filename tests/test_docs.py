# SPDX-License-Identifier: Apache-2.0
"""Pages that are written from the code are up to date; what guides tell to do works; their pictures are true."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_reference_pages_are_up_to_date():
    script = [sys.executable, str(ROOT / "docs" / "reference.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


# Guide -> the languages of its blocks.
GUIDES = {
    "get-started.md": {"sh", "python", "c"},
    "fitting.md": {"sh", "python"},
    "c-api.md": {"sh", "python", "c"},
    "numbers.md": {"sh", "python"},
    "speech.md": {"sh", "python"},
}
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


@pytest.fixture(scope="module")
def run_guide(tmp_path_factory):
    """Guide -> the folder in which all its blocks have run."""

    @cache
    def run(guide: str) -> Path:
        folder = tmp_path_factory.mktemp("guide")
        blocks = BLOCK.findall((ROOT / "docs" / guide).read_text(encoding="utf-8"))
        assert {language for language, _ in blocks} == GUIDES[guide]
        for language, text in blocks:
            run_block(language, text, folder)
        return folder

    return run


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")
@pytest.mark.parametrize("guide", GUIDES)
def test_every_block_of_a_guide_runs(guide, run_guide):
    assert run_guide(guide).is_dir()


def anchors(page: Path) -> set[str]:
    """What a link may name behind "#": headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for file, anchor in re.findall(r"\]\(([\w./-]*)#?([\w-]*)\)", page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        assert target.is_file(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


# docs/pictures


def pictures(*arguments: object) -> subprocess.CompletedProcess:
    script = [sys.executable, str(ROOT / "docs" / "pictures.py"), *map(str, arguments)]
    return subprocess.run(script, capture_output=True, text=True, cwd=ROOT)


def test_pictures_are_drawn_from_their_figures():
    done = pictures("--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_s_own_program_is_trained():
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    (_, first), *_ = BLOCK.findall((ROOT / "docs" / "fitting.md").read_text(encoding="utf-8"))
    assert drawing.program() == first


def test_figures_are_those_of_the_page_s_training(run_guide, tmp_path):
    """Which channels go may hang on a processor's rounding; limits, phases and what is coupled do not."""
    assert pictures("--fit", run_guide("fitting.md") / "fit.json", "--output", tmp_path).returncode == 0
    got, kept = (json.loads((path / "figures.json").read_text()) for path in (tmp_path, ROOT / "docs" / "pictures"))
    assert got["before"] == kept["before"] and len(got["epochs"]) == len(kept["epochs"])
    for ours, theirs in zip(got["epochs"], kept["epochs"], strict=True):
        assert (ours["phase"], ours["limits"]) == (theirs["phase"], theirs["limits"])
        assert ours["accuracy"] == pytest.approx(theirs["accuracy"], abs=0.05)
        assert all(ours["costs"][name] <= limit for name, limit in ours["limits"].items())
    for ours, theirs in zip(got["layers"], kept["layers"], strict=True):
        assert abs(ours.pop("width_after") - theirs.pop("width_after")) <= 4
        assert ours == theirs


def test_pictures_show_the_figures():
    kept = json.loads((ROOT / "docs" / "pictures" / "figures.json").read_text())
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "pictures").glob("*.svg")}
    narrowed = [layer for layer in kept["layers"] if layer["makes_channels"] and layer["groups"]]
    assert all(f">{one['width_before']} → {one['width_after']}<" in texts["widths"] for one in narrowed)
    assert all(f">{name}<" in texts["coupled"] for one in kept["layers"] for name in one["groups"])
    assert all(f">{limit:,.0f}<" in texts["limits"] for limit in kept["epochs"][-1]["limits"].values())
