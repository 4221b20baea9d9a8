# SPDX-License-Identifier: Apache-2.0
"""What a streamed graph computes, in numbers and in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from shrinkfit.graph import ir
from shrinkfit.graph.time_rows import Padded, Timelines, Whole

WINDOW, SEQUENCE, WARM, APPROXIMATE = "window", "sequence", "sequence, warmed up", "approximate"
_EQUALS = {
    WINDOW: "every output equals the model's for the last {frames} frames, from call {calls} after a reset on",
    SEQUENCE: "every output equals the model's for all frames since the reset; whole windows from call {calls} on",
    WARM: "every output equals the model's for all frames since the reset, from call {calls} on",
    APPROXIMATE: "outputs differ from the model's: it pads behind the window where the stream has real frames",
}
_MEASURED = (
    "  measured on {windows} windows of the inputs given: {equal_percent:.1f} % of the outputs are equal, "
    "{mean_steps:.2f} steps apart in the mean and {largest_steps:.0f} at most; the largest output is the same one in "
    "{same_largest_percent:.1f} %"
)


@dataclass(frozen=True)
class StreamReport:
    """What a streamed graph computes.

    Args:
        frames_per_call: new frames that a call takes.
        window_frames: frames of the model's own window.
        equals: "window", "sequence" (all since the reset), "sequence, warmed up", or "approximate".
        warmup_calls: after a reset, until all outputs are of real frames.
        delay_frames: per output, frames between the newest one and the window's end, or the newest row; negative where
            the window's last frames are not looked at.
        padded: layers that pad along time.
        whole: layers that compute whole windows anew in every call.
        state_bytes: of all variables.
        macs_per_call, macs_per_window: of the streamed graph, and of the model.
        difference: measured against the model on example inputs; empty where it was not.
    """

    frames_per_call: int
    window_frames: int
    equals: str
    warmup_calls: int
    delay_frames: dict[str, int]
    padded: tuple[Padded, ...]
    whole: tuple[str, ...]
    state_bytes: int
    macs_per_call: int
    macs_per_window: int
    difference: dict[str, float] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether its outputs equal the model's, in the sense of `meaning`."""
        return self.equals != APPROXIMATE

    def as_dict(self) -> dict[str, Any]:
        """All of it in plain numbers and text, for JSON."""
        return asdict(self) | {"exact": self.exact, "meaning": self.meaning, "advice": self.advice}

    @property
    def meaning(self) -> str:
        """One sentence: what the outputs equal."""
        return _EQUALS[self.equals].format(frames=self.window_frames, calls=self.warmup_calls)

    @property
    def advice(self) -> str:
        """What to change in the model; empty where nothing is to be gained."""
        names = [one.layer for one in self.padded if not one.causal]
        if not names:
            return ""
        shown = ", ".join(f"'{name}'" for name in names[:3]) + (", ..." if len(names) > 3 else "")
        return (
            f"train with padding 'valid' or 'causal' along time (for a Conv2D: ZeroPadding2D(((k - 1, 0), ...)) and "
            f"'valid') in {shown}, and the stream computes what was trained"
        )

    def __str__(self) -> str:
        share = 100 * self.macs_per_call / max(self.macs_per_window, 1)
        lines = [
            f"streaming: {self.frames_per_call} new frames a call, of a window of {self.window_frames}; "
            f"{self.macs_per_call:,} MACs a call, {share:.1f} % of a whole window's; "
            f"{self.state_bytes:,} bytes of state",
            f"  {self.meaning}",
        ]
        lines += [
            f"  layer '{one.layer}' pads {one.before} frames before and {one.after} behind the window"
            for one in self.padded
            if not one.causal
        ]
        if self.difference:
            lines.append(_MEASURED.format(**self.difference))
        if self.whole:
            shown = ", ".join(f"'{name}'" for name in self.whole[:3]) + (", ..." if len(self.whole) > 3 else "")
            lines.append(f"  the whole window is computed anew in every call by {shown} and what follows")
        late = max(self.delay_frames.values(), default=0)
        lines += [f"  outputs are {late} frame{'s' * (late > 1)} late"] if late > 0 else []
        return "\n".join([*lines, *([f"  {self.advice}"] if self.advice else [])])


def report_of(graph: ir.Graph, streamed: ir.Graph, found: Timelines, sums: frozenset[str]) -> StreamReport:
    """The report of a conversion.

    Args:
        graph: as it came.
        streamed: for a call.
        found: what is known of time in it.
        sums: operators that keep sums in place of a window's rows.
    """
    calls, delays = 1, {}
    for name in graph.outputs:
        calls_of_one, delays[name] = _start(found, name)
        calls = max(calls, calls_of_one)
    return StreamReport(
        frames_per_call=found.frames_per_call,
        window_frames=found.frames,
        equals=_equals(found),
        warmup_calls=calls,
        delay_frames=delays,
        padded=tuple(found.padded),
        whole=tuple(step.op.name for step in found.steps if step.whole and step.op.name not in sums),
        state_bytes=sum(variable.tensor.size_bytes for variable in streamed.variables.values()),
        macs_per_call=streamed.macs,
        macs_per_window=graph.macs,
    )


def _equals(found: Timelines) -> str:
    if not found.padded:
        return WINDOW
    if not all(one.causal for one in found.padded):
        return APPROXIMATE
    return WARM if found.warms_up else SEQUENCE


def _start(found: Timelines, name: str) -> tuple[int, int]:
    """(calls until an output is of real frames, frames that it is late)."""
    time = found.of.get(name)
    if time is None:
        return 1, 0
    if isinstance(time, Whole):
        calls, delay = time.calls, time.age
    else:
        delay = time.every * (time.delay + time.length) - found.lead - found.frames
        calls = -(-time.delay // found.new_rows(time)) + 1
    if found.warms_up:
        calls += -(-time.reach // found.frames_per_call)
    return calls, delay
