# SPDX-License-Identifier: Apache-2.0
"""Features, a network and a detector come in; one C function from samples to detections leaves, with all it needs.

shrinkfit.export(model, "firmware/", name="hotword", listener=Listener(FeatureConfig(...), Detector(...)))
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from shrinkfit.audio.around import UINT16_MAX, aligned, check_output, counted, input_of, input_table
from shrinkfit.audio.detect import Detector
from shrinkfit.audio.features import FeatureConfig
from shrinkfit.audio.features_c import feature_sources
from shrinkfit.audio.listener_c import makefile, render
from shrinkfit.audio.listener_cost import ListenerCost, constant_bytes, price_listener
from shrinkfit.audio.verifier import Verifier, VerifierLayout, Verifying
from shrinkfit.device import DEFAULT_DEVICE, Device, get_device
from shrinkfit.errors import ExportError, ShrinkfitError, UnsupportedLayerError
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.stream_report import StreamReport
from shrinkfit.price.arena import Plan, plan
from shrinkfit.price.cost import Cost, optimized_for, price_graph, streamed_graph
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import scratch_sizes
from shrinkfit.price.listening import Surroundings
from shrinkfit.price.second import Second
from shrinkfit.write.c import render as render_network
from shrinkfit.write.extra import Extra
from shrinkfit.write.model import Model
from shrinkfit.write.modelled import modelled

RUNS_PER_SECOND = 10
FRAMES_HEAD_BYTES = 12  # struct ring in sf_listen.c
RUNTIME = ("sf_listen.h", "sf_listen.c", "sf_detect.h", "sf_detect.c")
VERIFIER_RUNTIME = ("sf_verify.h", "sf_verify.c")


@dataclass(frozen=True)
class Listener:
    """What is exported around a network that hears.

    Args:
        features: how samples become frames; the network's input is frames of its width.
        detector: how the network's outputs become detections; its scale and zero_point are taken from the network.
        hop_frames: how many frames are new at each run. None: about ten runs a second; a network that keeps state
            from run to run takes as many as its input has, and no others.
        settle: after how many runs the scores begin to count. None: when a streamed network has seen what it looks
            back on; at once for others.
        verifier: a second network that is asked before anything counts as detected; None without one.
    Raises:
        ShrinkfitError: features, detector or verifier is something else.
    """

    features: FeatureConfig
    detector: Detector
    hop_frames: int | None = None
    settle: int | None = None
    verifier: Verifier | None = None

    def __post_init__(self) -> None:
        for name, kind in (("features", FeatureConfig), ("detector", Detector)):
            given = getattr(self, name)
            if not isinstance(given, kind):
                raise ShrinkfitError(f"a listener's {name} is a {type(given).__name__}, expected a {kind.__name__}")
        if not isinstance(self.verifier, (Verifier, type(None))):
            raise ShrinkfitError(f"a listener's verifier is a {type(self.verifier).__name__}, expected a Verifier")

    def labels_of(self, graph: Graph) -> tuple[str, ...]:
        """The network's classes.

        Args:
            graph: the network.
        Raises:
            ExportError: the two do not go together; says what does not.
        """
        self.of(graph)
        return self.detector.labels

    def of(self, graph: Graph, stream: StreamReport | None = None) -> Listening:
        """What this listener is around a network.

        Args:
            graph: the network.
            stream: what is known of a streamed one.
        Raises:
            ExportError: the two do not go together; says what does not.
        """
        made, target = self._around(graph, stream), graph.tensors[graph.outputs[0]]
        return replace(made, detector=replace(self.detector, scale=target.scale, zero_point=target.zero_point))

    def _around(self, graph: Graph, stream: StreamReport | None = None) -> Listening:
        """With the detector as it was given, whose thresholds are not checked against the network's output."""
        source = input_of(graph, self.features)
        check_output(graph, self.detector)
        frames = source.size_bytes // self.features.width
        hop = self._hop_frames(graph, frames)
        settle = 0 if stream is None else stream.warmup_calls - 1
        settle = counted(self.settle, "settle", 0, UINT16_MAX) if self.settle is not None else settle
        verifier = None if self.verifier is None else self.verifier.beside(self.features, self.detector)
        return Listening(self.features, self.detector, frames, hop, settle, source.scale, source.zero_point, verifier)

    def surroundings(self, graph: Graph) -> Surroundings:
        """What this listener holds around a network, whatever its layers are; thresholds do not matter.

        Args:
            graph: the network, as it runs. Its output may have any scale: while a model is fitted, none is known yet.
        Raises:
            ExportError: the two do not go together; says what does not.
        """
        around = self._around(graph).surroundings()
        return around if self.verifier is None else replace(around, second=self.verifier.second)

    def _hop_frames(self, graph: Graph, frames: int) -> int:
        hop = self.hop_frames
        if graph.variables:
            if hop not in (None, frames):
                raise ExportError(
                    f"hop_frames is {hop}, and the network, which keeps state, takes {frames} new frames at each run; "
                    f"leave hop_frames out, or convert the network for {hop} frames a run"
                )
            return frames
        if hop is None:
            usual = self.features.sample_rate_hz / RUNS_PER_SECOND / self.features.hop_samples
            return min(frames, max(1, round(usual)))
        return counted(hop, "hop_frames", 1, frames)

    def price(
        self,
        model: Any,
        device: str | Device = DEFAULT_DEVICE,
        *,
        optimize: bool | str = True,
        streaming: bool = False,
        frames_per_call: int | None = None,
    ) -> ListenerCost:
        """What listening costs, before anything is exported.

        Args:
            model, device, optimize, streaming: as for `shrinkfit.price`.
            frames_per_call: new frames of a streamed model's call; hop_frames where it is None.
        Returns:
            what a second of sound takes, and what the image holds.
        Raises:
            ShrinkfitError: the model cannot be read, or does not go with this listener.
        """
        part = optimized_for(get_device(device), optimize)
        graph, stream = streamed_graph(model, optimize, streaming, frames_per_call or self.hop_frames)
        listening = self.of(graph, stream)
        layout = listening.layout(plan(graph, scratch_sizes(graph, Choice.of(part))), self._arena_bytes(part))
        return price_listener(listening, layout, graph, part, price_graph(graph, part), self._second)

    def extra(self, model: Model, device: Device, cost: Cost) -> Extra:
        """The files that join the model's own; what write/export.py asks for.

        Args:
            model: as it is written.
            device: that it is written for.
            cost: the network's own.
        Raises:
            ExportError: the model's labels are others than the detector's, or the two do not go together.
        """
        labels = self.detector.labels
        if model.labels != labels:
            raise ExportError(
                f"labels are {list(model.labels)} and the detector's {list(labels)}; expected the same, or none"
            )
        listening = self.of(model.graph, model.stream)
        layout = listening.layout(model.plan, self._arena_bytes(device))
        price = price_listener(listening, layout, model.graph, device, cost, self._second)
        texts = render(listening, layout, model, price.listen_stack_bytes)
        files, runtime = self._second_files(f"{model.name}_verifier", device)
        return Extra(
            files={file: text.encode() for file, text in texts.items()} | files,
            runtime=(*RUNTIME, *feature_sources(self.features), *runtime),
            makefile=makefile(model.name, device, price.stack_bytes),
            details=listening.to_dict() | {"layout": asdict(layout), "cost": asdict(price)},
            lines=price.lines(),
        )

    def _second_files(self, name: str, device: Device) -> tuple[dict[str, bytes], tuple[str, ...]]:
        """The files of the verifier's network, and names of the runtime's that it needs."""
        if self._second is None:
            return {}, ()
        from shrinkfit.write.tflite import write_tflite

        network = modelled(self._second.graph, name, device)
        # The ports' names are the first network's.
        files = {file: text.encode() for file, text in render_network(network).items() if file != "sf_model.h"}
        with suppress(ExportError, UnsupportedLayerError):  # where LiteRT has no such operators
            files[f"{name}.tflite"] = write_tflite(network.graph)
        return files, (*VERIFIER_RUNTIME, *(source for layer in network.layers for source in layer.kernel.sources))

    @property
    def _second(self) -> Second | None:
        return None if self.verifier is None else self.verifier.second

    def _arena_bytes(self, device: Device) -> int:
        """Of the verifier's network."""
        return 0 if self._second is None else self._second.on(device).cost.arena_bytes


