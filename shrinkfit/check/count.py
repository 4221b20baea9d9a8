# SPDX-License-Identifier: Apache-2.0
"""A running emulator in, how often each block of code follows each other one out.

Most of the time goes into Python's call for each block, so the hook is as short as it can be, and is handed to the
emulator's C library without the binding's own wrappers around it where the binding lets us.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unicorn import Uc

_HOOK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)


# Given the emulator, the block's address, its bytes, and data of the hook's own.
BlockHook = Callable[[object, int, int, object], None]


class BlockCounter:
    """Counts (block before, block) pairs while it is installed; a new segment begins where `start`..`end` is entered.

    A pair is one int, the address before in the upper half: a tuple would double the time of the hook.

    Args:
        uc: the emulator.
        start, end: the range of addresses, `end` not in it.

    Attributes:
        sizes: address -> bytes of the block.
        segments: one dictionary pair -> count per segment.
    """

    def __init__(self, uc: Uc, start: int, end: int) -> None:
        import unicorn

        self.sizes: dict[int, int] = {}
        self.segments: list[dict[int, int]] = []
        self._uc = uc
        # Code that ran before was translated without the hooks, and would run without them again.
        uc.ctl_flush_tb()
        begin_segment, count = self._hooks_of()
        self._hooks = [uc.hook_add(unicorn.UC_HOOK_BLOCK, begin_segment, begin=start, end=end - 1)]
        self._hooks.append(_add_block_hook(uc, count))

    def _hooks_of(self) -> tuple[BlockHook, BlockHook]:
        """As closures: their variables are quicker than attributes."""
        sizes, segments = self.sizes, self.segments
        pairs: dict[int, int] = {}
        before = 0

        def begin_segment(_uc: object, _address: int, _size: int, _data: object) -> None:
            nonlocal pairs
            pairs = {}
            segments.append(pairs)

        def count(_uc: object, address: int, size: int, _data: object) -> None:
            nonlocal before
            pair = before | address
            before = address << 32
            try:
                pairs[pair] += 1
            except KeyError:
                pairs[pair] = 1
                sizes[address] = size

        return begin_segment, count

    def remove(self) -> None:
        """Stop counting; what was counted stays."""
        for hook in self._hooks:
            self._uc.hook_del(hook)


def _add_block_hook(uc: Uc, hook: BlockHook) -> int:
    """Installs a hook on all blocks; its handle."""
    import unicorn

    handle = _direct_hook(uc, hook)
    return uc.hook_add(unicorn.UC_HOOK_BLOCK, hook) if handle is None else handle


def _direct_hook(uc: Uc, hook: BlockHook) -> int | None:
    """The same without the binding's wrappers, which take longer than the hook; None where the binding is another."""
    import unicorn

    try:
        from unicorn.unicorn_py3.unicorn import uclib

        engine, kept_alive = uc._uch, uc._callbacks
    except (ImportError, AttributeError):
        return None
    pointer, handle = _HOOK(hook), ctypes.c_size_t()
    everywhere = (ctypes.c_uint64(1), ctypes.c_uint64(0))
    status = uclib.uc_hook_add(engine, ctypes.byref(handle), unicorn.UC_HOOK_BLOCK, pointer, None, *everywhere)
    if status != unicorn.UC_ERR_OK:
        return None
    kept_alive[handle.value] = pointer
    return handle.value
