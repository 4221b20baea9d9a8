# SPDX-License-Identifier: Apache-2.0
"""One graph under LiteRT, the simulator, the C kernels and their DSP twins: where do they differ first?"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir, simulate
from shrinkfit.graph.optimize import optimize
from shrinkfit.price.kernel import Choice
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.tflite import write_tflite
from tests.fuzz.cuts import drawn_cut
from tests.fuzz.draw import draw_graph, draw_inputs
from tests.fuzz.kernels import Arena
from tests.fuzz.tight import tight_plan
from tests.graph.litert_oracle import interpreter
from tests.runtime_c import native

STEPS = 4
# Of that many graphs one has layers in stripes too.
CUT_EVERY = 8

# What export may choose from: without DSP instructions, and for each goal of `optimize` with them.
CHOICES = {
    "C scalar": Choice(False),
    "C DSP twin": Choice(True),
    "C DSP twin for speed": Choice(True, speed=True),
    "C DSP twin for size": Choice(True, small=True),
}


@dataclass(frozen=True)
class Outcome:
    """Args:
    difference: the first one in words, "" where all agree.
    refused: why the C runtime does not take the graph, "" where it does.
    """

    difference: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Expected:
    """What the simulator says: for each step the tensors and, after it, the variables."""

    tensors: list[dict[str, np.ndarray]]
    states: list[dict[str, np.ndarray]]


def checker(folder: Path) -> Callable[[int], tuple[str, str]]:
    """For campaign, with kernels compiled there before."""
    lib = ctypes.CDLL(str(folder / native.NAME))
    return lambda seed: check_seed(seed, lib)


def check_seed(seed: int, lib) -> tuple[str, str]:
    """("equal" | "no C" | "wrong", why)."""
    graph = draw_graph(seed)
    outcome = compare(graph, draw_inputs(graph, seed, STEPS), lib)
    if outcome.difference:
        return "wrong", outcome.difference
    return ("no C", outcome.refused) if outcome.refused else ("equal", "")


def compare(graph: ir.Graph, inputs: dict[str, np.ndarray], lib) -> Outcome:
    """Every tensor and variable after every operator, at every step.

    Args:
        graph: what to run.
        inputs: name -> [steps, *shape without its batch].
        lib: the C kernels, of native.compile_kernels.
    """
    expected, data = expectation(graph, inputs), write_tflite(graph)
    difference = litert_difference(graph, inputs, expected, data)
    difference = difference or _same_outputs("read back", graph, read_tflite(data, graph.name), inputs, expected)
    if difference:
        return Outcome(difference)
    return (
        _optimized(graph, inputs, expected, lib)
        or _cut(graph, inputs, expected, lib)
        or _by_c(graph, inputs, expected, lib)
    )


def expectation(graph: ir.Graph, inputs: dict[str, np.ndarray], steps: int | None = None) -> Expected:
    """The simulator's steps, one after the other where there is state; no more of them than `steps`."""
    inputs = {name: values[:steps] for name, values in inputs.items()}
    count, names = _steps(inputs), tuple(name for name in graph.tensors if name not in graph.constants)
    if not graph.variables:
        traced = simulate.trace(graph, inputs, names)
        return Expected([{name: values[i] for name, values in traced.items()} for i in range(count)], [{}] * count)
    session, tensors, states = simulate.Session(graph), [], []
    for i in range(count):
        tensors.append(session.step({name: values[i] for name, values in inputs.items()}, keep=names))
        states.append({name: values.copy() for name, values in session.state.items()})
    return Expected(tensors, states)


def _steps(inputs: dict[str, np.ndarray]) -> int:
    return len(next(iter(inputs.values())))


def describe(who: str, graph: ir.Graph, op: ir.Op, name: str, step: int, got: np.ndarray, expected: np.ndarray) -> str:
    """The first element that differs, in words; "" where none does."""
    got, expected = np.asarray(got).reshape(-1), expected.reshape(-1)
    same = (got == expected) | ((got != got) & (expected != expected))
    if np.all(same):
        return ""
    index = int(np.argmin(same))
    return (
        f"{who}: {op.kind} '{op.name}' (operator {graph.ops.index(op)} of {len(graph.ops)}), '{name}' at step {step}: "
        f"{np.count_nonzero(~same)} of {same.size} elements differ, first [{index}]: {got[index]}, "
        f"the simulator has {expected[index]}"
    )


