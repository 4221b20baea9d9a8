# SPDX-License-Identifier: Apache-2.0
"""Scores folders of recordings with the exported C: how many hotwords are missed, at how many false accepts."""

import json
from pathlib import Path

import numpy as np
from listening import score_clips

from shrinkfit.audio.augment import mix_noise
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.sound import read_folder

FALSE_ACCEPTS = (0.01, 0.005, 0.001)


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
    folders = [read_folder(folder).samples for folder in (positives, negatives)]

    def noise_of(clip, said):
        return noisy(clip, said, noises, snr_db, rng)

    heard = [score_clips(Path(out) / "firmware", clips, noise_of) for clips in folders]
    scores, found = zip(*heard, strict=True)
    rows = []
    for share in FALSE_ACCEPTS:
        threshold = float(np.quantile(scores[1], 1 - share, method="higher"))
        rejects, accepts = float(np.mean(scores[0] <= threshold)), float(np.mean(scores[1] > threshold))
        rows.append((f"{share:.1%} false accepts", f"{threshold:.3f}", rejects, accepts))
    own = ", ".join(f"{threshold:.3f}" for threshold in report["threshold"].values())
    rows.append(("the exported threshold", own, float(np.mean(~found[0])), float(np.mean(found[1]))))
    return rows


def noisy(clip, said, noises, snr_db, rng):
    """The clip with a random stretch of a random noise; as it is without noises. said: samples that are no silence."""
    if not noises:
        return clip
    noise = noises[rng.integers(len(noises))]
    noise = np.tile(noise, -(-len(clip) // len(noise)) + 1)
    start = rng.integers(len(noise) - len(clip) + 1)
    # Of the clip's level, not of the silence around it.
    below = snr_db - 10 * np.log10(len(clip) / max(said, 1))
    mixed = mix_noise(clip.astype(np.float32), noise[start : start + len(clip)].astype(np.float32), below)
    return np.clip(np.rint(mixed), -32_768, 32_767).astype(np.int16)
