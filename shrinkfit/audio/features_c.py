# SPDX-License-Identifier: Apache-2.0
"""A FeatureConfig in, C out: the tables, and the struct that sf_features.c takes them from."""

from __future__ import annotations

import numpy as np

from shrinkfit.audio.config import AudioError, FeatureConfig
from shrinkfit.audio.tables import Tables, tables

SOURCES = (
    "shrinkfit.h",
    "sf_bands.h",
    "sf_dsp.h",
    "sf_features.c",
    "sf_features.h",
    "sf_internal.h",
    "sf_points.h",
    "sf_select.h",
    "sf_spectrum.c",
    "sf_spectrum_512.h",
    "sf_spectrum_dsp.c",
)
LINE_LENGTH = 100
STRUCT_BYTES, NOISE_STRUCT_BYTES = 68, 12  # with addresses of 32 bits


def feature_sources(config: FeatureConfig) -> tuple[str, ...]:
    """Names of the runtime's files that the features need, headers included."""
    if not isinstance(config, FeatureConfig):
        raise AudioError(f"a {type(config).__name__} came for the features, expected a FeatureConfig")
    return SOURCES


def features_c(config: FeatureConfig, name: str) -> str:
    """C text of the tables and of `static const sf_features NAME_features`; the same for the same arguments.

    Args:
        config: FeatureConfig.
        name: begins every C name; a C identifier.
    Raises:
        AudioError: name is no C identifier.
    """
    if not (name.isascii() and name.isidentifier()):
        raise AudioError(f"{name!r} cannot begin a name in C; expected letters, digits and underscores")
    t = tables(config)
    arrays = _arrays(t)
    parts = [_array(f"{name}_features_{key}", values) for key, values in arrays.items()]
    if config.tracks_noise:
        parts.append(_noise(t, name))
    fields = _fields(config, t, name, arrays)
    body = "\n".join(f"    {value}," for value in fields)
    parts.append(f"static const sf_features {name}_features = {{\n{body}\n}};\n")
    return '#include "sf_features.h"\n\n' + "".join(parts)


def table_bytes(config: FeatureConfig) -> int:
    """What the tables take of the flash, the struct included (32-bit addresses)."""
    noise = NOISE_STRUCT_BYTES if config.tracks_noise else 0
    return STRUCT_BYTES + noise + sum(-(-a.nbytes // 4) * 4 for a in _arrays(tables(config)).values())


def _arrays(t: Tables) -> dict[str, np.ndarray]:
    found = {
        "opening": t.opening,
        "passes": np.concatenate([p.reshape(-1) for p in t.passes]) if t.passes else np.zeros(0, np.int16),
        "split": t.split,
        "weights": _stretches(t),
        "log2": t.log2,
        "levels": t.levels,
    }
    if t.cosines is not None:
        found["cosines"] = t.cosines
    if t.noise_gains is not None:
        found["gains"] = t.noise_gains
    return found


def _stretches(t: Tables) -> np.ndarray:
    """Of each stretch the count of its bins and their weights."""
    ends = np.cumsum(t.counts.astype(int))
    parts = [[count, *t.weights[end - count : end]] for count, end in zip(t.counts, ends, strict=True)]
    return np.concatenate(parts).astype(np.uint16)


def _fields(config: FeatureConfig, t: Tables, name: str, arrays: dict[str, np.ndarray]) -> list[str]:
    """In the order of the struct."""
    shape = [config.window_samples, config.hop_samples, config.fft_size, config.blocks]
    shape += [config.bands, config.width, int(t.bins[0]), config.bin_step, config.spare_samples]
    sizes = (config.state_bytes, config.scratch_bytes, t.gain, t.offset)
    pointers = ("opening", "passes", "split", "weights", "log2", "levels", "cosines")
    named = [f"{name}_features_{key}" if key in arrays else "0" for key in pointers]
    noise = f"&{name}_features_noise" if config.tracks_noise else "0"
    return [*map(str, shape), *map(str, sizes), *named, noise]


def _noise(t: Tables, name: str) -> str:
    values = f"{name}_features_gains, {t.normalization}, {t.rise}, {t.fall}, {t.reference}"
    return f"static const sf_noise_params {name}_features_noise = {{{values}}};\n"


def _array(name: str, values: np.ndarray) -> str:
    flat = values.reshape(-1).tolist()
    lines, line = [], "   "
    for number in flat:
        if len(line) + len(str(number)) + 2 > LINE_LENGTH:
            lines.append(line)
            line = "   "
        line += f" {number},"
    text = "\n".join([*lines, line])
    return f"static const {values.dtype.name}_t {name}[{len(flat)}] SF_ALIGN(4) = {{\n{text}\n}};\n"
