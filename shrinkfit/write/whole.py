# SPDX-License-Identifier: Apache-2.0
"""Files in, a folder out that appears whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from shrinkfit.errors import ExportError

# The key by which an exported folder is known again; its value counts changes of report.json.
FORMAT_KEY, REPORT_FORMAT = "shrinkfit_report", 3
REPORT = "report.json"
BUILD = "build"


def placed(folder: str | os.PathLike[str]) -> Path:
    """The absolute path of what a user names as folder.

    Raises:
        ExportError: it is empty.
    """
    if not os.fspath(folder):
        raise ExportError("folder is '', expected the name of a folder for the firmware, such as 'firmware'")
    return Path(os.path.abspath(folder))


def check_replaceable(folder: Path) -> None:
    """Nothing where a folder may be written: only what an earlier export and its Makefile made is replaced.

    Raises:
        ExportError: something else is there, or somebody is working in it.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink():
        raise ExportError(f"'{folder}' is a symbolic link; name the folder '{os.path.realpath(folder)}' itself")
    if not folder.is_dir():
        raise ExportError(f"'{folder}' is no folder; choose another place for the firmware")
    _check_nobody_inside(folder)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if not found:
        return
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        ours = set(report["files"]) if FORMAT_KEY in report else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    if not ours:
        raise ExportError(f"'{folder}' holds files that shrinkfit did not write; choose an empty or a new folder")
    strange = sorted(path for path in found - ours if not path.startswith(f"{BUILD}/"))
    if strange:
        raise ExportError(
            f"'{folder}' was exported before, but '{strange[0]}' in it was not; move it away or choose another folder"
        )


def _check_nobody_inside(folder: Path) -> None:
    """A folder is replaced by renaming: whoever is in it, such as the shell, would stay in the one that is gone."""
    try:
        here = Path(os.getcwd())
    except OSError:  # it is gone already
        return
    real = Path(os.path.realpath(folder))
    if real == here or real in here.parents:
        what = "the current folder" if real == here else f"a folder around the current one, '{here}'"
        raise ExportError(
            f"'{folder}' is {what}, and export replaces its folder as a whole; name a folder inside it, such as "
            f"'{folder / 'firmware'}', or go up one (cd ..) and name it from there"
        )


def write_whole(folder: Path, files: dict[str, bytes]) -> None:
    """Write a folder beside its place, then rename it.

    Args:
        files: relative path -> content.
    Raises:
        ExportError: it cannot be written; what was there is there still.
    """
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        fresh = temporary / "new"
        for file, content in files.items():
            path = fresh / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _swap(fresh, folder, temporary / "old")
    except OSError as error:
        raise ExportError(f"cannot write '{folder}': {error.strerror or error}; nothing was changed") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _swap(fresh: Path, folder: Path, old: Path) -> None:
    if not folder.exists():
        os.rename(fresh, folder)
        return
    os.rename(folder, old)
    try:
        os.rename(fresh, folder)
    except OSError:
        os.rename(old, folder)
        raise
