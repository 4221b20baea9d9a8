# SPDX-License-Identifier: Apache-2.0
"""A listener around a model comes in; the text of NAME_listen.h, NAME_listen.c and sf_model_listen.h leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shrinkfit.audio.detect import detector_c
from shrinkfit.audio.features_c import features_c
from shrinkfit.device import Device
from shrinkfit.write.c_text import guard
from shrinkfit.write.model import Model

if TYPE_CHECKING:
    from shrinkfit.audio.listener import Layout, Listening

NUMBERS_A_LINE = 16


def render(listening: Listening, layout: Layout, model: Model, stack_bytes: int) -> dict[str, str]:
    """File name -> text.

    Args:
        listening: what it does.
        layout: where its parts lie.
        model: the network's C.
        stack_bytes: what a call of NAME_listen takes at most.
    """
    return {
        f"{model.name}_listen.h": _header(listening, layout, model, stack_bytes),
        f"{model.name}_listen.c": _source(listening, layout, model),
        "sf_model_listen.h": _aliases(model),
    }


def _header(listening: Listening, layout: Layout, model: Model, stack_bytes: int) -> str:
    p, n = model.prefix, model.name
    return f"""/* Written by shrinkfit. Do not edit: export again. */
#ifndef {guard(n)}_LISTEN_H
#define {guard(n)}_LISTEN_H

#include "{n}.h"
#include "sf_listen.h"

#define {p}_SAMPLE_RATE_HZ {listening.features.sample_rate_hz}
#define {p}_FIRST_SAMPLES {listening.first_samples} /* until the network first runs */
#define {p}_STEP_SAMPLES {listening.step_samples} /* between two runs */
#define {p}_LISTENER_BYTES {layout.listener_bytes} /* the arena, and all that is kept of the sound */
#define {p}_LISTEN_STACK_BYTES {stack_bytes} /* a call of {n}_listen takes no more, compiled with -O2 */

#ifdef __cplusplus
extern "C" {{
#endif

/* Forgets all sound. Call it before the first samples, and where samples were lost.
 * listener: {p}_LISTENER_BYTES, aligned to 8, of one stream of sound. They begin with the arena: what
 * {n}.h says of it holds for them. */
SF_WARN_UNUSED sf_status {n}_listen_reset(void *listener);

/* Takes samples, as many at a time as there are, until they are used up or the network has run, which it does
 * at most once a call. Returns how many it took, and says in *heard what came of it: call it again with the rest.
 * Where heard->scored, {n}_output(listener) has the scores until the next call.
 * samples: mono, {p}_SAMPLE_RATE_HZ. listener: reset before; a bad one takes nothing and returns -1. */
int32_t {n}_listen(void *listener, const int16_t *samples, int32_t count, sf_heard *heard);

#ifdef __cplusplus
}}
#endif

#endif
"""


def _source(listening: Listening, layout: Layout, model: Model) -> str:
    n = model.name
    state = f"    {n}_reset(at);\n" if model.keeps_state else ""
    table = listening.table()
    return f"""/* Written by shrinkfit. Do not edit: export again. */
#include "{n}_listen.h"

#include <stddef.h>

#include "sf_features.h"

#if SF_FORMAT_VERSION != {model.format_version}
#error "{n}_listen.c was written for another version of shrinkfit's runtime: export the model again"
#endif

{features_c(listening.features, f"{n}_listen").strip()}

{detector_c(listening.detector, f"{n}_listen").strip()}

{_frames(listening, n, table)}
sf_status {n}_listen_reset(void *listener) {{
    int8_t *const at = (int8_t *)listener;
    if (listener == NULL) {{
        return SF_ERROR_NULL;
    }}
    if ((uintptr_t)listener % 8 != 0) {{
        return SF_ERROR_ALIGNMENT;
    }}
{state}    sf_features_reset(&{n}_listen_features, at + {layout.features});
    sf_frames_reset(&{n}_listen_frames, at + {layout.frames});
    sf_detect_reset(&{n}_listen_detector, at + {layout.detector});
    return SF_OK;
}}

