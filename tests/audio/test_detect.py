# SPDX-License-Identifier: Apache-2.0
"""The detector in Python and in C, built with sanitizers: the same label and score at every output."""

import json
import os
import subprocess
from fractions import Fraction

import numpy as np
import pytest

from shrinkfit._runtime import runtime_dir
from shrinkfit.audio.detect import ONE, Detector, detector_c, mixed
from shrinkfit.audio.features import AudioError

LABELS = ("yes", "no", "unknown", "silence")
MAIN = """
#include <stdio.h>
#include "sf_detect.h"
%s
int main(void) {
    static uint32_t memory[1024];
    const sf_detector *const detector = &toy_detector;
    int8_t scores[64];
    char again;
    /* Exactly at the end of the memory, so that a byte too far is found; garbage before the reset. */
    uint32_t *const state = memory + 1024 - detector->state_bytes / 4;
    for (uint32_t i = 0; i < 1024; i++) memory[i] = 0xA5A5A5A5u;
    sf_detect_reset(detector, state);
    while (fread(&again, 1, 1, stdin) == 1 && fread(scores, 1, detector->classes, stdin) == detector->classes) {
        if (again) sf_detect_reset(detector, state);
        sf_detection found = {12345, 12345};
        const int32_t said = sf_detect(detector, state, scores, &found);
        printf("%%d %%d %%d\\n", (int)said, (int)found.label, (int)found.score);
    }
    return memory[1023 - detector->state_bytes / 4] != 0xA5A5A5A5u;
}
"""


def run_c(folder, detector, scores, resets=()):
    """int [steps, 3]: what sf_detect returned and wrote; it is reset before the steps in `resets`."""
    again = np.zeros((len(scores), 1), np.int8)
    again[list(resets)] = 1
    sent = np.concatenate([again, scores], axis=1).tobytes()
    return np.array(compiled(folder, MAIN % detector_c(detector, "toy"), sent).split(), int).reshape(-1, 3)


def compiled(folder, source, sent):
    """What a program prints that is given these bytes; built with sanitizers."""
    (folder / "main.c").write_text(source)
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsanitize=address,undefined"]
    flags += ["-fno-sanitize-recover=all", f"-I{runtime_dir()}", str(runtime_dir() / "sf_detect.c")]
    subprocess.run(["gcc", *flags, "main.c", "-o", "main"], cwd=folder, check=True)
    clean = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    return subprocess.run([str(folder / "main")], input=sent, capture_output=True, check=True, env=clean).stdout


def wander(steps, classes, seed=0):
    """int8 [steps, classes] with long runs near both ends, ties and jumps."""
    rng = np.random.default_rng(seed)
    slow = np.repeat(rng.integers(-128, 128, (steps // 7 + 1, classes)), 7, axis=0)[:steps]
    ends = np.where(rng.random((steps, classes)) < 0.2, rng.choice([-128, 127], (steps, classes)), slow)
    ends[rng.random(steps) < 0.2] = 100  # all equal
    return ends.astype(np.int8)


DETECTORS = [
    Detector(LABELS, ["yes", "no"], 5, (0.6, 0.7), 8),
    Detector(LABELS, ["no", "yes"], 1, 0.5, 0),
    Detector(LABELS, ["silence"], 256, 0.4, 1),
    Detector(["word"], ["word"], 3, 0.8, 2),
    Detector(LABELS, LABELS, 7, 2.5, 3, scale=0.1, zero_point=17),
    Detector(LABELS, ["yes", "unknown"], 4, -0.5, 65_535, scale=0.02, zero_point=127),
    Detector([f"word{i}" for i in range(40)], ["word39", "word0"], 2, 255 / 256, 1),
]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: f"{len(d.hotwords)}of{len(d.labels)}x{d.smoothing}")
def test_c_and_python_have_the_same_bits(tmp_path, detector):
    scores = wander(3000, len(detector.labels))
    written = run_c(tmp_path, detector, scores)
    found = [(step, label, score) for step, (said, label, score) in enumerate(written) if said]
    np.testing.assert_array_equal(written[:, 1:], detector.trace(scores))
    assert found == detector.detect(scores)
    assert found, "a case without a detection shows little"


def test_reset_forgets(tmp_path):
    detector, scores = DETECTORS[0], wander(600, 4)
    whole = run_c(tmp_path, detector, np.concatenate([scores, scores]), resets=[600])
    np.testing.assert_array_equal(whole[:600], whole[600:])


def slow_detector(detector, scores):
    """Straight from the definition, in fractions."""
    found, ready = [], 0
    for step in range(len(scores)):
        seen = scores[max(0, step + 1 - detector.smoothing) : step + 1].astype(int) - detector.zero_point
        means = seen.sum(axis=0) * Fraction(detector.multiplier, ONE)
        means = {word: int((means[detector.labels.index(word)] + Fraction(1, 2)) // 1) for word in detector.hotwords}
        reached = [w for w, t in zip(detector.hotwords, detector.thresholds, strict=True) if means[w] >= t]
        if reached and step >= ready:
            word = max(reached, key=means.get)
            found.append((step, detector.labels.index(word), means[word]))
            ready = step + 1 + detector.refractory
    return found


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: f"{len(d.hotwords)}of{len(d.labels)}x{d.smoothing}")
def test_python_is_what_the_text_says(detector):
    scores = wander(500, len(detector.labels), seed=1)
    assert detector.detect(scores) == slow_detector(detector, scores)


def test_scores_are_means_in_65536ths():
    detector = Detector(["word"], ["word"], smoothing=4, threshold=0.5)
    means = detector.smooth(np.array([[127], [127], [127], [127], [-128]], np.int8))
    exact = [255 * n / 1024 for n in (1, 2, 3, 4, 3)]
    np.testing.assert_array_equal(means[:, 0] / ONE, exact)


def test_refractory_counts_outputs():
    loud = np.full((10, 1), 127, np.int8)
    for refractory, steps in ((0, list(range(10))), (2, [0, 3, 6, 9]), (9, [0]), (8, [0, 9])):
        assert [d[0] for d in Detector(["w"], ["w"], 1, 0.5, refractory).detect(loud)] == steps


def test_nothing_in_nothing():
    assert DETECTORS[0].detect(np.empty((0, 4), np.int8)) == []


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: f"{len(d.hotwords)}of{len(d.labels)}x{d.smoothing}")
def test_json_keeps_everything(detector):
    assert Detector.from_dict(json.loads(json.dumps(detector.to_dict()))) == detector


def test_thresholds_by_name():
    by_name = Detector(LABELS, ["yes", "no"], threshold={"no": 0.75, "yes": 0.25})
    assert by_name.threshold == (0.25, 0.75)
    assert by_name.thresholds == (16_384, 49_152)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"labels": ()}, "labels are .*at least one"),
        ({"labels": ("yes", "yes")}, "each once"),
        ({"hotwords": ()}, "at least one of"),
        ({"hotwords": ("maybe",)}, "maybe.*expected at least one of"),
        ({"smoothing": 0}, "smoothing is 0 outputs; expected 1 to 256"),
        ({"smoothing": 2.5}, "smoothing is 2.5; expected a whole number"),
        ({"refractory": 65_536}, "expected 0 to 65535"),
        ({"zero_point": 128}, "zero_point is 128"),
        ({"scale": 1.0}, "scale is 1; expected .*softmax"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"threshold": 0.999}, "threshold of 'yes' is 0.99.*at most 0.996"),
        ({"threshold": 0.0}, "threshold of 'yes' is 0; expected one above 0"),
        ({"threshold": (0.5, 0.5)}, "one number, or one for each"),
        ({"threshold": float("nan")}, "one number, or one for each"),
        ({"threshold": 1e9}, "that an output can reach"),
        ({"threshold": {"no": 0.5}}, r"for \['no'\]; expected one for each"),
    ],
)
def test_what_cannot_be_is_refused(change, says):
    with pytest.raises(AudioError, match=says):
        Detector(**({"labels": LABELS, "hotwords": ("yes",)} | change))


