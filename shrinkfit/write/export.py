# SPDX-License-Identifier: Apache-2.0
"""A model in, a firmware folder out: C, the runtime files it needs, build files, a .tflite, a report.

The folder appears whole or not at all: it is written beside its place and then renamed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Literal

from shrinkfit._progress import step
from shrinkfit._runtime import runtime_dir
from shrinkfit._shown import Shown
from shrinkfit.device import DEFAULT_DEVICE, Budget, Device, get_device
from shrinkfit.errors import ExportError, UnsupportedLayerError
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.optimize import Rewrite
from shrinkfit.graph.optimize import optimize as optimized
from shrinkfit.graph.stream_report import StreamReport
from shrinkfit.graph.streaming import to_streaming
from shrinkfit.graph.timeline import checked_frames
from shrinkfit.price.cost import Cost, hop_of, optimized_for, price_graph, with_listener
from shrinkfit.price.kernels_layout import SOURCES as RESET_SOURCES
from shrinkfit.price.smallest import Striping, checked_ram, with_ram
from shrinkfit.read.source import read_source
from shrinkfit.report.page import page
from shrinkfit.write.build_files import makefile
from shrinkfit.write.c import render
from shrinkfit.write.extra import Around, Extra
from shrinkfit.write.model import Model
from shrinkfit.write.modelled import modelled
from shrinkfit.write.names import check_name
from shrinkfit.write.packages import Origin, package_files
from shrinkfit.write.quantization import quantization_record
from shrinkfit.write.records import memory_record, model_record, parts_record, training_record
from shrinkfit.write.selftest import selftest_files
from shrinkfit.write.whole import REPORT, check_replaceable, placed, write_whole

PAGE = "report.html"
_SPOKEN = {
    "ram_bytes": "bytes of RAM",
    "flash_bytes": "bytes of flash",
    "flops": "FLOPs an inference",
    "latency_ms": "ms an inference",
    "energy_uj": "µJ an inference",
}
# Of the runtime; whose the weights are is not for shrinkfit to say.
LICENSE = "LICENSE"
# Programs that a model without its surroundings has no use for.
PORTS_OF_EXTRAS = ("ports/listen/",)


@dataclass(frozen=True)
class Changes:
    """What was done to a graph before it was written.

    Args:
        rewrites: into a cheaper one with the same bits.
        stream: what is known of it where it was made to take new frames alone.
        stripes: how layers of it were cut into stripes of rows.
        uncut: the graph before that, which the .tflite is of; None where nothing was cut.
    """

    rewrites: tuple[Rewrite, ...] = ()
    stream: StreamReport | None = None
    stripes: tuple[Striping, ...] = ()
    uncut: Graph | None = None

    def as_dict(self) -> dict[str, Any]:
        """What report.json says of it; the stripes stand with the costs."""
        stream = None if self.stream is None else json.loads(json.dumps(self.stream.as_dict()))
        return {"rewrites": [asdict(record) for record in self.rewrites], "streaming": stream}


@dataclass(frozen=True)
class ExportReport(Shown, by="report.views.export_view"):
    """What was written, and what it costs on the device.

    Args:
        name: the model's name in C.
        folder: where it is.
        device: the device's name.
        cost: the same figures that training is held to; with a listener, RAM and flash of the image that listens.
        limits: that it was fitted to, or the device's; by resource.
        details: report.json's content.
        streaming: what a streamed model computes; None for others.
        more: lines about what was written around the model.
    """

    name: str
    folder: Path
    device: str
    cost: Cost = field(repr=False)
    limits: dict[str, float]
    details: dict[str, Any] = field(repr=False)
    streaming: StreamReport | None = None
    more: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the model is within its limits."""
        self.cost.require(self.limits)
        costs = self.cost.as_costs()
        return all(costs[name] <= limit for name, limit in self.limits.items())

    def as_dict(self) -> dict[str, Any]:
        """report.json's content."""
        return self.details

    def __str__(self) -> str:
        lines = [f"{self.name} for {self.device}: {self.folder}"]
        for resource, value in self.cost.as_costs().items():
            limit, shown = self.limits.get(resource), _figure(value)
            of = "" if limit is None else f" of {_figure(limit)}"
            of = of if limit is None or value <= limit else f", over the limit of {_figure(limit)}"
            lines.append(f"  {shown:>12}{of} {_SPOKEN[resource]}")
        lines += [] if self.streaming is None else [str(self.streaming)]
        lines += [f"  {striping}" for striping in self.cost.stripes]
        return "\n".join([*lines, *self.more])


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def export(
    source: Any,
    folder: str | os.PathLike[str],
    *,
    name: str,
    device: str | Device | None = None,
    calibration: Any = None,
    labels: Sequence[str] | None = None,
    optimize: bool | str = True,
    streaming: bool | None = None,
    frames_per_call: int | None = None,
    ram: str | None = None,
    selftest: Any = None,
    listener: Around | Literal[False] | None = None,
    author: str | None = None,
    url: str | None = None,
) -> ExportReport:
    """Write the C that runs a model.

    Args:
        source: a FitDevice after its training, a Graph, a Keras model, or the path of a .tflite,
            .keras or .h5 file.
        folder: made or, if an earlier export wrote it, replaced.
        name: what the C calls the model; a C identifier.
        device: a catalogue name, a .toml file (`get_device`) or a Device; where None a FitDevice's own, else "efm32".
        calibration: float [n, ...], example inputs for a Keras model that was not trained under FitDevice. The report's
            quantization error is measured on some of them; on what a FitDevice kept of its own where it is None.
        labels: one string per output.
        optimize: "balanced", "speed" or "size": what kernels are chosen for; True for what the device says. In all of
            them the graph is rewritten into a cheaper one with the same bits; False keeps it as it came.
        streaming: True turns a model that looks at a window of frames into one that takes new frames and keeps what it
            needs of those before (`graph.streaming`); None for what a FitDevice was given, else whether
            frames_per_call is.
        frames_per_call: how many new frames a call takes, which switches streaming on; None for the listener's
            hop_frames, or the fewest that the model's strides allow.
        ram: "smallest" runs layers around the peak in stripes of rows wherever that saves RAM: the same bits for more
            cycles, which the report shows. None: all layers in one piece.
        selftest: also write NAME_selftest, which a board runs: a number of vectors with random inputs, or their inputs
            as `check` takes them; a model that keeps state takes them one after the other.
        listener: a shrinkfit.Listener: also write NAME_listen, which takes samples and gives detections; None for what
            a FitDevice was given, False for none.
        author: who the folder's Arduino and PlatformIO packages say made it, such as "Ada <ada@example.com>".
        url: a page about it, for the same packages.

    Returns:
        The report, also written as report.json.

    Raises:
        ExportError: a bad name, bad labels, or a folder that cannot be written; nothing is left behind.
        ShrinkfitError: the model cannot be read, or the C runtime cannot run it; listener is something else.
    """
    check_name(name)
    checked_ram(ram)
    Origin(author, url)
    frames_per_call = checked_frames(frames_per_call)
    listener = getattr(source, "listener", None) if listener is None else listener
    listener = None if listener is False else listener
    hop = hop_of(listener)
    budget = None
    if device is None:
        device = getattr(source, "device", None) or DEFAULT_DEVICE
        budget = getattr(source, "budget", None)  # a FitDevice may have been held to less than the whole part
    graph = to_graph(source, calibration)
    measured = quantization_record(source, graph, calibration)
    if optimize:
        step("rewriting the graph")
    graph, rewrites = optimized(graph) if optimize else (graph, ())
    device = optimized_for(get_device(device), optimize)
    stream = None
    if streaming is None:
        streaming = frames_per_call is not None or getattr(source, "streaming", False)
    if streaming:
        frames = frames_per_call or getattr(source, "frames_per_call", None) or hop
        made = to_streaming(graph, frames, calibration)
        graph, stream = made.graph, made.report
    cut, stripes = with_ram(graph, device, ram)
    return write_folder(
        cut,
        folder,
        name=name,
        device=device,
        labels=labels,
        budget=budget,
        changes=Changes(tuple(rewrites), stream, stripes, uncut=graph),
        training=training_record(source) | measured,
        selftest=selftest,
        listener=listener,
        author=author,
        url=url,
    )


