# SPDX-License-Identifier: Apache-2.0
"""Small networks that hear, folders with listeners around them, and their C as a library."""

import ctypes
import subprocess
from dataclasses import replace

import numpy as np

from shrinkfit.audio.detect import Detector
from shrinkfit.audio.features import FeatureConfig
from shrinkfit.audio.listener import Listener
from shrinkfit.audio.verifier import Verifier
from shrinkfit.graph import ir
from shrinkfit.graph.streaming import to_streaming
from shrinkfit.write.export import Changes, write_folder
from tests.write.nets import Builder

LABELS = ("yes", "no", "unknown", "silence")
BANDS = 12
FEATURES = FeatureConfig(window_samples=200, hop_samples=120, fft_size=256, bands=BANDS)
DETECTOR = Detector(LABELS, ("yes", "no", "silence"), smoothing=2, threshold=0.4, refractory=3)
# Of the verifier: other frames of the same sound.
VERIFIED = FeatureConfig(window_samples=240, hop_samples=100, fft_size=256, bands=8)


class Heard(ctypes.Structure):
    """sf_heard."""

    _fields_ = [(name, ctypes.c_int32) for name in ("scored", "detected", "label", "score")]


def network(frames=9, bands=BANDS, scale=1 / 128, zero_point=0, seed=3, classes=4):
    """Two convolutions without padding, a mean over time, dense, softmax."""
    b = Builder(seed, (frames, 1, bands))
    b.tensors[b.input] = replace(b.tensors[b.input], scale=scale, zero_point=zero_point)
    x = b.input
    for channels in (8, 6):
        rows = b.shape(x)[0] - 2
        x = b.op(
            ir.Conv2D, (x,), (rows, 1, channels), relu=True, **b.weights((channels, 3, 1, b.shape(x)[2]), channels)
        )
    x = b.op(ir.Mean, (x,), (channels,), axes=(1, 2))
    return b.graph(b.softmax(b.dense(x, classes)), "listening")


def verifier(delay=2, frames=15, threshold=0.3, refractory=5, first_share=0.25, **options):
    """Such a network once more, which hears longer."""
    detector = Detector(LABELS, DETECTOR.hotwords, threshold=threshold, refractory=refractory)
    return Verifier(
        network(frames, VERIFIED.bands, seed=8, **options), VERIFIED, detector, delay, first_share=first_share
    )


def write(folder, graph, *, device="efm32", streaming=0, **options):
    """Exports a network with a listener; streaming: how many frames a call. Returns the graph that was written."""
    made = to_streaming(graph, streaming) if streaming else None
    graph = made.graph if made else graph
    listener = Listener(options.pop("features", FEATURES), options.pop("detector", DETECTOR), **options)
    write_folder(
        graph, folder, name="ear", device=device, listener=listener, changes=Changes(stream=made and made.report)
    )
    return graph


def sound(count=6_000, seed=0):
    """Noise whose level comes and goes."""
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 4_000, count) * np.sin(np.arange(count) / 700) ** 2).clip(-32768, 32767).astype(np.int16)


class Frames(ctypes.Structure):
    """sf_frames."""

    _fields_ = [("table", ctypes.c_void_p)] + [(name, ctypes.c_uint16) for name in "width frames hop settle".split()]


class Ear:
    """The C of a folder, through ctypes."""

    def __init__(self, folder, listener_bytes):
        library = folder.parent / "ear.so"
        sources = sorted(map(str, folder.glob("*.c")))
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", f"-I{folder}", *sources, "-o", str(library)], check=True)
        self.c = ctypes.CDLL(str(library))
        self.c.ear_output.restype = ctypes.c_void_p
        self.words = np.full(listener_bytes // 8 + 2, 0x5A5A5A5A5A5A5A5A, np.uint64)
        self.end = listener_bytes
        self.at = ctypes.c_void_p(self.words.ctypes.data)

    def reset(self, at=None):
        return self.c.ear_listen_reset(self.at if at is None else at)

    def hear(self, samples, chunks):
        """(scores, detections), given so many samples at a time, over and over."""
        heard, scores, detections, taken, start = Heard(), [], [], 0, 0
        for chunk in chunks:
            part = np.ascontiguousarray(samples[start : start + chunk])
            start, at = start + chunk, 0
            while at < len(part):
                pointer = ctypes.c_void_p(part.ctypes.data + 2 * at)
                one = self.c.ear_listen(self.at, pointer, len(part) - at, ctypes.byref(heard))
                assert 0 < one <= len(part) - at
                at, taken = at + one, taken + one
                if heard.scored:
                    scores.append(ctypes.string_at(self.c.ear_output(self.at), len(LABELS)))
                if heard.detected:
                    detections.append((taken, heard.label, heard.score))
        assert np.all(self.words[-(-self.end // 8) :] == 0x5A5A5A5A5A5A5A5A), "wrote behind the listener's memory"
        return np.frombuffer(b"".join(scores), np.int8).reshape(-1, len(LABELS)), detections
