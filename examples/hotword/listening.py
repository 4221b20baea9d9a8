# SPDX-License-Identifier: Apache-2.0
"""A fitted network becomes a device that listens: its thresholds, and what it does with hours of sound."""

from pathlib import Path

import numpy as np
from speech import CONFIG, FRAMES

import shrinkfit
from shrinkfit.audio.choose import choose_threshold
from shrinkfit.audio.dataset import fit_length
from shrinkfit.audio.detect import ONE, Detector
from shrinkfit.audio.figures import Outputs, det_curve, measure
from shrinkfit.audio.listen import listen, listen_python, listening_of
from shrinkfit.audio.stream import build_stream
from shrinkfit.report.det import plot_det

# New frames of a call: 80 ms. The mean of three outputs decides; behind a detection there is a second of silence.
FRAMES_PER_CALL, SMOOTHING, REFRACTORY = 4, 3, 12
CALLS_PER_SECOND = CONFIG.sample_rate_hz / CONFIG.hop_samples / FRAMES_PER_CALL


def listener_of(labels, thresholds=0.5):
    """What stands around the network on the device; its memory is the same whatever the thresholds are."""
    detector = Detector(labels, labels[:-2], SMOOTHING, thresholds, REFRACTORY)
    return shrinkfit.Listener(features=CONFIG, detector=detector)


def deploy(fit, folder, speech, seconds, per_hour, seed):
    """Export a network that listens, with the threshold that keeps to a rate of false accepts.

    It is chosen on one stream of sound, and judged on another with other voices.

    Args:
        folder: for the firmware; the plot goes beside it.
        seconds: of each stream, by the name of its sounds.
        per_hour: false accepts that are allowed.
    Returns:
        what report.json says of it.
    """
    hotwords = speech.labels[:-2]

    def export(thresholds):
        shrinkfit.export(fit, folder, name="hotword", listener=listener_of(speech.labels, thresholds))
        return listening_of(folder)

    listening = export(0.5)
    heard = {}
    for number, (name, sounds) in enumerate(sorted(speech.sounds.items())):
        stream = build_stream(*sounds, seconds=seconds[name], seed=seed + number)
        scores = listen_python(folder, stream.samples).scores
        heard[name] = stream, Outputs(scores, positions(listening, len(scores)))
    detector = listening.detector
    # One for all words: thresholds of their own would fit the few voices that they are chosen by.
    curves = {name: det_curve(*part, detector) for name, part in heard.items()}
    chosen = choose_threshold(curves["validation"], per_hour)
    detector = export(curves["validation"].threshold[chosen.point]).detector
    figures, curve = measure(*heard["test"], detector), curves["test"]
    plot_det(
        Path(folder).parent / "det.png",
        {"voices to choose by": curves["validation"], "other voices": curve},
        operating={"voices to choose by": chosen.point},
        max_false_accepts_per_hour=per_hour,
    )
    return {
        "threshold": dict(zip(hotwords, detector.threshold, strict=True)),
        "stream": figures.to_dict(),
        "chosen": chosen.to_dict(),
        "det": {
            "false_accepts_per_hour": curve.false_accepts_per_hour.tolist(),
            "false_rejects": curve.false_reject_share.tolist(),
        },
    }, figures


def positions(listening, outputs):
    """How many samples have been heard when each output that counts is there."""
    return span(listening) + listening.step_samples * np.arange(outputs, dtype=np.int64)


def span(listening):
    """Samples that an output looks back on."""
    return listening.first_samples + listening.settle * listening.step_samples


def hear_clips(folder, clips, on="qemu"):
    """One output of the exported C for each clip, raw samples in.

    The clips stand one behind the other in one stream, so that an output's window is the first FRAMES of each.

    Returns:
        (int8 [n, classes], the same of the Python twin, what was heard in all).
    """
    listening = listening_of(folder)
    step, back = listening.step_samples, span(listening)
    slot = -(-back // step) * step
    seen = CONFIG.window_samples + (FRAMES - 1) * CONFIG.hop_samples
    sound = np.zeros(back % step + slot * len(clips), np.int16)
    for clip, stretch in zip(clips, sound[back % step :].reshape(len(clips), slot), strict=True):
        stretch[slot - seen :] = clip[:seen]
    heard, twin = listen(folder, sound, on), listen_python(folder, sound)
    last = (back % step + slot - back) // step + slot // step * np.arange(len(clips))
    return heard.scores[last], twin.scores[last], heard


def score_clips(folder, clips, noise_of):
    """How surely, and whether, a hotword is heard anywhere in each clip, by the exported C on an emulated board.

    Args:
        clips: int16 arrays of any length.
        noise_of: takes a clip within silence, and the clip's own length, and gives it back with noise.
    Returns:
        (float [n]: the highest mean of a hotword in [0, 1]; bool [n]: detected with the exported thresholds).
    """
    listening = listening_of(folder)
    step, back = listening.step_samples, span(listening)
    slots = [noise_of(fit_length(clip, -(-(len(clip) + back) // step) * step), len(clip)) for clip in clips]
    sound = np.concatenate([np.zeros(back, np.int16), *slots])
    ends = back + np.cumsum([len(slot) for slot in slots])
    heard = listen(folder, sound, "qemu")
    best, found = np.zeros(len(clips)), np.zeros(len(clips), bool)
    means = listening.detector.smooth(heard.scores).max(axis=1) / ONE
    np.maximum.at(best, np.searchsorted(ends, positions(listening, len(means))).clip(max=len(clips) - 1), means)
    found[[np.searchsorted(ends, position) for position, _, _ in heard.detections]] = True
    return best, found
