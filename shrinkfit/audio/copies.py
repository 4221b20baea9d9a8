# SPDX-License-Identifier: Apache-2.0
"""Clips go in; features of many augmented copies of each come out, made on all processors."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from shrinkfit.audio.augment import Augmentation, augment
from shrinkfit.audio.features import FeatureConfig, as_float, features


def augmented_features(
    samples: np.ndarray,
    noise: tuple[np.ndarray, ...],
    copies: int,
    *,
    seed: int = 0,
    config: FeatureConfig | None = None,
    how: Augmentation | None = None,
    progress: bool = True,
) -> np.ndarray:
    """Features of `copies` changed copies of every clip.

    Args:
        samples: int16 [n, samples].
        noise: int16 arrays, as for `augment`.
        copies: how many; copy i depends on seed and i alone, not on the number of processors.
        progress: show a progress bar.
    Returns:
        float16 [copies, n, frames, width]; half precision holds all 256 values exactly.
    """
    from rich.progress import track

    def copy(i: int) -> np.ndarray:
        changed = augment(samples, noise, np.random.default_rng([seed, i]), how)
        return as_float(features(changed, config, threads=1)).astype(np.float16)

    # Threads do: NumPy lets go of the interpreter's lock in its loops over a clip's samples.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = track(pool.map(copy, range(copies)), f"Changing {len(samples)} clips", copies, disable=not progress)
        return np.stack(list(rows))
