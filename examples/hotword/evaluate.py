# SPDX-License-Identifier: Apache-2.0
"""Scores folders of recordings with the exported C: how many hotwords are missed, at how many false accepts."""

import json
from pathlib import Path

import numpy as np
from rich.progress import track

import shrinkfit
from shrinkfit.audio.augment import mix_noise
from shrinkfit.audio.dataset import fit_length
from shrinkfit.audio.features import AudioError, FeatureConfig, as_float, features
from shrinkfit.audio.sound import read_folder
from shrinkfit.check.exported import Exported

FALSE_ACCEPTS = (0.01, 0.005, 0.001)
HOP_SAMPLES = 1_280  # a longer recording is listened to in windows of a second, this far apart
CLIPS_AT_ONCE = 2_000


def evaluate(out, positives, negatives, noise=None, snr_db=10.0, seed=0):
    """False rejects over two folders of recordings.

    Args:
        out: where hotword.py left its results.
        positives, negatives: folders of recordings with the hotword and without.
        noise: folder of noise to mix in at snr_db, clip against noise by root mean square; None for clean sound.
    Returns:
        a list of (what is asked for, threshold, false rejects, false accepts); shares in [0, 1].
    """
    report = Path(out) / "report.json"
    if not report.is_file():
        raise AudioError(f"'{out}' has no report.json; expected what a run of hotword.py left there")
    report = json.loads(report.read_text())
    rng = np.random.default_rng(seed)
    noises = [sound for sound in read_folder(noise).samples if len(sound)] if noise else []
    scores = []
    for folder in (positives, negatives):
        clips = [noisy(clip, noises, snr_db, rng) for clip in read_folder(folder).samples]
        scores.append(score_clips(Path(out) / "firmware", clips, len(report["hotwords"]), folder))
    rows = []
    for share in FALSE_ACCEPTS:
        threshold = float(np.quantile(scores[1], 1 - share, method="higher"))
        rows.append((f"{share:.1%} false accepts", threshold, *rates(scores, threshold)))
    rows.append(("the exported threshold", report["threshold"], *rates(scores, report["threshold"])))
    return rows


def rates(scores, threshold):
    """Shares of hotwords that are not above the threshold, and of the rest that is."""
    return float(np.mean(scores[0] <= threshold)), float(np.mean(scores[1] > threshold))


def noisy(clip, noises, snr_db, rng):
    """The clip with a random stretch of a random noise; as it is without noises."""
    if not noises:
        return clip
    noise = noises[rng.integers(len(noises))]
    noise = np.tile(noise, -(-len(clip) // len(noise)) + 1)
    start = rng.integers(len(noise) - len(clip) + 1)
    mixed = mix_noise(clip.astype(np.float32), noise[start : start + len(clip)].astype(np.float32), snr_db)
    return np.clip(np.rint(mixed), -32_768, 32_767).astype(np.int16)


def windows(clip, length):
    """A second of sound around the middle, or all seconds of a longer recording; int16 [n, length]."""
    if len(clip) < length + HOP_SAMPLES:
        return fit_length(clip, length)[None]
    return np.lib.stride_tricks.sliding_window_view(clip, length)[::HOP_SAMPLES]


def score_clips(firmware, clips, hotwords, title):
    """The exported C's highest score of a hotword in each clip, in [0, 1]."""
    config = FeatureConfig()
    cut = [windows(clip, config.sample_rate_hz) for clip in clips]
    owner = np.repeat(np.arange(len(cut)), [len(part) for part in cut])
    every, scores = np.concatenate(cut), []
    graph = Exported.read(firmware).graph()
    tensor = graph.tensors[graph.outputs[0]]
    for start in track(range(0, len(every), CLIPS_AT_ONCE), f"Listening to {title}"):
        ran = shrinkfit.check(firmware, inputs=as_float(features(every[start : start + CLIPS_AT_ONCE], config)))
        if ran.differences:
            raise AudioError(f"{firmware} differs from its simulator in {ran.differences} bytes: export it again")
        outputs = (ran.outputs.reshape(len(ran.outputs), -1).astype(float) - tensor.zero_point) * tensor.scale
        scores.append(outputs[:, :hotwords].max(axis=1))
    best = np.zeros(len(cut))
    np.maximum.at(best, owner, np.concatenate(scores))
    return best
