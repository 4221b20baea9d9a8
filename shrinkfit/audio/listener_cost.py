# SPDX-License-Identifier: Apache-2.0
"""A listener around a model and a device come in; its RAM, flash, stack, cycles and energy leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shrinkfit.audio.features import FeatureConfig
from shrinkfit.audio.features_c import table_bytes
from shrinkfit.audio.tables import tables
from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.price.cost import Cost, energy_uj, with_listener
from shrinkfit.price.cycles_listening import Hearing, second_of_sound
from shrinkfit.price.kernel import word
from shrinkfit.price.listening import listening_image

if TYPE_CHECKING:
    from shrinkfit.audio.listener import Layout, Listening

# sizeof sf_frames and sf_detector on a 32-bit core; a label is an address and a string.
FRAMES_STRUCT_BYTES, DETECTOR_STRUCT_BYTES, LABEL_BYTES, TABLE_BYTES = 12, 28, 4, 256
# Below that the FFT of 512 has no loops of its own (sf_spectrum_dsp.c).
SHORT_WINDOW = 384


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
        cycles_per_second: of a second of sound, by the cycle model; None where a kernel was not measured.
        parts: the same by part: features, network, detector, and the rest, which keeps frames.
        load: share of the device's clock; None where one of the two is not known.
        energy_uj_per_second: while the core runs, by the device's supply current; None where it is not known.
        energy_source: where the current was read.
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
        return tuple(lines)


def price_listener(listening: Listening, layout: Layout, graph: Graph, device: Device, cost: Cost) -> ListenerCost:
    """Price a listener.

    Args:
        listening, layout: the listener around the network.
        graph: the network.
        device: what it runs on.
        cost: the network's own.
    """
    around = listening.surroundings()
    whole = with_listener(cost, graph, device, around, layout.scratch)
    parts = _cycles(listening, device, cost)
    known = [cycles for cycles in parts.values() if cycles is not None]
    cycles = sum(known) if len(known) == len(parts) else None
    return ListenerCost(
        device=device.name,
        listener_bytes=layout.listener_bytes,
        stack_bytes=whole.stack_bytes,
        listen_stack_bytes=listening_image(graph, device).listen_stack_bytes,
        ram_bytes=whole.ram_bytes,
        flash_bytes=whole.flash_bytes,
        table_bytes=around.table_bytes,
        runs_per_second=listening.runs_per_second,
        cycles_per_second=cycles,
        parts=parts,
        load=None if cycles is None or device.clock_hz is None else cycles / device.clock_hz,
        energy_uj_per_second=energy_uj(cycles, device),
        energy_source=energy_source(device),
    )


def _cycles(listening: Listening, device: Device, cost: Cost) -> dict[str, int | None]:
    """Part -> cycles of a second of sound."""
    config = listening.features
    hotwords, has_table = len(listening.detector.hotwords), listening.table() is not None
    hearing = hearing_of(config, listening.frames, has_table, hotwords)
    frames_per_second = config.sample_rate_hz / config.hop_samples
    second = second_of_sound(hearing, device, frames_per_second, listening.runs_per_second)
    network = None if cost.cycles is None else round(cost.cycles * listening.runs_per_second)
    return {"features": second.features, "network": network, "detector": second.detector, "rest": second.frames}


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
    return table_bytes(listening.features) + detector + frames + word(labels)