def to_graph(source: Any, calibration: Any = None) -> Graph:
    """The integer graph of whatever `export` takes.

    Raises:
        ShrinkfitError: it cannot be read.
    """
    graph = getattr(source, "graph", None)
    return graph if isinstance(graph, Graph) else read_source(source, calibration=calibration)


def write_folder(
    graph: Graph,
    folder: str | os.PathLike[str],
    *,
    name: str,
    device: str | Device = DEFAULT_DEVICE,
    labels: Sequence[str] | None = None,
    budget: Budget | None = None,
    changes: Changes | None = None,
    training: dict[str, Any] | None = None,
    selftest: Any = None,
    listener: Around | None = None,
    author: str | None = None,
    url: str | None = None,
) -> ExportReport:
    """Write the firmware folder of an integer graph; arguments and errors as those of `export`.

    The limits reported are those of budget, or the whole device's where it is None; changes and training
    (of training_record and quantization_record) are reported too.
    """
    check_name(name)
    origin, changes = Origin(author, url), changes or Changes()
    part, place = get_device(device), placed(folder)
    limits = (budget or part.budget()).limits()
    check_replaceable(place)
    labels = listener.labels_of(graph) if listener is not None and labels is None else labels
    step("planning memory")
    model = modelled(graph, name, part, _checked_labels(graph, labels), changes.stream)
    cost = price_graph(graph, part, changes.stripes)
    around = None if listener is None else listener.surroundings(graph)
    whole = cost if around is None else with_listener(cost, graph, part, around, model.plan.state_bytes)
    extra = None if listener is None else listener.extra(model, part, cost)
    step("writing C")
    files = _files(model, part, cost, extra)
    tflite, missing = _tflite(graph if changes.uncut is None else changes.uncut)
    if tflite is not None:
        files[f"{name}.tflite"] = tflite
    files |= selftest_files(model, selftest)
    files |= package_files(model, part, cost.stack_bytes, files, origin)
    details = model_record(model, part, cost, limits, sorted([*files, PAGE, REPORT]))
    details |= {"no_tflite_because": missing} | changes.as_dict()
    details["listener"] = None if extra is None else json.loads(json.dumps(extra.details))
    details |= memory_record(model, part) | parts_record(graph, part, around) | (training or {})
    step(f"writing '{folder}'")
    files[PAGE] = page(details).encode()
    files[REPORT] = (json.dumps(details, indent=2) + "\n").encode()
    write_whole(place, files)
    more = () if extra is None else extra.lines
    return ExportReport(name, place, part.name, whole, limits, details, changes.stream, more)


