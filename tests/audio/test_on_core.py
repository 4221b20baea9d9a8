# SPDX-License-Identifier: Apache-2.0
"""sf_features.c on emulated cores: the same bytes, and cycles and sizes as promised."""

import shutil

import numpy as np
import pytest

from shrinkfit.audio.features import FeatureConfig, features
from shrinkfit.audio.on_core import run_on_core
from shrinkfit.check.build import Target
from tests.audio.sounds import hard_sounds

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed (gcc-arm-none-eabi)"
)
M4, M3, M0PLUS = Target("cortex-m4", fpu=False), Target("cortex-m3", fpu=False), Target("cortex-m0plus", fpu=False)
CASES = {
    "25 ms": ({"window_samples": 400, "hop_samples": 160}, M4),  # seven and six of eight inputs are there
    "30 ms": ({}, M4),  # eight and seven
    "whole": ({"window_samples": 512, "hop_samples": 256}, M4),  # eight
    "six": ({"window_samples": 384, "hop_samples": 100}, M4),
    "odd": ({"window_samples": 399, "hop_samples": 133}, M4),
    "fine": ({"fine": True}, M4),
    "slaney": ({"bands": 32, "high_hz": 3_800.0, "fine": True, "mel_scale": "slaney"}, M4),
    "few bands": ({"bands": 2}, M4),  # many bins in each
    "short": ({"window_samples": 256, "hop_samples": 100}, M4),
    "8 kHz": (
        {"sample_rate_hz": 8000, "window_samples": 200, "hop_samples": 80, "fft_size": 256, "high_hz": 3800.0},
        M4,
    ),
    "large": ({"window_samples": 1024, "hop_samples": 512, "fft_size": 1024}, M4),
    "options": ({"kind": "mfcc", "noise_reduction": 0.5, "gain_normalization": 0.6}, M4),
    "M3": ({"window_samples": 400, "hop_samples": 160}, M3),
    "M0+": ({"kind": "mfcc", "fft_size": 256, "window_samples": 256, "hop_samples": 128, "bands": 20}, M0PLUS),
}
SOUNDS = ("loud noise", "square of 2", "square of 64", "clipped tone", "silence", "impulses", "fading noise", "chirp")


@pytest.mark.parametrize("case", CASES)
def test_same_bytes(case):
    setting, target = CASES[case]
    config = FeatureConfig(**setting)
    sound = np.concatenate([hard_sounds(1_040)[name] for name in SOUNDS])
    ran = run_on_core(sound, config, target)
    whole = sound[: len(sound) // config.hop_samples * config.hop_samples]
    np.testing.assert_array_equal(ran.frames, features(whole, config))


def test_costs_are_as_promised():
    """A second of sound in frames of 25 ms every 10 ms: cycles do not depend on what is heard."""
    config = FeatureConfig(window_samples=400, hop_samples=160)
    ran = run_on_core(hard_sounds(160 * 12)["loud noise"], config, M4, count=12)
    frames = [profile.cycles for profile in ran.profiles[-8:]]
    assert 100 * np.mean(frames) < 1_000_000
    assert ran.code_bytes + ran.table_bytes < 12 * 1024
    assert config.state_bytes + config.scratch_bytes + ran.stack_bytes < 4 * 1024
