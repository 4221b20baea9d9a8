# SPDX-License-Identifier: Apache-2.0
"""Steps of long work: the rooms say what they are doing, and whoever asked to hear it shows it. Usually nobody does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
# What is being done; how much of it is done; how much there is, None where that is not known.
Hearer = Callable[[str, int, int | None], None]

_hearer: ContextVar[Hearer | None] = ContextVar("shrinkfit_progress", default=None)


@contextmanager
def heard_by(hearer: Hearer) -> Iterator[None]:
    """Have every step in this block told to a function."""
    token = _hearer.set(hearer)
    try:
        yield
    finally:
        _hearer.reset(token)


def step(what: str) -> None:
    """Say what begins now, such as "compiling 'firmware'"."""
    hearer = _hearer.get()
    if hearer is not None:
        hearer(what, 0, None)


def steps(items: Collection[Item], what: str) -> Iterator[Item]:
    """The items one by one, saying which of them has its turn."""
    hearer = _hearer.get()
    for done, item in enumerate(items):
        if hearer is not None:
            hearer(what, done, len(items))
        yield item
