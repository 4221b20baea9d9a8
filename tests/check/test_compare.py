# SPDX-License-Identifier: Apache-2.0
"""check on whole exported folders: agreement, disagreement, and folders that are none."""

import json

import pytest

from shrinkfit.check.compare import PLACES, check
from shrinkfit.errors import CheckError, ShrinkfitError

TARGET = {"core": "cortex-m4", "fpu": True, "dsp": True, "flash_bytes": None, "ram_bytes": None}


def test_unknown_place(toy):
    with pytest.raises(ShrinkfitError, match=r"cannot run on 'moon'; expected one of host, cortex-m4, qemu"):
        check(toy, on="moon")


@pytest.mark.parametrize("on", PLACES)
def test_no_folder(tmp_path, on):
    with pytest.raises(CheckError, match="absent' is not a folder; expected one that `shrinkfit export` wrote"):
        check(tmp_path / "absent", on=on)


def test_folder_of_somebody_else(tmp_path):
    with pytest.raises(CheckError, match="has no report.json, so shrinkfit did not write it"):
        check(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x", "target": {}}', '{"name"', "\xff"])
def test_report_of_somebody_else(tmp_path, text):
    (tmp_path / "report.json").write_text(text, encoding="latin-1")
    with pytest.raises(CheckError, match="is not a report that shrinkfit wrote"):
        check(tmp_path)


def test_folder_without_its_tflite(toy):
    (toy / "report.json").write_text(json.dumps({"shrinkfit_report": 1, "name": "toy", "target": TARGET}))
    with pytest.raises(CheckError, match="has no toy.tflite"):
        check(toy)