def _checked_labels(graph: Graph, labels: Sequence[str] | None) -> tuple[str, ...]:
    if labels is None:
        return ()
    if len(graph.outputs) != 1:
        raise ExportError(
            f"labels are for models with one output, and this one has {len(graph.outputs)}; leave them out"
        )
    outputs = prod(graph.tensors[graph.outputs[0]].shape)
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise ExportError(f"labels are {labels!r}; expected a list of {outputs} strings, one per output")
    labels = tuple(labels)
    if len(labels) != outputs or not all(isinstance(label, str) for label in labels):
        raise ExportError(f"labels are {list(labels)!r}; expected {outputs} strings, one per output")
    return labels


def _files(model: Model, device: Device, cost: Cost, extra: Extra | None) -> dict[str, bytes]:
    """Relative path -> content, of everything but the report and the .tflite."""
    texts, extra = render(model), extra or Extra({}, (), "", {})
    needed = {source for layer in model.layers for source in layer.kernel.sources} | set(extra.runtime)
    needed |= set(RESET_SOURCES if model.keeps_state else ())
    headers = ["shrinkfit.h", "sf_internal.h", "sf_dsp.h", "sf_select.h"]
    runtime = runtime_dir()
    files = {file: (runtime / file).read_bytes() for file in [LICENSE, *headers, *sorted(needed)]}
    ports = sorted(path for path in (runtime / "ports").rglob("*") if path.suffix in (".c", ".h", ".ld"))
    files |= {path.relative_to(runtime).as_posix(): path.read_bytes() for path in ports}
    if not extra.files:
        files = {file: content for file, content in files.items() if not file.startswith(PORTS_OF_EXTRAS)}
    texts["Makefile"] = makefile(model.name, device, cost.stack_bytes) + extra.makefile
    return files | {file: text.encode() for file, text in texts.items()} | extra.files


def _tflite(graph: Graph) -> tuple[bytes | None, str]:
    """(the file, ""), or (None, why) where LiteRT has no operators for this graph."""
    from shrinkfit.write.tflite import write_tflite

    try:
        return write_tflite(graph), ""
    except (ExportError, UnsupportedLayerError) as error:
        return None, str(error)
