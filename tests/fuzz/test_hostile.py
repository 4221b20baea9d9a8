# SPDX-License-Identifier: Apache-2.0
"""Damaged and hostile .tflite files: a graph that can be priced, written and run, or a ShrinkfitError; nothing else."""

import contextlib
import tracemalloc

import pytest

from shrinkfit.errors import ShrinkfitError
from shrinkfit.read.tflite import read_tflite
from tests.fuzz import campaign, hostile
from tests.fuzz.draw import draw_graph

FILES = 2000
CASES = sorted(campaign.FOUND.glob("files_*.tflite"))


def test_damaged_files_are_read_or_refused(tmp_path):
    report = campaign.run("files", range(FILES), tmp_path, processes=2)
    assert not report.wrong, str(report)
    assert report.done == FILES
    # Damage that is always fatal, or never, would test little.
    assert min(report.statuses["read"], report.statuses["refused"]) > FILES / 10


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_was_found_stays_mended(path):
    status, why = hostile.check_file(path.read_bytes())
    assert status != "wrong", why


def test_the_memory_that_reading_takes():
    bases, worst = hostile.base_files(), 0.0
    for seed in range(150):
        data = hostile.draw_file(seed, bases)
        tracemalloc.start()
        with contextlib.suppress(ShrinkfitError):
            read_tflite(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        worst = max(worst, peak / (hostile.MEMORY_FACTOR * len(data) + hostile.MEMORY_BYTES))
    assert 0 < worst < 1


def hangs(data):
    while True:
        pass


def takes_memory(data):
    return bytearray(hostile.MEMORY_BYTES * 2)


def breaks(data):
    raise KeyError("depths")


def says_nothing(data):
    raise ShrinkfitError("")


@pytest.mark.parametrize("reader", [hangs, takes_memory, breaks, says_nothing])
def test_a_bad_reader_would_be_noticed(reader, monkeypatch):
    monkeypatch.setattr(hostile, "read_tflite", reader)
    monkeypatch.setattr(hostile, "SECONDS", 0.2)
    status, why = hostile.check_file(bytes(100))
    assert status == "wrong"
    named = {hangs: "TooSlow", takes_memory: "MemoryError", breaks: "KeyError", says_nothing: "says nothing"}
    assert named[reader] in why


def test_what_reads_but_cannot_be_priced_would_be_noticed(monkeypatch):
    monkeypatch.setattr(hostile, "price_graph", lambda graph, device: graph.nothing)
    data = hostile.write_tflite(draw_graph(0))
    assert hostile.check_file(data)[0] == "wrong"
