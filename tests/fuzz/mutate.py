# SPDX-License-Identifier: Apache-2.0
"""A .tflite file in, a damaged or hostile one out: bytes changed blindly, or fields of its tables on purpose."""

from __future__ import annotations

import copy
import struct

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

INTEGERS = (-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 4, 7, 127, 128, 255, 256, 65535, 65536, 2**24, 2**31 - 1, 2**32 - 1)
FLOATS = (0.0, -1.0, 1.0, 1e-45, 1e-38, 3e38, float("inf"), float("-inf"), float("nan"), 2.0**-9, 1 / 256)
WORDS = (0, 1, 2, 4, 2**16, 2**24, 2**31 - 4, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1)
HEAD = 4096


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """A sound file with changed fields, or blind damage, or both."""
    made, kind = bytearray(data), rng.random()
    if kind < 0.6:
        made = _change_fields(made, rng)
    if kind > 0.5:
        for _ in range(int(rng.choice([1, 1, 2]))):
            made = BLIND[int(rng.integers(len(BLIND)))](made, rng) or made[:8]
    return bytes(made)


def _place(data: bytearray, rng: np.random.Generator, aligned: int = 1) -> int:
    """Anywhere, but half of the time near an end, where the tables lie and not the weights."""
    high = len(data) if rng.random() < 0.5 else min(len(data), HEAD)
    place = int(rng.integers(max(high, 1)))
    place = place if rng.random() < 0.7 else len(data) - 1 - place
    return max(0, place // aligned * aligned)


def _truncate(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: _place(data, rng)]


def _flip_bits(data: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(int(rng.integers(1, 20))):
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def _overwrite(data: bytearray, rng: np.random.Generator) -> bytearray:
    start, length = _place(data, rng), int(rng.integers(1, 64))
    length = min(length, len(data) - start)
    value = int(rng.choice([0, 255, 127, 128]))
    filler = bytes([value]) * length if rng.random() < 0.5 else rng.bytes(length)
    data[start : start + length] = filler
    return data


def _change_words(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Offsets, lengths and indices are such words."""
    for _ in range(int(rng.integers(1, 6))):
        place = _place(data, rng, 4)
        if place + 4 > len(data):
            continue
        kind = rng.random()
        word = struct.unpack_from("<I", data, place)[0]
        if kind < 0.5:
            word = WORDS[int(rng.integers(len(WORDS)))]
        elif kind < 0.75:
            word = int(rng.integers(len(data) + 8))
        else:
            word = (word + int(rng.integers(-16, 17))) % 2**32
        struct.pack_into("<I", data, place, word)
    return data


def _swap(data: bytearray, rng: np.random.Generator) -> bytearray:
    length = int(rng.choice([4, 8, 16, 32, 64]))
    a, b = _place(data, rng, 4), _place(data, rng, 4)
    data[a : a + length], data[b : b + length] = data[b : b + length], data[a : a + length]
    return data


def _move(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Bytes put in, left out or doubled: all that comes after them shifts."""
    place, length = _place(data, rng), int(rng.integers(1, 40))
    kind = rng.random()
    if kind < 0.4:
        del data[place : place + length]
    elif kind < 0.7:
        data[place:place] = rng.bytes(length)
    else:
        data[place:place] = data[place : place + length]
    return data


def _change_fields(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A sound file of tables that make no sense, or that nearly do."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytes(data), 0))
    if rng.random() < 0.1:
        _add_call(model, rng)
    for _ in range(int(rng.choice([1, 1, 2, 3, 6]))):
        _change_field(model, rng)
    builder = flatbuffers.Builder(1 << 12)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except (TypeError, ValueError, AttributeError, OverflowError, IndexError, struct.error):
        # Numbers that the field cannot hold, or tables of the wrong kind.
        return _change_words(data, rng)
    return bytearray(builder.Output())


def _add_call(model, rng: np.random.Generator) -> None:
    """An operator that calls any subgraph, its own or one that calls back."""
    code = ("CALL_ONCE", "CALL", "WHILE", "IF")[int(rng.integers(4))]
    codes, graphs = model.operatorCodes, model.subgraphs
    codes.append(schema.OperatorCodeT(builtinCode=getattr(schema.BuiltinOperator, code)))
    if rng.random() < 0.5:
        graphs.append(graphs[int(rng.integers(len(graphs)))])
    options = {
        "CALL_ONCE": schema.CallOnceOptionsT(initSubgraphIndex=int(rng.integers(len(graphs)))),
        "CALL": schema.CallOptionsT(subgraph=int(rng.integers(len(graphs)))),
        "WHILE": schema.WhileOptionsT(condSubgraphIndex=int(rng.integers(len(graphs)))),
        "IF": schema.IfOptionsT(thenSubgraphIndex=int(rng.integers(len(graphs)))),
    }[code]
    call = schema.OperatorT(opcodeIndex=len(codes) - 1, builtinOptions=options)
    call.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    call.inputs = call.outputs = np.zeros(0, np.int32)
    for graph in graphs if rng.random() < 0.5 else graphs[:1]:
        graph.operators.insert(int(rng.integers(len(graph.operators) + 1)), call)


def _fields(node, found: list) -> list:
    """(holder, key) of everything below; a holder is a table or a list of tables."""
    items = enumerate(node) if isinstance(node, list) else vars(node).items()
    for key, value in items:
        found.append((node, key))
        if isinstance(value, list) or type(value).__module__ == schema.__name__:
            _fields(value, found)
    return found


def _change_field(model, rng: np.random.Generator) -> None:
    found = _fields(model, [])
    holder, key = found[int(rng.integers(len(found)))]
    others = [(h, k) for h, k in found if type(_get(h, k)) is type(_get(holder, key))]
    if rng.random() < 0.25:
        # Another table's value of the same type; a copy, as a table inside itself could not be written.
        _set(holder, key, copy.deepcopy(_get(*others[int(rng.integers(len(others)))])))
        return
    _set(holder, key, _changed(_get(holder, key), rng))


def _get(holder, key):
    return holder[key] if isinstance(holder, list) else getattr(holder, key)


def _set(holder, key, value) -> None:
    if isinstance(holder, list):
        holder[key] = value
    else:
        setattr(holder, key, value)


def _changed(value, rng: np.random.Generator):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        near = rng.random() < 0.4
        return value + int(rng.integers(-2, 3)) if near else INTEGERS[int(rng.integers(len(INTEGERS)))]
    if isinstance(value, float):
        return FLOATS[int(rng.integers(len(FLOATS)))]
    if isinstance(value, np.ndarray):
        return _changed_array(value, rng)
    if isinstance(value, list):
        return _changed_list(value, rng)
    return None if value is not None else 1


def _changed_array(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind, size = rng.random(), len(values)
    if kind < 0.15 or not size:
        return values[:0] if size else np.array([1], values.dtype)
    if kind < 0.3:
        return values[: int(rng.integers(size))]
    if kind < 0.4:
        return np.concatenate([values, values])
    values = values.copy()
    pool = FLOATS if values.dtype.kind == "f" else INTEGERS
    with np.errstate(over="ignore"):
        value = np.array(pool[int(rng.integers(len(pool)))]).astype(values.dtype)
    values[int(rng.integers(size))] = value
    return values


def _changed_list(values: list, rng: np.random.Generator) -> list:
    values, kind = list(values), rng.random()
    if not values or kind < 0.1:
        return []
    i, j = (int(n) for n in rng.integers(len(values), size=2))
    if kind < 0.4:
        del values[i]
    elif kind < 0.7:
        values[i], values[j] = values[j], values[i]
    else:
        values.insert(j, values[i])
    return values


BLIND = (_truncate, _flip_bits, _overwrite, _change_words, _swap, _move)
