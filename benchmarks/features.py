# SPDX-License-Identifier: Apache-2.0
"""What features cost: cycles per second of sound on an emulated core, code, tables, RAM; and how fast Python's twin is.

    python benchmarks/features.py                  # 16 kHz, 25 ms every 10 ms, 40 bands, and others
    python benchmarks/features.py --clips ../shared/speech_commands     # besides: C against Python on 1,000 clips

Exits with status 1 where a promise is missed: under 1.2 M cycles per second, 12 KB of code and tables and 4 KB of RAM
for the first row, every byte equal, 10,000 clips of a second in under 120 s of processor time, which two processors
that do nothing else give in 60 s.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from shrinkfit.audio.dataset import fit_length
from shrinkfit.audio.features import FeatureConfig, features
from shrinkfit.audio.on_core import OnCore, run_on_core
from shrinkfit.audio.sound import read_sound
from shrinkfit.check.build import Target

SETTINGS = {
    "25 ms every 10 ms": {"window_samples": 400, "hop_samples": 160},
    "30 ms every 20 ms": {},
    "fine": {"window_samples": 400, "hop_samples": 160, "fine": True},
    "MFCC": {"window_samples": 400, "hop_samples": 160, "kind": "mfcc"},
    "noise reduction": {"window_samples": 400, "hop_samples": 160, "noise_reduction": 0.9},
    "8 kHz": {"sample_rate_hz": 8000, "window_samples": 200, "hop_samples": 80, "fft_size": 256, "high_hz": 3800.0},
}
PROMISED = next(iter(SETTINGS))
MOST_CYCLES, MOST_FLASH, MOST_RAM = 1_200_000, 12 * 1024, 4 * 1024
CORES = {"cortex-m4": Target("cortex-m4", fpu=False), "cortex-m3": Target("cortex-m3", fpu=False)}
COUNTED_FRAMES = 12  # an even number: where there is room for one hop more samples move every second time
CLIPS, AT_ONCE, TIMED_CLIPS, MOST_SECONDS = 1_000, 50, 500, 120


def on_core(config: FeatureConfig, target: Target) -> tuple[OnCore, float]:
    """The run, and cycles per second of sound."""
    before = -(-config.window_samples // config.hop_samples)
    sound = np.random.default_rng(1).normal(0, 3000, (before + COUNTED_FRAMES) * config.hop_samples).astype(np.int16)
    ran = run_on_core(sound, config, target, count=before + COUNTED_FRAMES)
    if not np.array_equal(ran.frames, features(sound, config)):
        raise SystemExit("the emulated core's features differ from Python's")
    cycles = np.mean([profile.cycles for profile in ran.profiles[-COUNTED_FRAMES:]])
    return ran, cycles * config.sample_rate_hz / config.hop_samples


def cost_table() -> tuple[Table, list[str]]:
    table = Table(title="features on an emulated core", title_justify="left")
    for column in ("features", "core", "M cycles / s", "code B", "tables B", "RAM B", "stack B"):
        table.add_column(column, justify="left" if column in ("features", "core") else "right")
    missed = []
    for name, setting in SETTINGS.items():
        config = FeatureConfig(**setting)
        for core, target in CORES.items():
            ran, cycles = on_core(config, target)
            ram = config.state_bytes + config.scratch_bytes
            figures = (ran.code_bytes, ran.table_bytes, ram, ran.stack_bytes)
            table.add_row(name, core, f"{cycles / 1e6:.3f}", *(f"{n:,}" for n in figures))
            if (name, core) == (PROMISED, "cortex-m4"):
                kept = (cycles < MOST_CYCLES, ran.code_bytes + ran.table_bytes < MOST_FLASH)
                kept += (ram + ran.stack_bytes < MOST_RAM,)
                missed += [
                    f"{name}: {what}" for what, held in zip(("cycles", "flash", "RAM"), kept, strict=True) if not held
                ]
    return table, missed


def seconds_for_10_000() -> tuple[float, float]:
    """Of the twin in Python, for clips of a second: on the clock, and of processors."""
    clips = np.random.default_rng(1).normal(0, 3000, (TIMED_CLIPS, 16_000)).astype(np.int16)
    config = FeatureConfig(**SETTINGS[PROMISED])
    features(clips[:8], config)
    clock, processor = time.perf_counter(), time.process_time()
    features(clips, config)
    spent = (time.perf_counter() - clock, time.process_time() - processor)
    return tuple(seconds * 10_000 / TIMED_CLIPS for seconds in spent)


def compare_clips(folder: Path) -> int:
    """Bytes that differ between the C on the emulated core and Python, over CLIPS recordings, AT_ONCE in a stream."""
    files = sorted(folder.glob("*/*.wav"))
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, CLIPS).astype(int)]
    config, different = FeatureConfig(**SETTINGS[PROMISED]), 0
    for start in range(0, CLIPS, AT_ONCE):
        sound = np.concatenate([fit_length(read_sound(path).samples) for path in chosen[start : start + AT_ONCE]])
        different += int(np.sum(run_on_core(sound, config, CORES["cortex-m4"]).frames != features(sound, config)))
    return different


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, metavar="DIR", help="recordings in Speech Commands layout")
    args = parser.parse_args()
    console = Console(width=120)
    table, missed = cost_table()
    console.print(table)
    clock, processor = seconds_for_10_000()
    console.print(f"10,000 clips of a second in Python: {clock:.1f} s, {processor:.1f} s of processor time")
    missed += ["10,000 clips in Python"] if processor > MOST_SECONDS else []
    if args.clips:
        different = compare_clips(args.clips)
        console.print(f"{CLIPS:,} recordings, emulated Cortex-M4 against Python: {different} bytes differ")
        missed += ["equal bytes"] if different else []
    for line in missed:
        console.print(f"[bold red]missed:[/] {line}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