def litert_difference(graph: ir.Graph, inputs, expected: Expected | None = None, data: bytes | None = None) -> str:
    """Between LiteRT's reference kernels and the simulator."""
    expected, data = expected or expectation(graph, inputs), data or write_tflite(graph)
    run = interpreter(data, every_tensor=True)
    index = {d["name"]: d["index"] for d in run.get_tensor_details()}
    for step, tensors in enumerate(expected.tensors):
        for name, values in inputs.items():
            run.set_tensor(index[name], values[step][None])
        run.invoke()
        for op in graph.ops:
            wanted = [(name, tensors[name]) for name in op.outputs]
            if op.kind in ("svdf", "lstm"):
                wanted += [(name, expected.states[step][name]) for name in op.variables]
            for name, values in wanted:
                found = describe("LiteRT", graph, op, name, step, run.get_tensor(index[name]), values)
                if found:
                    return found
    return ""


def _same_outputs(who: str, graph: ir.Graph, other: ir.Graph, inputs, expected: Expected) -> str:
    """Between a graph and one made from it, in the simulator."""
    if other.inputs != graph.inputs or other.outputs != graph.outputs:
        return f"{who}: inputs {other.inputs}, outputs {other.outputs}; were {graph.inputs}, {graph.outputs}"
    makers = {name: op for op in graph.ops for name in op.outputs}
    # Most of the operators are the same, so what came of the others shows soon.
    for step, tensors in enumerate(expectation(other, inputs, 3).tensors):
        for name in set(graph.outputs) & set(makers):
            values = expected.tensors[step][name]
            found = describe(who, graph, makers[name], name, step, tensors[name], values)
            if found:
                return found
    return ""


def _optimized(graph: ir.Graph, inputs, expected: Expected, lib) -> Outcome | None:
    """The optimizer's rewrites change no output, in the C neither; None where it has nothing to do or all is well."""
    other, rewrites = optimize(graph)
    if not rewrites:
        return None
    who = f"optimized by {', '.join(sorted({rewrite.rule for rewrite in rewrites}))}"
    difference = _same_outputs(who, graph, other, inputs, expected)
    if difference:
        return Outcome(difference)
    outcome = _by_c(other, inputs, expectation(other, inputs), lib)
    return Outcome(f"{who}, then {outcome.difference}") if outcome.difference else None


def _cut(graph: ir.Graph, inputs, expected: Expected, lib) -> Outcome | None:
    """Layers in stripes change no output, in the C neither; None where there are none or all is well."""
    if len(graph.tensors) % CUT_EVERY:
        return None
    other = drawn_cut(graph, len(graph.tensors))
    if other is None:
        return None
    difference = _same_outputs("in stripes", graph, other, inputs, expected)
    outcome = Outcome(difference) if difference else _by_c(other, inputs, expectation(other, inputs), lib)
    return Outcome(f"in stripes: {outcome.difference}") if outcome.difference else None


def _by_c(graph: ir.Graph, inputs, expected: Expected, lib) -> Outcome:
    try:
        arenas = [(who, Arena(graph, lib, choice)) for who, choice in CHOICES.items()]
        arenas += [(f"{who}, tight", Arena(graph, lib, choice, tight_plan)) for who, choice in CHOICES.items()]
    except ShrinkfitError as error:
        return Outcome(refused=str(error))
    return Outcome(next(filter(None, (_c(who, arena, graph, inputs, expected) for who, arena in arenas)), ""))


def _c(who: str, arena: Arena, graph: ir.Graph, inputs, expected: Expected) -> str:
    arena.reset()
    for step, tensors in enumerate(expected.tensors):
        for name, values in inputs.items():
            arena.write(name, values[step])
        for op in graph.ops:
            broken = arena.run(op)
            if broken:
                return f"{who}: {op.kind} '{op.name}' at step {step}: {broken}"
            wanted = [(name, arena.read(name), tensors[name]) for name in op.outputs]
            wanted += [
                (name, arena.state(name), expected.states[step][name]) for name in op.variables if _last(graph, op)
            ]
            for name, got, values in wanted:
                found = describe(who, graph, op, name, step, got, values)
                if found:
                    return found
        for name in graph.outputs:
            found = describe(f"{who}, after the run", graph, graph.ops[-1], name, step, arena.read(name), tensors[name])
            if found:
                return found
    return ""


def _last(graph: ir.Graph, op: ir.Op) -> bool:
    """Whether no operator behind it changes its variables."""
    later = graph.ops[graph.ops.index(op) + 1 :]
    return not any(set(op.variables) & set(other.variables) for other in later)
