# SPDX-License-Identifier: Apache-2.0
"""sf_features.c gives the bytes of its twin in Python, however a stream is cut into calls."""

import subprocess

import numpy as np
import pytest

from shrinkfit.audio.features import FeatureConfig, features, features_c
from tests.audio.native_features import GLUE, NativeFeatures, compile_objects, link
from tests.audio.sounds import hard_sounds, speech

SETTINGS = {
    "default": {},
    "25 ms every 10 ms": {"window_samples": 400, "hop_samples": 160},
    "no overlap": {"window_samples": 160, "hop_samples": 160, "fft_size": 256, "bands": 20},
    "gaps": {"window_samples": 101, "hop_samples": 333, "fft_size": 128, "bands": 16},
    "odd": {"window_samples": 399, "hop_samples": 133, "bands": 23},
    "nearly each sample": {"window_samples": 127, "hop_samples": 31, "fft_size": 128, "bands": 8},
    "whole window of 128": {"window_samples": 128, "hop_samples": 64, "fft_size": 128, "bands": 40, "fine": True},
    "whole window of 512": {"window_samples": 512, "hop_samples": 256},
    "fine": {"window_samples": 400, "hop_samples": 160, "fine": True},
    "large": {"window_samples": 1024, "hop_samples": 512, "fft_size": 1024, "bands": 64},
    "short window, large FFT": {"window_samples": 65, "hop_samples": 40, "fft_size": 1024, "bands": 64},
    "8 kHz": {"sample_rate_hz": 8000, "window_samples": 200, "hop_samples": 80, "fft_size": 256, "high_hz": 3800.0},
    "one band": {"bands": 1},
    "narrow bands": {"bands": 64, "low_hz": 0.0, "high_hz": 8000.0},
    "narrowest bands": {"bands": 120, "low_hz": 0.0, "high_hz": 8000.0, "fine": True},
    "few levels": {"floor_log2": 10.0, "ceiling_log2": 18.0},
    "MFCC": {"kind": "mfcc"},
    "all coefficients": {"kind": "mfcc", "coefficients": 40, "floor_log2": -4.0},
    "noise reduction": {"noise_reduction": 0.9},
    "gain normalization": {"gain_normalization": 1.0, "hop_samples": 160},
    "all options": {"kind": "mfcc", "bands": 30, "noise_reduction": 0.5, "gain_normalization": 0.6},
}


@pytest.fixture(scope="module")
def objects(once):
    """objects(dsp) -> where the scalar files are, or the portable twins of those for DSP instructions."""
    return lambda dsp: once(f"features-{int(dsp)}", lambda folder: compile_objects(folder, dsp))


@pytest.fixture(scope="module", params=[(name, dsp) for name in SETTINGS for dsp in (False, True)], ids=str)
def native(request, tmp_path_factory, objects):
    name, dsp = request.param
    return NativeFeatures(tmp_path_factory.mktemp("features"), FeatureConfig(**SETTINGS[name]), objects(dsp))


def test_hard_sounds(native):
    for name, sound in hard_sounds().items():
        np.testing.assert_array_equal(native.clip(sound), features(sound, native.config), err_msg=name)


def test_cuts_do_not_matter(native):
    sound = hard_sounds()["chirp"]
    cuts = np.sort(np.random.default_rng(1).integers(0, len(sound), 60))
    native.reset()
    pieces = [native.run(piece) for piece in np.split(sound, cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), features(sound, native.config))


def test_one_stream_goes_on_where_a_clip_would_end(native):
    first, second = hard_sounds()["chirp"], hard_sounds()["loud noise"]
    native.reset()
    pieces = [native.run(first), native.run(second)]
    np.testing.assert_array_equal(np.concatenate(pieces), features(np.concatenate([first, second]), native.config))


@pytest.mark.parametrize("setting", ["25 ms every 10 ms", "MFCC"])
def test_a_thousand_recordings(tmp_path, objects, setting):
    config, clips = FeatureConfig(**SETTINGS[setting]), speech(1000)
    native = NativeFeatures(tmp_path, config, objects(False))
    np.testing.assert_array_equal(np.stack([native.clip(clip) for clip in clips]), features(clips, config))


MAIN = """
#include <stdio.h>
#include <stdlib.h>
int main(void) {{
    /* Blocks of their own, so that a byte beyond one is an error. */
    void *state = malloc({state}), *scratch = malloc({scratch});
    int16_t *in = malloc({samples} * 2);
    int8_t *out = malloc({bytes});
    size_t got = fread(in, 2, {samples}, stdin);
    reset(state);
    got -= {samples};
    run(state, scratch, in, {samples}, out);
    got += fwrite(out, 1, {bytes}, stdout) - {bytes};
    free(state);
    free(scratch);
    free(in);
    free(out);
    return got != 0;
}}
"""
SANITIZE = ("-std=c11", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SANITIZED = [("odd", 0), ("odd", 1), ("gaps", 1), ("large", 0), ("fine", 1), ("all options", 0)]


@pytest.mark.parametrize(("setting", "dsp"), SANITIZED)
def test_sanitizers_find_nothing(tmp_path, once, setting, dsp):
    config = FeatureConfig(**SETTINGS[setting])
    sound = np.concatenate(list(hard_sounds(1_050).values()))
    expected = features(sound, config)
    sizes = {"state": config.state_bytes, "scratch": config.scratch_bytes, "samples": len(sound)}
    text = GLUE.format(tables=features_c(config, "t")) + MAIN.format(**sizes, bytes=expected.size)
    # A frame is done before more of it is written, so that the glue needs no byte behind the last one.
    (tmp_path / "main.c").write_text(text)
    objects = once(f"sanitized-features-{dsp}", lambda folder: compile_objects(folder, bool(dsp), SANITIZE))
    link(objects, tmp_path / "main.c", tmp_path / "run", config, SANITIZE)
    done = subprocess.run([str(tmp_path / "run")], input=sound.tobytes(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert done.stdout == expected.tobytes()
