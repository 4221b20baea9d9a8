# SPDX-License-Identifier: Apache-2.0
"""The detector as a firmware image on emulated cores: the twin's label and score at every output."""

import shutil

import numpy as np
import pytest

from shrinkfit._runtime import runtime_dir
from shrinkfit.audio.detect import Detector, detector_c
from shrinkfit.check.build import Target, build_firmware
from shrinkfit.check.emulate import Api, run_unicorn

CLASSES, STATE_BYTES = 12, 256
HEADER = f"""
#include "sf_detect.h"
#include "shrinkfit.h"
#define SF_MODEL_ARENA_BYTES {STATE_BYTES + 32}
#define SF_MODEL_INPUT_BYTES {CLASSES}
#define SF_MODEL_OUTPUT_BYTES 12
void ear_reset(void *arena);
int8_t *ear_input(void *arena);
sf_status ear_run(void *arena);
const int8_t *ear_output(const void *arena);
#define sf_model_reset ear_reset
#define sf_model_input ear_input
#define sf_model_run ear_run
#define sf_model_output ear_output
#define SF_MODEL_EACH_INPUT(each) each(ear_input, SF_MODEL_INPUT_BYTES)
#define SF_MODEL_EACH_OUTPUT(each) each(ear_output, SF_MODEL_OUTPUT_BYTES)
"""
# The arena: the detector's state, what it writes, the scores.
SOURCE = """
#include "sf_model.h"
%s
void ear_reset(void *arena) { sf_detect_reset(&ear_detector, arena); }
int8_t *ear_input(void *arena) { return (int8_t *)arena + SF_MODEL_ARENA_BYTES - 20; }
const int8_t *ear_output(const void *arena) { return (const int8_t *)arena + SF_MODEL_ARENA_BYTES - 32; }
sf_status ear_run(void *arena) {
    int32_t *out = (int32_t *)(void *)ear_output(arena);
    sf_detection found;
    out[0] = sf_detect(&ear_detector, arena, ear_input(arena), &found);
    out[1] = found.label;
    out[2] = found.score;
    return SF_OK;
}
"""
LABELS = tuple(f"word{i}" for i in range(CLASSES))
DETECTORS = [
    Detector(LABELS, LABELS[:10], 5, 0.6, 8),
    Detector(LABELS, ("word3",), 7, 1.25, 2, scale=0.03, zero_point=31),
]


def emulated(folder, detector, scores, core, count=0):
    """(int32 [steps, 3]: what sf_detect returned and wrote; the run's Emulation)."""
    for name in ("sf_detect.c", "sf_detect.h", "shrinkfit.h"):
        shutil.copy(runtime_dir() / name, folder)
    shutil.copytree(runtime_dir() / "ports", folder / "ports")
    (folder / "sf_model.h").write_text(HEADER)
    (folder / "ear.c").write_text(SOURCE.replace("%s", detector_c(detector, "ear")))
    (folder / "build").mkdir()
    target = Target(core, fpu=False)
    elf = build_firmware(folder, folder / "build", target, stack_bytes=512)
    api = Api("ear_run", (("ear_input", CLASSES),), (("ear_output", 12),), "ear_reset")
    ran = run_unicorn(elf, scores, api, target, count=count)
    return np.ascontiguousarray(ran.outputs).view("<i4"), ran


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4"])
@pytest.mark.parametrize("detector", DETECTORS, ids=["ten words", "one word"])
def test_the_core_writes_the_same_bits(tmp_path, detector, core):
    assert detector.state_bytes <= STATE_BYTES
    rng = np.random.default_rng(3)
    scores = np.repeat(rng.integers(-128, 128, (80, CLASSES)), 5, axis=0).astype(np.int8)
    written, ran = emulated(tmp_path, detector, scores, core, count=1)
    np.testing.assert_array_equal(written[:, 1:], detector.trace(scores))
    assert written[:, 0].sum() == len(detector.detect(scores)) > 3
    if core == "cortex-m4":  # what docs/detection.md says; the call around it counts too
        assert ran.profiles[0].cycles < 100 + 55 * len(detector.hotwords)
