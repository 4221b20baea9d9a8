# SPDX-License-Identifier: Apache-2.0
"""A listener around a model and a device come in; its RAM, flash, stack, cycles and energy leave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from shrinkfit.audio.features import FeatureConfig
from shrinkfit.audio.features_c import table_bytes
from shrinkfit.audio.tables import tables
from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.price.cost import Cost, energy_uj, with_listener
from shrinkfit.price.cycles_listening import Hearing, second_of_sound
from shrinkfit.price.kernel import word
from shrinkfit.price.linked import model_code_bytes
from shrinkfit.price.listening import listening_image
from shrinkfit.price.second import Second

if TYPE_CHECKING:
    from shrinkfit.audio.listener import Layout, Listening
    from shrinkfit.audio.verifier import Verifying

# sizeof sf_frames and sf_detector on a 32-bit core; a label is an address and a string.
FRAMES_STRUCT_BYTES, DETECTOR_STRUCT_BYTES, LABEL_BYTES, TABLE_BYTES = 12, 28, 4, 256
VERIFIER_STRUCT_BYTES = 20
# sf_verify_keep of a sample, on an emulated core; nearly all of it is memcpy's.
KEEP_CYCLES = 4.9
# sf_detect_with of a hotword whose score is of both networks, likewise.
MIX_CYCLES = 13_100
# Below that the FFT of 512 has no loops of its own (sf_spectrum_dsp.c).
SHORT_WINDOW = 384


@dataclass(frozen=True)
class VerifierCost:
    """What it takes to verify one hotword.

    Args:
        cycles: features and network, by the cycle model; None where a kernel was not measured.
        seconds: at the device's clock; energy_uj: by its supply current. None where it is not known.
        samples_meanwhile: that the microphone gives in the time, for which the application's buffer has to have room.
        flash_bytes: constants and code of the network; arena_bytes: of its RAM.
        sound_bytes: of RAM for the sound that it hears.
    """

    cycles: int | None
    seconds: float | None
    energy_uj: float | None
    samples_meanwhile: int | None
    flash_bytes: int
    arena_bytes: int
    sound_bytes: int

    def lines(self) -> tuple[str, ...]:
        """For the printed report."""
        lines = ["verifying a hotword, which only happens where the detector thinks of one:"]
        if self.cycles is not None:
            took = "" if self.seconds is None else f", {self.seconds:.3g} s"
            took += "" if self.energy_uj is None else f", {self.energy_uj:,.0f} µJ"
            lines.append(f"  {self.cycles:>12,} cycles{took}")
        if self.samples_meanwhile is not None:
            room = 2 * self.samples_meanwhile
            lines.append(f"  {room:>12,} bytes of sound arrive meanwhile: the microphone's buffer has to hold them")
        memory = f"{self.arena_bytes:,} bytes of RAM for its network, {self.sound_bytes:,} for the sound"
        return (*lines, f"  {self.flash_bytes:>12,} bytes of flash, {memory}: in the figures above")


@dataclass(frozen=True)
class ListenerCost:
    """What listening costs on one device: the firmware image that takes samples.

    Args:
        device: its name.
        listener_bytes: the listener's memory: arena, what is kept of the sound, buffers.
        stack_bytes: what the image sets aside; listen_stack_bytes: what a call of NAME_listen takes at most.
        ram_bytes: the listener's memory, the stack, and the image's static data with the buffer of samples.
        flash_bytes: the whole image.
        table_bytes: constants of the features and the detector, and labels.
        runs_per_second: of the network.
        cycles_per_second: of a second of sound, by the cycle model, in which nothing is verified; None where a kernel
            was not measured.
        parts: the same by part: features, network, detector, and the rest, which keeps frames.
        load: share of the device's clock; None where one of the two is not known.
        energy_uj_per_second: while the core runs, by the device's supply current; None where it is not known.
        energy_source: where the current was read.
        verifier: what verifying a hotword takes on top; None without a verifier.
    """

    device: str
    listener_bytes: int
    stack_bytes: int
    listen_stack_bytes: int
    ram_bytes: int
    flash_bytes: int
    table_bytes: int
    runs_per_second: float
    cycles_per_second: int | None
    parts: dict[str, int | None]
    load: float | None
    energy_uj_per_second: float | None
    energy_source: str
    verifier: VerifierCost | None = None

    @property
    def microphone_bytes(self) -> int:
        """Of RAM that the application needs on top for sound that arrives while a hotword is verified."""
        return 0 if self.verifier is None else 2 * (self.verifier.samples_meanwhile or 0)

    def lines(self) -> tuple[str, ...]:
        """For the printed report."""
        lines = ["listening, with features and detector:"]
        lines += [f"  {self.ram_bytes:>12,} bytes of RAM: {self.listener_bytes:,} of the listener and its buffers"]
        lines += [f"  {self.flash_bytes:>12,} bytes of flash"]
        if self.cycles_per_second is not None:
            parts = ", ".join(f"{name} {cycles:,}" for name, cycles in self.parts.items())
            lines.append(f"  {self.cycles_per_second:>12,} cycles a second of sound: {parts}")
        if self.load is not None:
            lines.append(f"  {100 * self.load:>12.1f} % of the clock, {self.runs_per_second:.4g} runs a second")
        if self.energy_uj_per_second is not None:
            energy = f"{self.energy_uj_per_second:>12,.1f} µJ a second of sound, without sleep"
            lines.append(f"  {energy} ({self.energy_source})")
        return (*lines, *(() if self.verifier is None else self.verifier.lines()))


def price_listener(
    listening: Listening, layout: Layout, graph: Graph, device: Device, cost: Cost, second: Second | None = None
) -> ListenerCost:
    """Price a listener.

    Args:
        listening, layout: the listener around the network.
        graph: the network.
        device: what it runs on.
        cost: the network's own.
        second: the verifier's network; None without one.
    """
    around = replace(listening.surroundings(), second=second)
    whole = with_listener(cost, graph, device, around, layout.scratch)
    parts = _cycles(listening, device, cost)
    known = [cycles for cycles in parts.values() if cycles is not None]
    cycles = sum(known) if len(known) == len(parts) else None
    return ListenerCost(
        device=device.name,
        listener_bytes=layout.listener_bytes,
        stack_bytes=whole.stack_bytes,
        listen_stack_bytes=listening_image(graph, device, second).listen_stack_bytes,
        ram_bytes=whole.ram_bytes,
        flash_bytes=whole.flash_bytes,
        table_bytes=around.table_bytes,
        runs_per_second=listening.runs_per_second,
        cycles_per_second=cycles,
        parts=parts,
        load=None if cycles is None or device.clock_hz is None else cycles / device.clock_hz,
        energy_uj_per_second=energy_uj(cycles, device),
        energy_source=energy_source(device),
        verifier=None if second is None else _verifier_cost(listening, device, second),
    )


def _verifier_cost(listening: Listening, device: Device, second: Second) -> VerifierCost:
    verifier, cost = listening.verifier, second.on(device).cost
    assert verifier is not None
    hearing = hearing_of(verifier.features, verifier.frames, verifier.table() is not None, 0)
    heard = second_of_sound(hearing, device, verifier.frames, 0).features
    mixing = MIX_CYCLES * len(verifier.detector.hotwords) if verifier.share else 0
    cycles = None if cost.cycles is None or heard is None else cost.cycles + heard + mixing
    seconds = None if cycles is None or device.clock_hz is None else cycles / device.clock_hz
    return VerifierCost(
        cycles=cycles,
        seconds=seconds,
        energy_uj=energy_uj(cycles, device),
        samples_meanwhile=None if seconds is None else ceil(seconds * listening.features.sample_rate_hz),
        flash_bytes=cost.weight_bytes + model_code_bytes(second.graph, device),
        arena_bytes=cost.arena_bytes,
        sound_bytes=verifier.state_bytes,
    )


def _cycles(listening: Listening, device: Device, cost: Cost) -> dict[str, int | None]:
    """Part -> cycles of a second of sound."""
    config = listening.features
    hotwords, has_table = len(listening.detector.hotwords), listening.table() is not None
    hearing = hearing_of(config, listening.frames, has_table, hotwords)
    frames_per_second = config.sample_rate_hz / config.hop_samples
    second = second_of_sound(hearing, device, frames_per_second, listening.runs_per_second)
    network = None if cost.cycles is None else round(cost.cycles * listening.runs_per_second)
    rest = second.frames
    if rest is not None and listening.verifier is not None:
        rest += round(KEEP_CYCLES * config.sample_rate_hz)
    return {"features": second.features, "network": network, "detector": second.detector, "rest": rest}


def hearing_of(config: FeatureConfig, frames: int, has_table: bool, hotwords: int) -> Hearing:
    """What the cycles around a network depend on."""
    return Hearing(
        window_samples=config.window_samples,
        hop_samples=config.hop_samples,
        kind=_kind(config),
        moved_samples=max(0, config.window_samples - config.hop_samples) / (2 if config.spare_samples else 1),
        bands=config.bands,
        bins=tables(config).weights.size,
        coefficients=config.width if config.kind == "mfcc" else 0,
        tracks_noise=config.tracks_noise,
        width=config.width,
        frames=frames,
        has_table=has_table,
        hotwords=hotwords,
    )


def _kind(config: FeatureConfig) -> str:
    """As sf_power_spectrum_s16_dsp tells them apart."""
    if config.fine:
        return f"{config.fft_size}_fine"
    is_short = config.fft_size == 512 and config.window_samples < SHORT_WINDOW
    return f"{config.fft_size}{'_short' if is_short else ''}"


def energy_source(device: Device) -> str:
    """Where the current was read, in words."""
    if device.active_ua_per_mhz is None:
        return f"the supply current of {device.name} is not known"
    source = device.sources.get("active_ua_per_mhz", "the device's own figure")
    return f"{device.active_ua_per_mhz:g} µA/MHz: {source}"


def constant_bytes(listening: Listening) -> int:
    """Tables and structs of features, detector and frames, and the labels' strings."""
    hotwords = len(listening.detector.hotwords)
    detector = DETECTOR_STRUCT_BYTES + word(2 * hotwords) + 4 * hotwords
    frames = FRAMES_STRUCT_BYTES + (0 if listening.table() is None else TABLE_BYTES)
    labels = sum(LABEL_BYTES + len(label.encode()) + 1 for label in listening.detector.labels)
    return table_bytes(listening.features) + detector + frames + word(labels) + _verifier_constants(listening.verifier)


def _verifier_constants(verifier: Verifying | None) -> int:
    if verifier is None:
        return 0
    hotwords = len(verifier.detector.hotwords)
    detector = DETECTOR_STRUCT_BYTES + word(2 * hotwords) + 4 * hotwords
    table = 0 if verifier.table() is None else TABLE_BYTES
    return table_bytes(verifier.features) + detector + VERIFIER_STRUCT_BYTES + table
