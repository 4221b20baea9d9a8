# SPDX-License-Identifier: Apache-2.0
"""A fitted network becomes a device that listens: its thresholds, and what it does with hours of sound."""

from pathlib import Path

import numpy as np
from speech import CONFIG, FRAMES
from verifier import calibration

import shrinkfit
from shrinkfit.audio.choose import choose_threshold
from shrinkfit.audio.dataset import fit_length
from shrinkfit.audio.detect import ONE, Detector
from shrinkfit.audio.embedding import EMBEDDING_FEATURES
from shrinkfit.audio.figures import Outputs, det_curve, measure
from shrinkfit.audio.listen import deciding, listen, listen_python, listening_of, means_of, verified_of
from shrinkfit.audio.stream import build_stream
from shrinkfit.report.det import plot_det

# New frames of a call: 80 ms. The mean of three outputs decides; behind a detection there is a second of silence.
FRAMES_PER_CALL, SMOOTHING, REFRACTORY = 4, 3, 12
CALLS_PER_SECOND = CONFIG.sample_rate_hz / CONFIG.hop_samples / FRAMES_PER_CALL
# With a verifier the network says when it is worth to run that: that often in an hour of talk, which misses few words;
# 0.4 s later, when the word has ended, and not again for 2.7 s, which is how long that takes at 40 MHz: so what the
# microphone's buffer has to hold is the sound that arrives in one such time.
CANDIDATES_PER_HOUR, DELAY, NEXT_CANDIDATE = 300, 5, 34
# The two are wrong about other sounds: what one is sure to be none is none.
FIRST_SHARE = 0.4
CALIBRATION_SCENES = 256


def verifier_of(network, speech, seed):
    """A verifier around its float network, on integers by what it was trained on; thresholds are chosen later."""
    labels = speech.labels
    detector = Detector(labels, labels[:-2], threshold=0.5, refractory=REFRACTORY)
    scenes = calibration(speech.verified, CALIBRATION_SCENES, seed)
    return shrinkfit.Verifier(network, EMBEDDING_FEATURES, detector, DELAY, scenes, FIRST_SHARE)


def listener_of(labels, thresholds=0.5, verifier=None):
    """What stands around the network on the device; its memory is the same whatever the thresholds are."""
    detector = Detector(labels, labels[:-2], SMOOTHING, thresholds, NEXT_CANDIDATE if verifier else REFRACTORY)
    return shrinkfit.Listener(features=CONFIG, detector=detector, verifier=verifier)


def deploy(fit, folder, speech, seconds, per_hour, seed, verifier=None):
    """Export a network that listens, with the threshold that keeps to a rate of false accepts.

    It is chosen on one stream of sound, and judged on another with other voices.

    Args:
        folder: for the firmware; the plot goes beside it.
        seconds: of each stream, by the name of its sounds.
        per_hour: false accepts that are allowed.
        verifier: of verifier_of, or None.
    Returns:
        what report.json says of it.
    """

    def export(thresholds, verifier=None):
        listener = listener_of(speech.labels, thresholds, verifier)
        shrinkfit.export(fit, folder, name="hotword", listener=listener)
        return listening_of(folder)

    listening, asked = export(0.5), {}
    heard = hear_streams(folder, listening, speech.sounds, seconds, seed)
    if verifier:
        candidates = worth_verifying(*heard["validation"], listener_of(speech.labels, 0.5, verifier).detector)
        listening = export(candidates, verifier)
        others = measure(*heard["test"], listening.detector)
        asked = {"candidate_threshold": candidates, "verified_per_hour": others.false_accepts_per_hour}
        heard = {name: verified(listening, verifier, *part) for name, part in heard.items()}
    # One for all words: thresholds of their own would fit the few voices that they are chosen by.
    curves = {name: det_curve(*part, deciding(listening)) for name, part in heard.items()}
    chosen = choose_threshold(curves["validation"], per_hour)
    threshold = curves["validation"].threshold[chosen.point]
    listening = export(candidates, verifier.with_threshold(threshold)) if verifier else export(threshold)
    detector, curve = deciding(listening), curves["test"]
    figures = measure(*heard["test"], detector)
    plot_det(
        Path(folder).parent / "det.png",
        {"voices to choose by": curves["validation"], "other voices": curve},
        operating={"voices to choose by": chosen.point},
        max_false_accepts_per_hour=per_hour,
    )
    return {
        "threshold": dict(zip(detector.hotwords, detector.threshold, strict=True)),
        "stream": figures.to_dict(),
        "chosen": chosen.to_dict(),
        "verifier": asked,
        "det": {
            "false_accepts_per_hour": curve.false_accepts_per_hour.tolist(),
            "false_rejects": curve.false_reject_share.tolist(),
        },
    }, figures


