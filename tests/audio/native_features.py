# SPDX-License-Identifier: Apache-2.0
"""sf_features.c as a shared library for one FeatureConfig, fed with a clip in pieces."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np

from shrinkfit._runtime import runtime_dir
from shrinkfit.audio.features import FeatureConfig, feature_sources, features_c

GLUE = """
{tables}
int32_t take(void *state, void *scratch, const int16_t *samples, int32_t count, int8_t *frame, int32_t *done);
int32_t take(void *state, void *scratch, const int16_t *samples, int32_t count, int8_t *frame, int32_t *done) {{
    return sf_features_take(&t_features, state, scratch, samples, count, frame, done);
}}
void reset(void *state);
void reset(void *state) {{
    sf_features_reset(&t_features, state);
}}
int32_t run(void *state, void *scratch, const int16_t *samples, int32_t count, int8_t *frames);
int32_t run(void *state, void *scratch, const int16_t *samples, int32_t count, int8_t *frames) {{
    int32_t n = 0, done;
    while (count > 0) {{
        const int32_t taken = take(state, scratch, samples, count, frames + n * t_features.width, &done);
        samples += taken;
        count -= taken;
        n += done;
    }}
    return n;
}}
"""
FLAGS = ("-std=c99", "-O1", "-fPIC", "-Wall", "-Wextra", "-Wconversion", "-Werror")
GUARD = 64


def compile_objects(folder: Path, dsp: bool, flags=FLAGS) -> None:
    """The runtime's files for features, which are the same for every config, into that folder."""
    files = [str(runtime_dir() / name) for name in feature_sources(FeatureConfig()) if name.endswith(".c")]
    subprocess.run(["gcc", *flags, f"-DSF_USE_DSP={int(dsp)}", "-c", *files], cwd=folder, check=True)


def link(objects: Path, source: Path, path: Path, config: FeatureConfig, flags=FLAGS) -> None:
    """One source with the objects that this config asks for."""
    files = [str(objects / name) for name in feature_sources(config) if name.endswith(".c")]
    files = [name.removesuffix(".c") + ".o" for name in files]
    subprocess.run(["gcc", *flags, f"-I{runtime_dir()}", str(source), *files, "-o", str(path)], check=True)


class NativeFeatures:
    """The C features of one config; buffers have guards behind them that have to stay.

    objects: where compile_objects put them.
    """

    def __init__(self, folder: Path, config: FeatureConfig, objects: Path) -> None:
        self.config = config
        source, path = folder / "glue.c", folder / "features.so"
        source.write_text(GLUE.format(tables=features_c(config, "t")))
        link(objects, source, path, config, (*FLAGS, "-shared"))
        self._lib = ctypes.CDLL(str(path))
        self._state, self._scratch = (_buffer(n) for n in (config.state_bytes, config.scratch_bytes))

    def reset(self) -> None:
        self._lib.reset(_pointer(self._state))

    def run(self, samples: np.ndarray) -> np.ndarray:
        """int8 [frames, width] of the frames that these samples complete."""
        samples = np.ascontiguousarray(samples, np.int16)
        out = np.full((len(samples) // self.config.hop_samples + 2, self.config.width), 99, np.int8)
        count = self._lib.run(*map(_pointer, (self._state, self._scratch, samples)), len(samples), _pointer(out))
        for buffer, size in ((self._state, self.config.state_bytes), (self._scratch, self.config.scratch_bytes)):
            assert np.all(buffer.view(np.uint8)[size:] == 0xA5), "wrote behind its memory"
        return out[:count]

    def clip(self, samples: np.ndarray) -> np.ndarray:
        self.reset()
        return self.run(samples)


def _buffer(size: int) -> np.ndarray:
    return np.full((size + GUARD) // 8, 0xA5A5A5A5A5A5A5A5, np.uint64)


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
