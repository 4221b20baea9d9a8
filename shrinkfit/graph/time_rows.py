# SPDX-License-Identifier: Apache-2.0
"""What is known of a graph along time: how its tensors run, and which rows an operator reads in a call."""

from __future__ import annotations

from dataclasses import dataclass, field

from shrinkfit.graph import ir


@dataclass(frozen=True)
class Rows:
    """A tensor with one row after the other along an axis.

    Args:
        axis: the axis that is time.
        length: rows in the model's own window.
        every: frames from one row to the next.
        delay: rows that it is behind; negative: the first rows are padding, and never come.
        reach: frames that a row sees.
        fill: what rows that never come hold; None where all do.
    """

    axis: int
    length: int
    every: int
    delay: int
    reach: int
    fill: int | None = None


@dataclass(frozen=True)
class Whole:
    """A tensor that a call makes once, from all rows of a window.

    Args:
        age: frames since the window's end; negative where the window's last frames are not looked at.
        calls: after a reset until a window is full.
        reach: frames that it sees.
    """

    age: int
    calls: int
    reach: int


@dataclass(frozen=True)
class Need:
    """Rows of a tensor that an operator reads in a call.

    Args:
        past: how many rows before the call's first new one it begins; negative: so many new ones are left out.
        count: how many.
        initial: what rows before the stream hold; None for the tensor's zero_point.
    """

    past: int
    count: int
    initial: int | None = None


@dataclass(frozen=True)
class Step:
    """An operator as a call runs it.

    Args:
        op: with its own names of tensors; a Reshape where only rows are chosen.
        needs: per input the rows that it reads, None for all that a call makes.
        whole: whether it computes whole windows anew in every call.
    """

    op: ir.Op
    needs: tuple[Need | None, ...]
    whole: bool = False


@dataclass(frozen=True)
class Padded:
    """A layer that pads along time.

    Args:
        layer: its name.
        before, after: frames before the window and behind it.
        averaged: it is an average, which is of fewer values where the padding is.
    """

    layer: str
    before: int
    after: int
    averaged: bool = False

    @property
    def causal(self) -> bool:
        """Whether the same numbers come out where a stream begins."""
        return self.after == 0 and not (self.averaged and self.before)


@dataclass
class Timelines:
    """What `timelines` finds.

    Args:
        frames: of the model's window.
        frames_per_call: new ones.
        aligned: whether a window ends with each call's last frame.
        of: tensor -> Rows or Whole; constants are left out.
        steps: one per operator.
        padded: layers that pad along time.
        warms_up: whether padding is read where the stream has rows from before its beginning.
    """

    frames: int
    frames_per_call: int
    aligned: bool
    of: dict[str, Rows | Whole] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    padded: list[Padded] = field(default_factory=list)
    warms_up: bool = False

    @property
    def lead(self) -> int:
        """Frames of the first call that count as before the stream, so that windows end where calls do."""
        return -self.frames % self.frames_per_call if self.aligned else 0

    @property
    def calls(self) -> int:
        """That fill a window."""
        return -(-self.frames // self.frames_per_call)

    def rows(self, name: str) -> Rows:
        """Of a tensor that runs along time."""
        time = self.of[name]
        assert isinstance(time, Rows), f"'{name}' is made once, from a whole window"
        return time

    def new_rows(self, rows: Rows) -> int:
        """That a call makes."""
        return self.frames_per_call // rows.every