def hear_streams(folder, listening, sounds_of, seconds, seed):
    """By name a stream of such sounds, and what the network alone says over it."""
    heard = {}
    for number, (name, sounds) in enumerate(sorted(sounds_of.items())):
        stream = build_stream(*sounds, seconds=seconds[name], seed=seed + number)
        scores = listen_python(folder, stream.samples).scores
        heard[name] = stream, Outputs(scores, positions(listening, len(scores)))
    return heard


def worth_verifying(stream, outputs, detector):
    """The lowest threshold at which a verifier has no more than CANDIDATES_PER_HOUR of other sounds to hear.

    Not the one with the fewest false rejects here: real voices are heard less surely than synthetic ones.
    """
    curve = det_curve(stream, outputs, detector)
    few = np.flatnonzero(curve.false_accepts_per_hour <= CANDIDATES_PER_HOUR)
    return curve.threshold[few[0] if len(few) else -1]


def verified(listening, verifier, stream, outputs):
    """The stream, and what both networks say over it: the lowest scores where the verifier is not asked."""
    scores = verified_of(listening, verifier.graph, stream.samples, outputs.scores)
    return stream, Outputs(scores, outputs.positions, means_of(listening, outputs.scores, scores))


def positions(listening, outputs):
    """How many samples have been heard when each output that counts is there."""
    return listening.settled_samples + listening.step_samples * np.arange(outputs, dtype=np.int64)


def hear_clips(folder, clips, on="qemu"):
    """One output of the exported C for each clip, raw samples in.

    The clips stand one behind the other in one stream, so that an output's window is the first FRAMES of each.

    Returns:
        (int8 [n, classes], how many score bytes of the whole stream differ from the Python twin's, a verifier's
        counted, what was heard in all).
    """
    listening = listening_of(folder)
    step, back = listening.step_samples, listening.settled_samples
    slot = -(-back // step) * step
    seen = CONFIG.window_samples + (FRAMES - 1) * CONFIG.hop_samples
    sound = np.zeros(back % step + slot * len(clips), np.int16)
    for clip, stretch in zip(clips, sound[back % step :].reshape(len(clips), slot), strict=True):
        stretch[slot - seen :] = clip[:seen]
    heard, twin = listen(folder, sound, on), listen_python(folder, sound)
    last = (back % step + slot - back) // step + slot // step * np.arange(len(clips))
    differences = np.sum(heard.scores != twin.scores)
    differences += 0 if twin.verified is None else np.sum(heard.verified != twin.verified)
    return heard.scores[last], int(differences), heard


def score_clips(folder, clips, noise_of):
    """How surely, and whether, a hotword is heard anywhere in each clip, by the exported C on an emulated board.

    Args:
        clips: int16 arrays of any length.
        noise_of: takes a clip within silence, and the clip's own length, and gives it back with noise.
    Returns:
        (float [n]: the highest mean of a hotword in [0, 1], of both networks where there is a verifier; bool [n]:
        detected with the exported thresholds).
    """
    listening = listening_of(folder)
    step, back, verifier = listening.step_samples, listening.settled_samples, listening.verifier
    # Silence for all that looks back on the clip, half of it before: a verifier comes later, and not twice at once.
    quiet = back + (0 if verifier is None else (verifier.delay + listening.detector.refractory) * step)
    slots = [noise_of(fit_length(clip, -(-(len(clip) + quiet) // step) * step), len(clip)) for clip in clips]
    sound = np.concatenate([np.zeros(back, np.int16), *slots])
    ends = back + np.cumsum([len(slot) for slot in slots])
    heard = listen(folder, sound, "qemu")
    best, found = np.zeros(len(clips)), np.zeros(len(clips), bool)
    means = means_of(listening, heard.scores, heard.verified).max(axis=1) / ONE
    np.maximum.at(best, np.searchsorted(ends, positions(listening, len(means))).clip(max=len(clips) - 1), means)
    found[[np.searchsorted(ends, position) for position, _, _ in heard.detections]] = True
    return best, found