int32_t {n}_listen(void *listener, const int16_t *samples, int32_t count, sf_heard *heard) {{
    int8_t *const at = (int8_t *)listener;
    int32_t taken = 0;
    heard->scored = 0;
    heard->detected = 0;
    while (taken < count) {{
        int32_t done = 0;
        taken += sf_features_take(&{n}_listen_features, at + {layout.features}, at + {layout.scratch},
                                  samples + taken, count - taken, at + {layout.frame}, &done);
        if (done == 0) {{
            continue;
        }}
        const int32_t due = sf_frames_take(&{n}_listen_frames, at + {layout.frames}, at + {layout.frame},
                                           {n}_input(at));
        if (due == SF_FRAMES_WAIT) {{
            continue;
        }}
        if ({n}_run(at) != SF_OK) {{
            return -1;
        }}
        if (due == SF_FRAMES_DUE) {{
            heard->scored = 1;
            heard->detected =
                sf_detect(&{n}_listen_detector, at + {layout.detector}, {n}_output(at), &heard->detection);
        }}
        break;
    }}
    return taken;
}}
"""


def _frames(listening: Listening, name: str, table: np.ndarray | None) -> str:
    array, pointer = "", "NULL"
    if table is not None:
        pointer = f"{name}_listen_table"
        rows = [table[i : i + NUMBERS_A_LINE] for i in range(0, len(table), NUMBERS_A_LINE)]
        numbers = "".join(f"    {', '.join(map(str, row))},\n" for row in rows)
        array = "/* What each byte of a frame, from -128 on, is in the network's input. */\n"
        array += f"static const int8_t {pointer}[256] = {{\n{numbers}}};\n"
    numbers = f"{listening.features.width}, {listening.frames}, {listening.hop_frames}, {listening.settle}"
    return f"{array}static const sf_frames {name}_listen_frames = {{{pointer}, {numbers}}};\n"


def _aliases(model: Model) -> str:
    p, n = model.prefix, model.name
    return f"""/* Written by shrinkfit: {n}_listen under the names that the ports use for any listener. */
#ifndef SF_MODEL_LISTEN_H
#define SF_MODEL_LISTEN_H

#include "{n}_listen.h"
#include "sf_model.h"

#define SF_LISTENER_BYTES {p}_LISTENER_BYTES
#define SF_LISTENER_SAMPLE_RATE_HZ {p}_SAMPLE_RATE_HZ
#define SF_LISTENER_LABEL(label) {n}_labels[label]
#define sf_listener_reset {n}_listen_reset
#define sf_listener_take {n}_listen

#endif
"""


def makefile(name: str, device: Device, stack_bytes: int) -> str:
    """What the folder's Makefile ends with: the programs that listen."""
    return f"""
# build/{name}_listen SOUND.wav, or: arecord -q -t raw -f S16_LE -r RATE | build/{name}_listen -
# build/listen.elf listens to sound.wav over semihosting.
.PHONY: listen listen-firmware
listen: $(BUILD)/{name}_listen
listen-firmware: $(BUILD)/listen.elf
LISTEN_FIRMWARE := $(MODEL) ports/listen/firmware.c $(filter-out %/main.c,$(sort $(wildcard ports/cortex_m4/*.c)))

$(BUILD)/{name}_listen: $(MODEL) ports/listen/host.c $(HEADERS) $(wildcard ports/listen/*.h)
\t@mkdir -p $(BUILD)
\t$(HOST_CC) $(CFLAGS) -I. $(MODEL) ports/listen/host.c -o $@

$(BUILD)/listen.elf: $(LISTEN_FIRMWARE) $(HEADERS) $(wildcard ports/*/*.h) ports/cortex_m4/link.ld
\t@mkdir -p $(BUILD)
\t$(CROSS)gcc $(CPU) -mthumb $(CFLAGS) $(SECTIONS) -I. $(LISTEN_FIRMWARE) -nostdlib -Wl,--gc-sections \\
\t    $(MEMORY) -Wl,--defsym=SF_STACK_BYTES={stack_bytes} -Tports/cortex_m4/link.ld \\
\t    -Wl,-Map=$(BUILD)/listen.map -lgcc -o $@
"""