@pytest.mark.parametrize("scores", [np.zeros((5, 4)), np.zeros(4, np.int8), np.zeros((5, 3), np.int8)])
def test_other_scores_are_refused(scores):
    with pytest.raises(AudioError, match=r"expected int8 \[steps, 4\]"):
        DETECTORS[0].detect(scores)


MIXING = """
#include <stdio.h>
#include "sf_detect.h"
%s
int main(void) {
    static uint32_t state[8];
    struct { int32_t output, other, share; } given;
    while (fread(&given, sizeof given, 1, stdin) == 1) {
        const int8_t scores[2] = {(int8_t)given.output, 0};
        sf_detection found = {0, 0};
        sf_detect_reset(&toy_detector, state);
        (void)sf_detect_with(&toy_detector, state, scores, &given.other, given.share, &found);
        printf("%%d\\n", (int)found.score);
    }
    return 0;
}
"""


@pytest.mark.parametrize("scale, zero_point", [(1 / 256, -128), (0.011, 5)])
def test_scores_of_two_networks_are_mixed_in_c_as_here(tmp_path, scale, zero_point):
    detector = Detector(("yes", "no"), "yes", threshold=0.5, scale=scale, zero_point=zero_point)
    rng = np.random.default_rng(0)
    others = np.concatenate([[0, 1, 65_535, 65_536, -9, 90_000], rng.integers(0, 65_537, 2_000)])
    outputs, shares = rng.integers(-128, 128, len(others)), rng.choice([0, 1, 19_661, 32_768, 65_536], len(others))
    given = np.stack([outputs, others, shares], axis=1).astype("<i4")
    printed = compiled(tmp_path, MIXING % detector_c(detector, "toy"), given.tobytes())
    own = detector.smooth(np.stack([outputs, outputs], axis=1).astype(np.int8))[:, 0]
    expected = [int(mixed(own[i : i + 1], others[i : i + 1], int(shares[i]))[0]) for i in range(len(others))]
    assert [int(line) for line in printed.split()] == expected


def test_the_mean_of_two_scores_is_that_of_their_log_odds():
    rng = np.random.default_rng(1)
    own, others = rng.integers(1, ONE, 500), rng.integers(1, ONE, 500)
    for share in (0.1, 0.5, 0.9):
        odds = [
            (1 - share) * np.log(a / (ONE - a)) + share * np.log(b / (ONE - b))
            for a, b in zip(own, others, strict=True)
        ]
        wanted = ONE / (1 + np.exp(-np.array(odds)))
        assert np.abs(mixed(own, others, round(share * ONE)) - wanted).max() < 2
    assert (mixed(own, others, 0) == own).all() and (mixed(own, others, ONE) == others).all()
    # Who is sure of the contrary has its way.
    assert mixed(np.array([64_000]), np.array([100]), ONE // 2)[0] < ONE / 4
