# SPDX-License-Identifier: Apache-2.0
"""Measures features, frames and detector on an emulated core, and writes their rows in shrinkfit/price/cycles.json.

    python benchmarks/listening_costs.py    # after a change in sf_features.c, sf_spectrum*.c, sf_listen.c, sf_detect.c

As benchmarks/cycle_costs.py, which leaves these rows alone. One image per core holds all that is measured.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from cycle_costs import DEVICES, FITTED, HELD_OUT, Sample, document, errors, fit, kernel_table, write_whole
from rich.console import Console

from shrinkfit._runtime import runtime_dir
from shrinkfit.audio.detect import Detector, detector_c
from shrinkfit.audio.features import FeatureConfig
from shrinkfit.audio.features_c import features_c
from shrinkfit.audio.listener_cost import hearing_of
from shrinkfit.check.build import Target, build_firmware
from shrinkfit.check.emulate import Machine
from shrinkfit.price.cycles import PATH
from shrinkfit.price.cycles_listening import DETECT, FEATURES, FRAMES

FRAMES_COUNTED = 6
SAMPLES = 1024
MOST_BYTES = 16_384

PLAIN = FeatureConfig(window_samples=400, hop_samples=160)
NOISY = replace(PLAIN, noise_reduction=0.5)
FINE = replace(PLAIN, fine=True)
SLOW = {"sample_rate_hz": 8_000, "high_hz": 3_800}
# Those to fit, and those to test the fit with. Each size of FFT, fine or not, wants two windows at least.
CONFIGS = {
    FITTED: [
        PLAIN, NOISY, FeatureConfig(), replace(PLAIN, bands=20), replace(NOISY, bands=20, hop_samples=320),
        replace(NOISY, bands=30, window_samples=480, gain_normalization=0.5), replace(PLAIN, window_samples=480),
        replace(PLAIN, kind="mfcc", coefficients=8), replace(PLAIN, kind="mfcc", coefficients=20, bands=40),
        replace(NOISY, kind="mfcc", bands=24), replace(PLAIN, kind="mfcc"),
        replace(PLAIN, kind="mfcc", coefficients=20, bands=30),
        replace(PLAIN, window_samples=500, hop_samples=250, high_hz=5_000, bands=24),
        replace(PLAIN, window_samples=320, hop_samples=320, low_hz=300, bands=30),
        replace(PLAIN, window_samples=256, hop_samples=128, bands=24),
        FINE, replace(FINE, window_samples=480, hop_samples=320), replace(FINE, window_samples=300, bands=24),
        replace(PLAIN, fft_size=1024, window_samples=1000, hop_samples=500, bands=64),
        replace(PLAIN, fft_size=1024, window_samples=640, hop_samples=200),
        replace(NOISY, fft_size=1024, window_samples=800, bands=30),
        replace(FINE, fft_size=1024, window_samples=1000, hop_samples=500, bands=64),
        replace(FINE, fft_size=1024, window_samples=600, hop_samples=240),
        replace(PLAIN, fft_size=256, window_samples=256, hop_samples=128, bands=20),
        replace(PLAIN, fft_size=256, window_samples=200, hop_samples=80, bands=24, **SLOW),
        replace(NOISY, fft_size=256, window_samples=240, hop_samples=160, bands=16),
        replace(FINE, fft_size=256, window_samples=256, hop_samples=128, bands=20),
        replace(FINE, fft_size=256, window_samples=160, hop_samples=80, **SLOW),
        replace(PLAIN, fft_size=128, window_samples=128, hop_samples=64, bands=12),
        replace(PLAIN, fft_size=128, window_samples=90, hop_samples=100, bands=8),
        replace(FINE, fft_size=128, window_samples=128, hop_samples=64, bands=12),
        replace(FINE, fft_size=128, window_samples=80, hop_samples=80, bands=16),
    ],
    HELD_OUT: [
        replace(PLAIN, window_samples=480, bands=32), replace(NOISY, kind="mfcc", coefficients=10),
        replace(PLAIN, fft_size=1024, window_samples=960, hop_samples=320, bands=48),
        replace(NOISY, fft_size=256, window_samples=250, hop_samples=100, bands=24),
        replace(PLAIN, fft_size=128, window_samples=120, hop_samples=50, bands=10),
        replace(PLAIN, window_samples=300, hop_samples=100, bands=24),
        replace(FINE, window_samples=450, hop_samples=150, bands=32),
        replace(FINE, fft_size=256, window_samples=200, hop_samples=100, bands=24),
    ],
}  # fmt: skip
# (width, frames, through a table)
WINDOWS = {
    FITTED: [(40, 49, 0), (40, 49, 1), (13, 20, 0), (13, 20, 1), (64, 100, 0), (8, 30, 1), (40, 1, 0), (20, 4, 1)],
    HELD_OUT: [(32, 60, 0), (24, 25, 1), (10, 2, 0)],
}
HOTWORDS = {FITTED: (1, 2, 5, 12), HELD_OUT: (3, 8)}

MAIN = """#include "shrinkfit.h"
#include "sf_features.h"
#include "sf_listen.h"
SF_ALIGN(8) uint8_t measured_state[{most}], measured_scratch[{most}];
int16_t measured_samples[{samples}];
int8_t measured_frame[{most}], measured_input[{most}];
int32_t measured_done;
sf_detection measured_detection;
static const int8_t table[256] = {{0}};
{constants}
int main(void);
int main(void) {{
{uses}
    return 0;
}}
"""
FUNCTION = """__attribute__((noinline)) int32_t {name}(int32_t count);
int32_t {name}(int32_t count) {{
    (void)count;
    {body};
}}
"""


class Image:
    """One image with everything to be measured: names of functions, and what they are given."""

    def __init__(self) -> None:
        self.constants: list[str] = []
        self.names: list[str] = []

    def function(self, name: str, body: str) -> None:
        self.constants.append(FUNCTION.format(name=name, body=body))
        self.names.append(name)

    def text(self) -> str:
        uses = "\n".join(f"    (void){name}(0);" for name in self.names)
        return MAIN.format(most=MOST_BYTES, samples=SAMPLES, constants="\n".join(self.constants), uses=uses)

    def machine(self, device) -> Machine:
        with tempfile.TemporaryDirectory() as place:
            folder, runtime = Path(place) / "fw", runtime_dir()
            (folder / "ports" / "cortex_m4").mkdir(parents=True)
            wanted = ("*.h", "sf_features.c", "sf_spectrum*.c", "sf_listen.c", "sf_detect.c")
            for path in (path for pattern in wanted for path in runtime.glob(pattern)):
                (folder / path.name).write_bytes(path.read_bytes())
            for name in ("startup.c", "memory.c", "link.ld"):
                (folder / "ports" / "cortex_m4" / name).write_bytes(
                    (runtime / "ports" / "cortex_m4" / name).read_bytes()
                )
            (folder / "sf_model.h").write_text("")
            (folder / "ports" / "cortex_m4" / "main.c").write_text(self.text())
            target = Target.of(device)
            return Machine(build_firmware(folder, Path(place), target, stack_bytes=2048), target)


def measured(device) -> dict[str, dict[str, list[Sample]]]:
    """Part -> function of the runtime -> what it took."""
    image, wanted = Image(), []
    for part, configs in CONFIGS.items():
        for config in configs:
            wanted.append((part, FEATURES, add_features(image, config), config))
    for part, windows in WINDOWS.items():
        wanted += [(part, FRAMES, add_frames(image, *window), window) for window in windows]
    for part, counts in HOTWORDS.items():
        wanted += [(part, DETECT, add_detector(image, count), count) for count in counts]
    machine = image.machine(device)
    found: dict[str, dict[str, list[Sample]]] = {part: {} for part in CONFIGS}
    for part, symbol, name, what in wanted:
        found[part].setdefault(symbol, []).extend(MEASURES[symbol](machine, name, what))
    return found


def add_features(image: Image, config: FeatureConfig) -> str:
    name = f"features_{len(image.names)}"
    image.constants.append(features_c(config, name))
    image.function(f"{name}_reset", f"sf_features_reset(&{name}_features, measured_state); return 0")
    call = (
        f"&{name}_features, measured_state, measured_scratch, measured_samples, count, measured_frame, &measured_done"
    )
    image.function(name, f"return sf_features_take({call})")
    return name


def add_frames(image: Image, width: int, frames: int, table: int) -> str:
    name = f"frames_{len(image.names)}"
    image.constants.append(
        f"static const sf_frames {name}_params = {{{'table' if table else '0'}, {width}, {frames}, {frames}, 0}};"
    )
    image.function(f"{name}_reset", f"sf_frames_reset(&{name}_params, measured_state); return 0")
    image.function(name, f"return sf_frames_take(&{name}_params, measured_state, measured_frame, measured_input)")
    return name


def add_detector(image: Image, hotwords: int) -> str:
    name, labels = f"detect_{len(image.names)}", [f"l{i}" for i in range(hotwords + 2)]
    image.constants.append(detector_c(Detector(labels, labels[:hotwords], smoothing=3), name))
    image.function(f"{name}_reset", f"sf_detect_reset(&{name}_detector, measured_state); return 0")
    image.function(name, f"return sf_detect(&{name}_detector, measured_state, measured_frame, &measured_detection)")
    return name


def cycles_of(machine: Machine, name: str, arguments: list[int]) -> int:
    _, profile = machine.counted(name, lambda: [machine.call(name, argument) for argument in arguments])
    return profile.cycles


def measure_features(machine: Machine, name: str, config: FeatureConfig) -> list[Sample]:
    """Frames behind the first, one hop a call as an interrupt would hand it over."""
    sound = np.random.default_rng(1).normal(0, 2_000, SAMPLES).astype("<i2")
    machine.write(machine.address_of("measured_samples"), sound.tobytes())
    machine.call(f"{name}_reset", 0)
    machine.call(name, config.window_samples)
    cycles = cycles_of(machine, name, [config.hop_samples] * FRAMES_COUNTED)
    return [Sample(hearing_of(config, 1, False, 1).of_a_frame(), cycles // FRAMES_COUNTED)]


def measure_frames(machine: Machine, name: str, what: tuple[int, int, int]) -> list[Sample]:
    """A frame that is kept, where there is more than one, and all of a run."""
    width, frames, table = what
    hearing = hearing_of(replace(PLAIN, bands=width), frames, bool(table), 1)
    machine.call(f"{name}_reset", 0)
    own = cycles_of(machine, name, [0] * (frames - 1)) if frames > 1 else 0
    whole = own + cycles_of(machine, name, [0])
    kept = hearing.of_keeping()
    samples = [Sample({k: n * frames for k, n in kept.items()} | hearing.of_an_input(), whole)]
    return samples + ([Sample({k: n * (frames - 1) for k, n in kept.items()}, own)] if frames > 1 else [])


def measure_detector(machine: Machine, name: str, hotwords: int) -> list[Sample]:
    machine.write(machine.address_of("measured_frame"), bytes(range(100)))
    machine.call(f"{name}_reset", 0)
    cycles = cycles_of(machine, name, [0] * FRAMES_COUNTED) // FRAMES_COUNTED
    return [Sample({"call": 1, "hotwords": hotwords}, cycles)]


MEASURES = {FEATURES: measure_features, FRAMES: measure_frames, DETECT: measure_detector}


def main() -> int:
    cores = json.loads(PATH.read_text(encoding="utf-8"))["cores"]
    shown = {}
    for name, device in DEVICES.items():
        samples, shown[name] = measured(device), {}
        for symbol, own in samples[FITTED].items():
            cycles = fit(own)
            off = np.abs(errors(cycles, samples[HELD_OUT][symbol]))
            shown[name][symbol] = {
                "cycles": cycles,
                "largest_error_percent": round(float(off.max()), 2),
                "mean_error_percent": round(float(off.mean()), 2),
                "fitted_on": len(own),
                "tested_on": len(off),
            }
        cores[name] = dict(sorted((cores[name] | shown[name]).items()))
    write_whole(document(cores))
    Console(width=120).print(kernel_table(shown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
