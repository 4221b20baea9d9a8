# SPDX-License-Identifier: Apache-2.0
"""The constants of a model in C: those of the graph, of every call, and what a reset puts back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.write.api import C_TYPES
from shrinkfit.write.c_text import c_float, comment, guard
from shrinkfit.write.model import Model
from shrinkfit.write.pack_layout import pack_initial
from shrinkfit.write.packed import Field, Packed

LINE_LENGTH = 100
INT32_MIN = -(2**31)


def render_weights(model: Model) -> str:
    """NAME_weights.h: the constants of every layer."""
    parts = [_constant(model, name) for name in model.flash_names]
    parts += [_call_constants(x.op.name, x.identifier, x.packed, x.arrays) for x in model.layers]
    parts += [_initial(model, name) for name in model.state_names]
    layers = "\n".join(parts)
    once = guard(f"{model.name}_weights")
    return f"""/* Written by shrinkfit: constants of {model.name}, in the order that the kernels want.
 * Only {model.name}.c includes this. */
#ifndef {once}_H
#define {once}_H

#include "shrinkfit.h"

{layers}
#endif
"""


def _constant(model: Model, name: str) -> str:
    return f"/* {comment(name)} */\n{c_array(model.flash_names[name], model.graph.constants[name].reshape(-1))}"


def _initial(model: Model, name: str) -> str:
    identifier, variable = model.state_names[name], model.graph.variables[name]
    array = c_array(f"{identifier}_initial", variable.initial.reshape(-1))
    return array + _call_constants(f"{name} after a reset", identifier, pack_initial(variable))


def _call_constants(what: str, identifier: str, packed: Packed, arrays: str = "") -> str:
    """arrays: whose they are, where another call has them."""
    own = not arrays or arrays == identifier
    text = "".join(c_array(f"{identifier}_{name}", array) for name, array in packed.arrays.items()) if own else ""
    struct = f"static const {packed.params} {identifier} = {{\n{_fields(packed.fields, arrays or identifier, 1)}}};\n"
    return f"/* {comment(what)} */\n{text}{struct}"


def c_array(name: str, array: np.ndarray) -> str:
    """The definition of a static array, flat, with its values as exact as C can write them."""
    # Words of four weights are loaded at once.
    aligned = " SF_ALIGN(4)" if array.dtype == np.int8 and array.ndim == 2 else ""
    is_float = array.dtype == np.float32
    texts = map(_exact_float if is_float else _integer, array.reshape(-1).tolist())
    element = {"uint16": "uint16_t", "uint32": "uint32_t"} | C_TYPES
    return f"static const {element[array.dtype.name]} {name}[{array.size}]{aligned} = {{\n{_values(texts)}}};\n"


def _integer(number: int) -> str:
    # -2147483648 is the negative of a number that no 32-bit int holds.
    return "-2147483647 - 1" if number == INT32_MIN else str(number)


def _exact_float(number: float) -> str:
    if not np.isfinite(number):
        raise UnsupportedLayerError(f"a constant of the model is {number}, which C cannot write as a number")
    return f"{number.hex()}F"


def _values(texts: Iterable[str]) -> str:
    lines, line = [], "   "
    for text in texts:
        if len(line) + len(text) + 2 > LINE_LENGTH:
            lines.append(line)
            line = "   "
        line += f" {text},"
    return "\n".join([*lines, line]) + "\n"


def _fields(fields: Mapping[str, Field], identifier: str, depth: int) -> str:
    indent = "    " * depth
    text = ""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            text += f"{indent}.{name} =\n{indent}    {{\n{_fields(value, identifier, depth + 2)}{indent}    }},\n"
        else:
            text += f"{indent}.{name} = {_field(value, identifier)},\n"
    return text


def _field(value: int | float | str, identifier: str) -> str:
    if isinstance(value, str):
        return f"{identifier}_{value}"
    return c_float(value) if isinstance(value, float) else str(value)
