# SPDX-License-Identifier: Apache-2.0
"""A listener around a model comes in; the text of NAME_listen.h, NAME_listen.c and sf_model_listen.h leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shrinkfit.audio.detect import detector_c
from shrinkfit.audio.features_c import features_c
from shrinkfit.device import Device
from shrinkfit.write.c_text import guard
from shrinkfit.write.model import Model

if TYPE_CHECKING:
    from shrinkfit.audio.listener import Layout, Listening
    from shrinkfit.audio.verifier import Verifying

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
        "sf_model_listen.h": _aliases(listening, layout, model),
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
    asked = _Asked.of(listening, layout, n)
    return f"""/* Written by shrinkfit. Do not edit: export again. */
#include "{n}_listen.h"

#include <stddef.h>

#include "sf_features.h"
{asked.includes}
#if SF_FORMAT_VERSION != {model.format_version}
#error "{n}_listen.c was written for another version of shrinkfit's runtime: export the model again"
#endif

{features_c(listening.features, f"{n}_listen").strip()}

{detector_c(listening.detector, f"{n}_listen").strip()}

{_frames(listening, n)}
{asked.constants}sf_status {n}_listen_reset(void *listener) {{
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
{asked.reset}    return SF_OK;
}}

int32_t {n}_listen(void *listener, const int16_t *samples, int32_t count, sf_heard *heard) {{
    int8_t *const at = (int8_t *)listener;
    int32_t taken = 0;
    heard->scored = 0;
    heard->detected = 0;
    while (taken < count) {{
        int32_t done = 0;
{asked.take}        if (done == 0) {{
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
{asked.decide}        }}
        break;
    }}
    return taken;
}}
"""


@dataclass(frozen=True)
class _Asked:
    """What a verifier changes in NAME_listen.c."""

    includes: str
    constants: str
    reset: str
    take: str
    decide: str

    @classmethod
    def of(cls, listening: Listening, layout: Layout, name: str) -> _Asked:
        verifier, at = listening.verifier, layout.verifier
        n, newest = name, f"sf_features_take(&{name}_listen_features, at + {layout.features}, at + {layout.scratch},"
        rest = f"samples + taken, count - taken, at + {layout.frame}, &done);\n"
        detect = f"sf_detect(&{n}_listen_detector, at + {layout.detector}, {n}_output(at), &heard->detection);\n"
        if verifier is None or at is None:
            take = f"        taken += {newest}\n                                  {rest}"
            return cls("", "", "", take, f"            heard->detected =\n                {detect}")
        v = f"{n}_verifier"
        return cls(
            includes=f'#include "sf_verify.h"\n#include "{v}.h"\n',
            constants=_verifier_constants(verifier, v, f"{n}_listen_detector"),
            reset=f"    sf_verify_reset(&{v}_verifier, at + {at.sound});\n"
            f"    sf_detect_reset(&{v}_detector, at + {at.detector});\n",
            take=f"        const int32_t newest = {newest}\n                                                {rest}"
            f"        sf_verify_keep(&{v}_verifier, at + {at.sound}, samples + taken, newest);\n"
            f"        taken += newest;\n",
            decide=f"""            const int32_t candidate =
                {detect}            heard->detection.label = -1;
            heard->detection.score = 0;
            if (sf_verify_due(&{v}_verifier, at + {at.sound}, at + {layout.detector}, candidate)) {{
                heard->scored = 2;
                sf_verify_input(&{v}_verifier, at + {at.sound}, at + {at.scratch}, {v}_input(at + {at.arena}));
                if ({v}_run(at + {at.arena}) != SF_OK) {{
                    return -1;
                }}
                heard->detected =
                    sf_detect_with(&{v}_detector, at + {at.detector}, {v}_output(at + {at.arena}),
                                   sf_verify_first(at + {at.sound}), {verifier.share}, &heard->detection);
            }} else {{
                sf_detect_nothing(at + {at.detector});
            }}
""",
        )


def _verifier_constants(verifier: Verifying, name: str, first: str) -> str:
    """As C. first: name of the first network's detector."""
    array, pointer = _table(verifier.table(), f"{name}_table")
    numbers = f"&{name}_features, {pointer}, &{first}, {verifier.samples}, {verifier.delay}"
    return f"""{features_c(verifier.features, name).replace('#include "sf_features.h"', "").strip()}

{detector_c(verifier.detector, name).strip()}

{array}static const sf_verifier {name}_verifier = {{{numbers}}};

"""


def _frames(listening: Listening, name: str) -> str:
    array, pointer = _table(listening.table(), f"{name}_listen_table")
    numbers = f"{listening.features.width}, {listening.frames}, {listening.hop_frames}, {listening.settle}"
    return f"{array}static const sf_frames {name}_listen_frames = {{{pointer}, {numbers}}};\n"


def _table(table: np.ndarray | None, name: str) -> tuple[str, str]:
    """(the array, the pointer to it) of what a frame's bytes become."""
    if table is None:
        return "", "NULL"
    rows = [table[i : i + NUMBERS_A_LINE] for i in range(0, len(table), NUMBERS_A_LINE)]
    numbers = "".join(f"    {', '.join(map(str, row))},\n" for row in rows)
    array = "/* What each byte of a frame, from -128 on, is in the network's input. */\n"
    return f"{array}static const int8_t {name}[256] = {{\n{numbers}}};\n", name


def _aliases(listening: Listening, layout: Layout, model: Model) -> str:
    p, n = model.prefix, model.name
    verifier = ""
    if listening.verifier is not None and layout.verifier is not None:
        classes = len(listening.verifier.detector.labels)
        verifier = f"""/* Of the network that runs where sf_heard's scored is 2. */
#define SF_VERIFIER_OUTPUT_BYTES {classes}
#define SF_VERIFIER_LOWEST {{{", ".join(["-128"] * classes)}}}
#define sf_verifier_output(listener) {n}_verifier_output((listener) + {layout.verifier.arena})
"""
    return f"""/* Written by shrinkfit: {n}_listen under the names that the ports use for any listener. */
#ifndef SF_MODEL_LISTEN_H
#define SF_MODEL_LISTEN_H

#include "{n}_listen.h"
{f'#include "{n}_verifier.h"' + chr(10) if verifier else ""}#include "sf_model.h"

#define SF_LISTENER_BYTES {p}_LISTENER_BYTES
#define SF_LISTENER_SAMPLE_RATE_HZ {p}_SAMPLE_RATE_HZ
#define SF_LISTENER_LABEL(label) {n}_labels[label]
#define sf_listener_reset {n}_listen_reset
#define sf_listener_take {n}_listen
{verifier}
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
