# SPDX-License-Identifier: Apache-2.0
"""The project's own files: what is packaged, what make promises."""

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import shrinkfit
from shrinkfit._runtime import runtime_dir
from shrinkfit.errors import ShrinkfitError

ROOT = Path(__file__).resolve().parents[1]
NOT_SHIPPED = shutil.ignore_patterns(
    ".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "tests"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the tree, without network and without a trace in the tree."""
    tree = tmp_path_factory.mktemp("tree") / "shrinkfit"
    shutil.copytree(ROOT, tree, ignore=NOT_SHIPPED)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    subprocess.run([*command, "-w", str(tree / "dist")], cwd=tree, check=True, capture_output=True)
    (path,) = (tree / "dist").glob("*.whl")
    return path


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def shipped_c_files() -> set[str]:
    files = files_below(ROOT / "runtime_c")
    suffixes, names = (".c", ".h", ".ld", ".S"), ("Makefile", "LICENSE")
    wanted = {name for name in files if Path(name).suffix in suffixes or Path(name).name in names}
    return {name for name in wanted if not name.startswith("build/")}


def test_wheel_carries_the_runtime_and_the_catalogue(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"shrinkfit/_runtime_c/{name}" for name in shipped_c_files()} <= names
    assert {"shrinkfit/device/catalogue.toml", "shrinkfit/cli/start.py", "shrinkfit/py.typed"} <= names
    assert not [name for name in names if name.startswith("tests/")]


def test_wheel_carries_every_python_file(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        f"shrinkfit/{name}" for name in files_below(ROOT / "shrinkfit") if name.endswith((".py", ".toml", ".json"))
    }
    assert sources <= names


def test_runtime_is_found_in_an_installed_wheel(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "from shrinkfit._runtime import runtime_dir; print(runtime_dir())"
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean, check=True, capture_output=True, text=True
    )
    assert Path(result.stdout.strip()) == tmp_path / "shrinkfit" / "_runtime_c"


def test_an_installed_command_completes_names_of_parts(wheel, tmp_path):
    place = tmp_path / "site"
    options = ["--no-deps", "--no-index", "--no-compile", "-q", "--target", str(place)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True, capture_output=True)
    asked = {"_SHRINKFIT_COMPLETE": "complete_bash", "COMP_WORDS": "shrinkfit price --device efm32", "COMP_CWORD": "3"}
    env = {**os.environ, **asked, "PYTHONPATH": str(place)}
    done = subprocess.run([place / "bin" / "shrinkfit"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["efm32", "efm32gg11", "efm32wg"], "")


def test_runtime_is_found_in_a_checkout():
    assert (runtime_dir() / "shrinkfit.h").is_file()


def test_lost_runtime_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr("shrinkfit._runtime._PLACES", (tmp_path,))
    with pytest.raises(ShrinkfitError, match="install shrinkfit again"):
        runtime_dir()


def test_setup_cfg_lists_every_room():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    packages = set(config["options"]["packages"].split()) - {"shrinkfit._runtime_c"}
    rooms = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in (ROOT / "shrinkfit").rglob("*.py")}
    assert packages == rooms


def test_licence_is_apache():
    text = (ROOT / "LICENSE").read_text()
    assert (ROOT / "runtime_c" / "LICENSE").read_text() == text
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text


def source_files() -> list[Path]:
    folders = ("shrinkfit", "runtime_c", "tests", "examples", "benchmarks")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if "build" not in path.parts]
    paths = [path for path in paths if "golden" not in path.parts]  # what the exporter writes is its user's
    return [path for path in paths if path.suffix in (".py", ".c", ".h", ".S", ".ld", ".toml")]


def test_every_source_file_names_its_licence():
    texts = {path: path.read_text(encoding="utf-8") for path in source_files()}
    bare = [path for path, text in texts.items() if text and "SPDX-License-Identifier: Apache-2.0" not in text[:300]]
    assert not bare


@pytest.mark.parametrize("target", ["hotword", "voices", "test", "check", "format", "help"])
def test_make_knows_the_target(target):
    result = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def only_tools(tmp_path, tools: dict[str, str]) -> dict[str, str]:
    """A PATH on which only these tools exist; `id` says that the user is not root unless it is among them."""
    for name, body in {"id": "echo 1000", **tools}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    return {"PATH": str(tmp_path)}


def system_packages(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess:
    script = [shutil.which("bash"), str(ROOT / ".ci" / "system-packages"), *arguments]
    return subprocess.run(script, env=env, capture_output=True, text=True)


def test_missing_packages_are_named_only_tools(tmp_path):
    env = only_tools(tmp_path, {"gcc": "exit 1", "qemu-system-arm": "exit 0"})
    result = system_packages("test", sys.executable, env=env)
    assert result.returncode == 1
    wanted = "g++ clang cppcheck cmake arduino-builder chromium libc6-dev gcc-arm-none-eabi libnewlib-arm-none-eabi"
    assert result.stderr.endswith(f"sudo apt-get install {wanted} espeak-ng flite\n")


@pytest.mark.parametrize("tools", [{"id": "echo 0"}, {"sudo": 'shift; exec "$@"'}], ids=["root", "sudo"])
def test_missing_packages_are_installed_by_root(tmp_path, tools):
    log = tmp_path / "apt.log"
    env = only_tools(tmp_path, {"apt-get": f'echo "$@" >>{log}', **tools})
    for name in ("mktemp", "rm", "env", "sh", "true"):
        (tmp_path / name).symlink_to(shutil.which(name))
    result = system_packages("check", sys.executable, env=env)
    assert (result.returncode, result.stdout, result.stderr) == (0, "installing clang-format\n", "")
    update, install = log.read_text().splitlines()
    assert update.endswith(" update") and install.endswith("install -y --no-install-recommends clang-format")


def test_failing_apt_is_shown(tmp_path):
    env = only_tools(tmp_path, {"id": "echo 0", "apt-get": "echo E: no mirror; exit 100"})
    for name in ("mktemp", "rm", "env", "sh", "cat"):
        (tmp_path / name).symlink_to(shutil.which(name))
    result = system_packages("check", sys.executable, env=env)
    assert result.returncode == 1 and "E: no mirror\napt-get update failed\n" in result.stderr


@pytest.mark.parametrize("known", [True, False])
def test_voices_that_apt_does_not_know_are_said_to_be_elsewhere(tmp_path, known):
    log = tmp_path / "apt.log"
    tools = {"id": "echo 0", "apt-get": f'echo "$@" >>{log}', "apt-cache": f"exit {0 if known else 100}"}
    env = only_tools(tmp_path, tools)
    for name in ("mktemp", "rm", "env", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name))
    result = system_packages("voices", sys.executable, env=env)
    update, *install = log.read_text().splitlines()
    assert update.endswith(" update")
    if known:
        assert result.returncode == 0
        assert "install -y --no-install-recommends libttspico-utils rhvoice " in install[0] and " mbrola" in install[0]
    else:
        assert (result.returncode, install) == (1, [])
        assert "apt does not know libttspico-utils: these voices are in Debian's contrib and non-free" in result.stderr


def test_nothing_is_said_when_nothing_is_missing(tmp_path):
    env = only_tools(tmp_path, {"clang-format": "exit 0"})
    result = system_packages("check", sys.executable, env=env)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_unknown_target_is_refused(tmp_path):
    assert system_packages("fly", env=only_tools(tmp_path, {})).returncode == 2


def test_version_is_one(wheel):
    assert shrinkfit.__version__ in wheel.name
