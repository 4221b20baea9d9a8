# SPDX-License-Identifier: Apache-2.0
"""A FeatureConfig and a sound in; the frames that the C makes of it on an emulated core, its cycles and sizes out."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shrinkfit._runtime import runtime_dir
from shrinkfit.audio.config import FeatureConfig
from shrinkfit.audio.features_c import feature_sources, features_c, table_bytes
from shrinkfit.check.build import Target, build_firmware, linked_sizes
from shrinkfit.check.emulate import Api, Profile, run_unicorn

# The features as a model whose input is one hop of samples and whose output a frame and whether it is new.
_HEADER = """/* Features alone, in the place of a model. */
#include "shrinkfit.h"
#define SF_MODEL_ARENA_BYTES {arena}
#define SF_MODEL_INPUT_BYTES {input}
#define SF_MODEL_OUTPUT_BYTES {output}
int8_t *listen_input(void *arena);
sf_status listen_run(void *arena);
const int8_t *listen_output(const void *arena);
void listen_reset(void *arena);
#define sf_model_reset listen_reset
#define sf_model_run listen_run
#define SF_MODEL_EACH_INPUT(each) each(listen_input, SF_MODEL_INPUT_BYTES)
#define SF_MODEL_EACH_OUTPUT(each) each(listen_output, SF_MODEL_OUTPUT_BYTES)
"""
_SOURCE = """#include "sf_model.h"
{tables}
enum {{ SCRATCH = {scratch_at}, SAMPLES = {samples_at}, DONE = {done_at}, HOP = {hop} }};
int8_t *listen_input(void *arena) {{
    return (int8_t *)arena + SAMPLES;
}}
const int8_t *listen_output(const void *arena) {{
    return (const int8_t *)arena + DONE;
}}
void listen_reset(void *arena) {{
    sf_features_reset(&listen_features, arena);
}}
sf_status listen_run(void *arena) {{
    char *at = (char *)arena;
    const int16_t *samples = (const int16_t *)(void *)(at + SAMPLES);
    int8_t *frame = (int8_t *)arena + DONE + 4;
    int32_t taken = 0, done, any = 0;
    while (taken < HOP) {{
        taken += sf_features_take(&listen_features, at, at + SCRATCH, samples + taken, HOP - taken, frame, &done);
        any |= done;
    }}
    *(int32_t *)(void *)(at + DONE) = any;
    return SF_OK;
}}
"""


@dataclass(frozen=True)
class OnCore:
    """What the emulated core did with a sound.

    Args:
        frames: int8 [frames, width].
        profiles: of the hops that were counted, by number; hop k brings the samples from k * hop_samples on.
        code_bytes: of the functions that computing features takes, the compiler's own among them.
        table_bytes: of the constants.
        stack_bytes: the deepest.
    """

    frames: np.ndarray
    profiles: tuple[Profile, ...]
    code_bytes: int
    table_bytes: int
    stack_bytes: int


def run_on_core(samples: np.ndarray, config: FeatureConfig, target: Target | None = None, *, count: int = 0) -> OnCore:
    """Compile sf_features.c for a core and run it on an emulated one, hop by hop.

    Args:
        samples: int16 [samples]; what does not fill a hop at the end is left out.
        config: FeatureConfig.
        target: what to compile for; a Cortex-M4 when None.
        count: how many hops to count cycles of, from the first.
    Raises:
        ToolMissingError: no arm-none-eabi-gcc. CheckError: it does not compile, or faults.
    """
    target = target or Target()
    hop = config.hop_samples
    hops = np.ascontiguousarray(samples[: len(samples) // hop * hop], np.int16).view(np.int8).reshape(-1, 2 * hop)
    with tempfile.TemporaryDirectory() as place:
        folder, build = Path(place) / "listen", Path(place)
        _write_folder(folder, config)
        elf = build_firmware(folder, build, target)
        output = 4 + config.width
        api = Api("listen_run", (("listen_input", 2 * hop),), (("listen_output", output),), "listen_reset")
        ran = run_unicorn(elf, hops, api, target, count=count)
        code = sum(s.size_bytes for s in linked_sizes(elf).symbols if s.is_code and _is_ours(s.name))
    done = ran.outputs[:, :4].copy().view(np.int32)[:, 0] == 1
    return OnCore(ran.outputs[done, 4:], ran.profiles, code, table_bytes(config), ran.stack_bytes)


def _is_ours(symbol: str) -> bool:
    """Not the stand-in for a model, nor what starts the image and talks to its host."""
    return not symbol.startswith(("listen_", "main", "Reset_Handler", "Fault_Handler", "semihost", "finish"))


def _write_folder(folder: Path, config: FeatureConfig) -> None:
    folder.mkdir()
    for name in feature_sources(config):
        shutil.copy(runtime_dir() / name, folder)
    shutil.copytree(runtime_dir() / "ports", folder / "ports")
    scratch_at = config.state_bytes
    samples_at = scratch_at + config.scratch_bytes
    done_at = samples_at + -(-2 * config.hop_samples // 4) * 4
    output = 4 + config.width
    sizes = {"arena": done_at + output, "input": 2 * config.hop_samples, "output": output}
    (folder / "sf_model.h").write_text(_HEADER.format(**sizes))
    places = {"scratch_at": scratch_at, "samples_at": samples_at, "done_at": done_at, "hop": config.hop_samples}
    (folder / "listen.c").write_text(_SOURCE.format(tables=features_c(config, "listen"), **places))
