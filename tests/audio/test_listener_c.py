# SPDX-License-Identifier: Apache-2.0
"""The generated listener in every dialect, its frames, and the firmware in docs/listening.md, which runs."""

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from shrinkfit.audio.listen import listen_python
from tests.audio import listening
from tests.runtime_c.native import RUNTIME

DOCS = Path(__file__).parents[2] / "docs" / "listening.md"
WARNINGS = ["-O1", "-Wall", "-Wextra", "-Wconversion", "-Wvla", "-Werror", "-c"]
DIALECTS = [[compiler, f"-std={dialect}"] for compiler in ("gcc", "clang") for dialect in ("c99", "c17")]
DIALECTS += [[compiler, "-xc++", "-std=c++17"] for compiler in ("g++", "clang++")]
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

# Stands in for the microphone: the next part of the sound is there whenever the program waits.
MICROPHONE = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
void microphone_start(int16_t *ring, int32_t part_samples, int32_t parts);
void wait_for_interrupt(void);
void on_hotword(int32_t label, int32_t score);
void microphone_interrupt(void);
static int16_t *at;
static int32_t samples, count, now;
void microphone_start(int16_t *ring, int32_t part_samples, int32_t parts) {
    at = ring, samples = part_samples, count = parts;
}
void wait_for_interrupt(void) {
    if (fread(at + now % count * samples, 2, (size_t)samples, stdin) != (size_t)samples) {
        exit(0);
    }
    now++;
    microphone_interrupt();
}
void on_hotword(int32_t label, int32_t score) {
    printf("%d %d %d\\n", (int)now, (int)label, (int)score);
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c") / "fw"
    listening.write(folder, listening.network(scale=0.011), streaming=1)
    return folder


@pytest.mark.parametrize("dialect", DIALECTS, ids=" ".join)
def test_dialects(folder, tmp_path, dialect):
    if shutil.which(dialect[0]) is None:
        pytest.skip(f"{dialect[0]} is not installed")
    sources = [folder / "ear_listen.c", folder / "sf_listen.c"]
    command = [*dialect, *WARNINGS, f"-I{folder}", *map(str, sources)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_same_listener_same_bytes(folder, tmp_path):
    listening.write(tmp_path / "fw", listening.network(scale=0.011), streaming=1)
    for name in ("ear_listen.c", "ear_listen.h", "sf_model_listen.h", "Makefile", "CMakeLists.txt", "report.json"):
        assert (folder / name).read_bytes() == (tmp_path / "fw" / name).read_bytes()
    assert "ear_listen.c" in (folder / "CMakeLists.txt").read_text()


@needs_gcc
def test_the_firmware_in_the_docs_runs(tmp_path):
    graph = listening.write(tmp_path / "fw", listening.network(), hop_frames=2)
    samples = listening.sound(256 * 40)
    (example,) = re.findall(r"```c\n(#include \"hotword_listen.h\".*?)```", DOCS.read_text(), re.DOTALL)
    (tmp_path / "main.c").write_text(example.replace("hotword_listen", "ear_listen").replace("HOTWORD", "EAR"))
    (tmp_path / "microphone.c").write_text(MICROPHONE)
    sources = [tmp_path / "main.c", tmp_path / "microphone.c", *sorted((tmp_path / "fw").glob("*.c"))]
    command = ["gcc", "-std=c99", *WARNINGS[:-1], f"-I{tmp_path / 'fw'}", *map(str, sources), "-o", "program"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(
        [tmp_path / "program"], input=samples.astype("<i2").tobytes(), capture_output=True, check=True
    )
    heard = listen_python(tmp_path / "fw", samples, graph)
    expected = [f"{-(-at // 256)} {label} {score}" for at, label, score in heard.detections]
    assert done.stdout.decode().split("\n") == [*expected, ""] and len(expected) > 2


FRAMES = [(3, 4, 1, 0), (1, 1, 1, 0), (5, 3, 3, 2), (40, 10, 7, 0), (7, 6, 2, 1)]


@pytest.fixture(scope="module")
def frames_c(tmp_path_factory):
    """sf_listen.c alone."""
    library = tmp_path_factory.mktemp("frames") / "frames.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", str(RUNTIME / "sf_listen.c"), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


@needs_gcc
@pytest.mark.parametrize("width, frames, hop, settle", FRAMES)
@pytest.mark.parametrize("has_table", [False, True])
def test_frames(frames_c, width, frames, hop, settle, has_table):
    rng = np.random.default_rng(width)
    table, stream = rng.integers(-128, 128, 256, np.int8), rng.integers(-128, 128, (3 * frames + 5, width), np.int8)
    params = listening.Frames(table.ctypes.data if has_table else None, width, frames, hop, settle)
    size = frames_c.sf_frames_state_bytes(ctypes.byref(params))
    state, made = np.full(size // 4 + 4, 0x5A5A5A5A, np.uint32), np.empty((frames, width), np.int8)
    frames_c.sf_frames_reset(ctypes.byref(params), ctypes.c_void_p(state.ctypes.data))
    seen = table[stream.astype(int) + 128] if has_table else stream
    for i, frame in enumerate(np.ascontiguousarray(stream)):
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (state, frame, made)]
        due = frames_c.sf_frames_take(ctypes.byref(params), *pointers)
        run, early = divmod(i + 1 - frames, hop)
        assert due == (0 if run < 0 or early else 1 if run < settle else 2)
        if due:
            np.testing.assert_array_equal(made, seen[i + 1 - frames : i + 1])
    assert np.all(state[size // 4 :] == 0x5A5A5A5A) and size == -(-(12 + width * frames) // 4) * 4
