# SPDX-License-Identifier: Apache-2.0
"""A model and inputs in, NAME_selftest.c and .h out: vectors with the simulator's outputs, and what runs them."""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkfit._runtime import runtime_dir
from shrinkfit.errors import CheckError, ExportError
from shrinkfit.graph.inputs import graph_inputs, rows_of
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.simulate import trace_runs
from shrinkfit.write.api import Edge
from shrinkfit.write.c_text import comment, guard
from shrinkfit.write.c_weights import c_array
from shrinkfit.write.model import Model

RUNTIME = ("sf_selftest.c", "sf_selftest.h")


def selftest_files(model: Model, given: Any) -> dict[str, bytes]:
    """File name -> content; empty where no self-test is wanted.

    Args:
        model: all that the model's C says.
        given: None for no self-test; a number of vectors with random inputs; or inputs as `graph_inputs` takes them.

    Raises:
        ExportError: no number of at least 1, or inputs that do not fit the model.
    """
    if given is None:
        return {}
    inputs = vectors(model.graph, given)
    count = len(inputs[model.graph.inputs[0]])
    outputs = trace_runs(model.graph, inputs, model.graph.outputs)
    rows = (rows_of(inputs[n] for n in model.graph.inputs), rows_of(outputs[n] for n in model.graph.outputs))
    texts = {f"{model.name}_selftest.h": _header(model, count), f"{model.name}_selftest.c": _source(model, *rows)}
    files = {file: (runtime_dir() / file).read_bytes() for file in RUNTIME}
    return files | {file: text.encode() for file, text in texts.items()}


def vectors(graph: Graph, given: Any) -> dict[str, np.ndarray]:
    """The inputs of a self-test, by tensor name, [n, *shape without batch].

    Args:
        graph: the model.
        given: how many, or what `graph_inputs` takes.
    """
    if isinstance(given, (int, np.integer)):
        if isinstance(given, bool) or given < 1:
            raise ExportError(f"selftest is {given!r}, expected a number of vectors of at least 1, or their inputs")
        return graph_inputs(graph, clips=int(given))
    try:
        return graph_inputs(graph, given)
    except CheckError as error:
        raise ExportError(f"selftest: {error}") from error


def _header(model: Model, count: int) -> str:
    n, p = model.name, model.prefix
    reset = "the model's state and " if model.keeps_state else ""
    return f"""/* Written by shrinkfit: a self-test of {n}. Do not edit: export again. */
#ifndef {guard(n)}_SELFTEST_H
#define {guard(n)}_SELFTEST_H

#include "{n}.h"
#include "sf_selftest.h"

#define {p}_SELFTEST_VECTORS {count}

#ifdef __cplusplus
extern "C" {{
#endif

/* Runs {n} on its vectors and compares every byte of the outputs with the simulator's.
 * arena: {p}_ARENA_BYTES, aligned to 8; {reset}what is in it is lost.
 * print: gets pieces of text, whose last line says PASS or FAIL and, where the core counts them,
 * cycles; may be null.
 * Returns how many vectors failed: 0 is a pass. It takes some 150 bytes of stack more than a run,
 * and what print takes. */
SF_WARN_UNUSED int {n}_selftest(void *arena, sf_print print);

#ifdef __cplusplus
}}
#endif

#endif
"""


def _source(model: Model, inputs: np.ndarray, outputs: np.ndarray) -> str:
    n = model.name
    reset = f"{n}_reset" if model.keeps_state else "NULL"
    return f"""/* Written by shrinkfit: vectors of the model "{comment(model.graph.name)}" with what the
 * simulator makes of them; the bytes of all inputs, or all outputs, of a run follow each other.
 * Do not edit: export again. */
#include <stddef.h>
#include <string.h>

#include "{n}_selftest.h"

{c_array("inputs", inputs.reshape(-1))}
{c_array("outputs", outputs.reshape(-1))}
static void load(void *arena, uint32_t vector) {{
    const int8_t *const from = inputs + (size_t)vector * {inputs.shape[1]};
{_loads(model.api.inputs)}}}

static int32_t compare(const void *arena, uint32_t vector) {{
    const int8_t *const expected = outputs + (size_t)vector * {outputs.shape[1]};
{_compares(model.api.outputs)}    return -1;
}}

static const sf_selftest test = {{"{n}", {len(inputs)}, {reset}, load, {n}_run, compare}};

int {n}_selftest(void *arena, sf_print print) {{
    return sf_selftest_run(&test, arena, print);
}}
"""


def _loads(edges: tuple[Edge, ...]) -> str:
    lines, offset = [], 0
    for edge in edges:
        lines.append(f"    memcpy({edge.function}(arena), from{_plus(offset)}, {edge.tensor.size_bytes});\n")
        offset += edge.tensor.size_bytes
    return "".join(lines)


def _compares(edges: tuple[Edge, ...]) -> str:
    text, offset = "    int32_t at;\n", 0
    for edge in edges:
        size = edge.tensor.size_bytes
        text += f"    at = sf_selftest_compare({edge.function}(arena), expected{_plus(offset)}, {size});\n"
        text += f"    if (at >= 0) {{\n        return at{_plus(offset)};\n    }}\n"
        offset += size
    return text


def _plus(offset: int) -> str:
    return f" + {offset}" if offset else ""