@dataclass(frozen=True)
class Layout:
    """Where things lie in a listener's memory, in bytes from its begin; the arena lies first.

    Args:
        scratch: of the features, while they take samples; inside the arena, where what the network keeps ends.
        frame: the newest frame, until it is kept; there too.
        features, frames, detector: what each of them keeps.
        listener_bytes: all of it.
        verifier: where a verifier's parts lie, behind all these; None without one.
    """

    scratch: int
    frame: int
    features: int
    frames: int
    detector: int
    listener_bytes: int
    verifier: VerifierLayout | None = None


@dataclass(frozen=True)
class Listening:
    """A listener around one network.

    Args:
        features: how samples become frames.
        detector: how outputs become detections.
        frames, hop_frames: of a run, and how many of them are new.
        settle: after how many runs the scores begin to count.
        input_scale, input_zero_point: of the network's input.
        verifier: what stands around a second network; None without one.
    """

    features: FeatureConfig
    detector: Detector
    frames: int
    hop_frames: int
    settle: int
    input_scale: float
    input_zero_point: int
    verifier: Verifying | None = None

    @property
    def first_samples(self) -> int:
        """How many samples it takes until the network runs first."""
        return self.features.window_samples + (self.frames - 1) * self.features.hop_samples

    @property
    def settled_samples(self) -> int:
        """How many samples it takes until the first score that counts."""
        return self.first_samples + self.settle * self.step_samples

    @property
    def step_samples(self) -> int:
        """How many samples lie between two runs."""
        return self.hop_frames * self.features.hop_samples

    @property
    def runs_per_second(self) -> float:
        """How often the network runs."""
        return self.features.sample_rate_hz / self.step_samples

    @property
    def frames_state_bytes(self) -> int:
        """Twin of sf_frames_state_bytes."""
        return -(-(FRAMES_HEAD_BYTES + self.frames * self.features.width) // 4) * 4

    def table(self) -> np.ndarray | None:
        """int8 [256], what each feature byte becomes in the network's input, by byte + 128; None where it stays."""
        return input_table(self.features, self.input_scale, self.input_zero_point)

    def surroundings(self) -> Surroundings:
        """What lies around any network of this input and output."""
        frame_bytes = aligned(self.features.scratch_bytes) + self.features.width
        kept = sum(map(aligned, (self.features.state_bytes, self.frames_state_bytes, self.detector.state_bytes)))
        kept += 0 if self.verifier is None else self.verifier.kept_bytes
        return Surroundings(frame_bytes, kept, constant_bytes(self))

    def layout(self, plan: Plan, verifier_arena_bytes: int = 0) -> Layout:
        """The memory of a listener whose network has this arena, and whose verifier's has one of so many bytes."""
        scratch = plan.state_bytes
        frame = scratch + aligned(self.features.scratch_bytes)
        features = self.surroundings().network_bytes(plan.arena_bytes, plan.state_bytes)
        frames = features + aligned(self.features.state_bytes)
        detector = frames + aligned(self.frames_state_bytes)
        end = detector + aligned(self.detector.state_bytes)
        verifier = None if self.verifier is None else self.verifier.layout(end, verifier_arena_bytes)
        return Layout(scratch, frame, features, frames, detector, end if verifier is None else verifier.end, verifier)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` makes the same of them."""
        plain = ("frames", "hop_frames", "settle", "input_scale", "input_zero_point")
        derived = ("first_samples", "step_samples", "runs_per_second")
        return {
            "features": self.features.to_dict(),
            "detector": self.detector.to_dict(),
            **{key: getattr(self, key) for key in (*plain, *derived)},
            "verifier": None if self.verifier is None else self.verifier.to_dict(),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Listening:
        """What `to_dict` wrote down."""
        plain = ("frames", "hop_frames", "settle", "input_scale", "input_zero_point")
        features, detector = FeatureConfig.from_dict(record["features"]), Detector.from_dict(record["detector"])
        verifier = record["verifier"] and Verifying.from_dict(record["verifier"])
        return cls(features, detector, **{key: record[key] for key in plain}, verifier=verifier)
