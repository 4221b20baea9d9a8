# SPDX-License-Identifier: Apache-2.0
"""The pages on sound: their Python runs on sound and networks made here, their C compiles, their commands exist."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from tests.audio.listening import network
from tests.runtime_c.native import RUNTIME
from tests.test_docs import BLOCK, ROOT

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def blocks(page, language):
    found = BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    return [text for kind, text in found if kind == language]


def run(page, **names):
    """All Python of a page, one block after the other; only the hour is shorter."""
    for text in blocks(page, "python"):
        exec(compile(text.replace("seconds=3600", "seconds=400"), page, "exec"), names)
    return names


def said(seed):
    """float [16,000]: noise that is loud for 0.4 s."""
    loud = (abs(np.arange(16_000) - 8_000) < 3_200) * 6_000 + 40
    return (np.random.default_rng(seed).normal(0, 1, 16_000) * loud).astype(np.int16)


def loudness(samples):
    """int8 [steps, 3]: a network that takes a loud fifth of a second for "computer"."""
    ends = range(16_000, len(samples) + 1, 1_600)
    levels = np.array([np.abs(samples[end - 3_200 : end].astype(int)).max() for end in ends])
    first = np.clip(levels / 60 - 128, -128, 127)
    return np.stack([first, -first - 1, np.full(len(first), -128)], axis=1).astype(np.int8)


def test_detection(tmp_path, monkeypatch):
    from shrinkfit.audio.figures import run_over
    from shrinkfit.audio.stream import build_stream

    monkeypatch.chdir(tmp_path)
    given = {"positives": [(0, said(1)), (0, said(2))], "negatives": [said(3) // 9], "noise": [], "scores": loudness}
    test_stream = build_stream(given["positives"], given["negatives"], [], seconds=60, seed=2)
    given["test_stream"] = test_stream
    given["test_outputs"] = run_over(test_stream, loudness, first_samples=16_000, step_samples=1_600)
    names = run("detection.md", **given)
    assert names["stream"].seconds == 400 and names["figures"].words > 5
    assert (tmp_path / "det.png").stat().st_size > 1000


def test_features():
    names = run("features.md", samples=np.stack([said(1), said(2)]))
    assert names["x"].shape == (2, 98, 40) and -1 <= names["x"].min() < names["x"].max() < 1


def test_streaming(tmp_path, monkeypatch):
    import keras

    monkeypatch.chdir(tmp_path)
    layers = [keras.layers.Conv1D(4, 3), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(2)]
    x = np.random.default_rng(0).normal(size=(8, 12, 5)).astype(np.float32)
    run("streaming.md", model=keras.Sequential([keras.Input((12, 5)), *layers]), x=x)
    header = (tmp_path / "firmware" / "hotword.h").read_text()
    assert all(f"HOTWORD_{name}" in header for name in ("FRAMES_PER_CALL", "WINDOW_FRAMES", "WARMUP_CALLS"))


def test_listening(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    import keras

    layers = [keras.layers.Conv1D(4, 3), keras.layers.GlobalMaxPooling1D(), keras.layers.Dense(4, activation="softmax")]
    large = keras.Sequential([keras.Input((40, 32)), *layers])
    x = np.random.default_rng(0).uniform(-1, 1, (8, 40, 32)).astype(np.float32)
    labels = ("computer", "no", "unknown", "silence")
    names = run("listening.md", fit=network(frames=29, bands=40), labels=labels, large=large, x=x)
    assert "verifying a hotword" in str(names["report"])
    header = " ".join((tmp_path / "firmware" / "hotword_listen.h").read_text().split())
    api, _ = blocks("listening.md", "c")
    names = re.findall(r"#define (\w+)", api)
    assert len(names) == 5 and all(f"#define {name} " in header for name in names)
    functions = [line for line in api.splitlines() if line.endswith(");")]
    assert len(functions) == 2 and all(line in header for line in functions)


AROUND = {
    "detection.md": """#include "sf_detect.h"
const int8_t *hotword_output(const void *arena);
void run(sf_detector detector, void *state, const void *arena);
void run(sf_detector detector, void *state, const void *arena) {""",
    "features.md": """#include "sf_features.h"
extern const sf_features hotword_features;
void run(const int16_t *samples, int32_t count, void *state, void *scratch, int8_t *frame);
void run(const int16_t *samples, int32_t count, void *state, void *scratch, int8_t *frame) { int32_t done;""",
}


@needs_gcc
@pytest.mark.parametrize("page", AROUND)
def test_c_compiles(page):
    (text,) = blocks(page, "c")
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{RUNTIME}", "-xc", "-"]
    done = subprocess.run(command, input=f"{AROUND[page]}{text}}}", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Each fence closes what the one before it has opened.
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMANDS = sorted(
    {
        (page.name, line.partition("#")[0].strip())
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for kind, block in FENCED.findall(page.read_text(encoding="utf-8"))
        for line in block.splitlines()
        if kind in ("", "sh", "console") and line.startswith("shrinkfit ")
    }
)


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=str)
def test_every_command_of_every_page_exists(page, line):
    from typer.main import get_command

    from shrinkfit.cli import app

    _, name, *words = line.split()
    command = get_command(app).commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if re.match(r"--?[a-z]", word)} <= known
