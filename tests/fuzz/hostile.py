# SPDX-License-Identifier: Apache-2.0
"""A file that may be hostile: what reading it and using what was read may do, and what they may not."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from functools import cache
from math import prod
from pathlib import Path

import numpy as np

from shrinkfit.device import get_device
from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir, simulate
from shrinkfit.graph.optimize import optimize
from shrinkfit.price.cost import price_graph
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.tflite import write_tflite
from tests.fuzz.draw import draw_graph, draw_inputs
from tests.fuzz.mutate import mutate
from tests.graph.litert_oracle import SHARED

SECONDS = 10
GENERATED = 2000
MEMORY_FACTOR, MEMORY_BYTES = 10, 100 << 20
# Beyond these a run takes its time without being wrong.
SMALL_MACS, SMALL_ELEMENTS = 10**6, 10**6
DEVICES = ("efm32", "rp2040")


class TooSlow(BaseException):
    """No Exception, so that nothing catches it on its way."""


def checker(folder: Path) -> Callable[[int], tuple[str, str]]:
    """For campaign."""
    bases = base_files()
    return lambda seed: check_file(draw_file(seed, bases))


def base_files() -> list[bytes]:
    """Real models, as far as they are there, the small ones more often than their number says."""
    paths = sorted((SHARED / "models").glob("*/*.tflite"))
    return [path.read_bytes() for path in paths if path.stat().st_size < 400 << 10]


def draw_file(seed: int, bases: list[bytes]) -> bytes:
    """A damaged file; three in four come from a generated graph, which has more operators in fewer bytes."""
    rng = np.random.default_rng((seed, 2))
    real = bases and rng.random() < 0.25
    data = bases[int(rng.integers(len(bases)))] if real else _generated(int(rng.integers(GENERATED)))
    return mutate(data, rng)


@cache
def _generated(seed: int) -> bytes:
    return write_tflite(draw_graph(seed))


def check_file(data: bytes) -> tuple[str, str]:
    """("read" | "refused" | "wrong", why)."""
    status, result = _guarded(lambda: read_tflite(data), len(data))
    if status != "read":
        return status, result
    steps = {"pricing": _price, "writing": write_tflite, "running": _simulate, "optimizing": optimize}
    for what, step in steps.items():
        status, why = _guarded(lambda step=step: step(result), None)
        if status == "wrong":
            return status, f"{what} what was read: {why}"
    return "read", ""


def _guarded(step: Callable, file_bytes: int | None) -> tuple[str, object]:
    """Do it in limited time, and in limited memory where a file's size is given."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        if file_bytes is not None:
            limit = _address_space() + MEMORY_FACTOR * file_bytes + MEMORY_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
        return "read", step()
    except ShrinkfitError as error:
        return ("refused", str(error)) if str(error).strip() else ("wrong", "a ShrinkfitError that says nothing")
    except (Exception, TooSlow) as error:
        return "wrong", f"{type(error).__name__}: {error} {_place(error)}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _too_slow(*_) -> None:
    raise TooSlow(f"more than {SECONDS} s")


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _price(graph: ir.Graph) -> None:
    for name in DEVICES:
        price_graph(graph, get_device(name))


def _simulate(graph: ir.Graph) -> None:
    elements = sum(prod(tensor.shape) for tensor in graph.tensors.values())
    if graph.macs > SMALL_MACS or elements > SMALL_ELEMENTS:
        return
    session = simulate.Session(graph)
    values = draw_inputs(graph, 0, 1)
    session.step({name: v[0] for name, v in values.items()})
