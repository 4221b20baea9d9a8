# SPDX-License-Identifier: Apache-2.0
"""Linked image and inputs -> outputs, stack, and exact instruction counts from an emulated core (unicorn).

The image's own start-up code runs up to main; then the model's run function is called once per input. Counting
hooks blocks only (unicorn 2.1.4 breaks correct images when memory hooks are set): it counts how often each block
follows each other one, and prices every such pair once afterwards.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from shrinkfit._progress import steps
from shrinkfit.check.build import Symbol, Target, linked_sizes
from shrinkfit.check.count import BlockCounter
from shrinkfit.check.cycles import TAKEN_BRANCH_CYCLES, edge_cycles, price_block
from shrinkfit.errors import CheckError

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

Result = TypeVar("Result")

RUN_SECONDS = 120
PAINT = b"\xc5"
_PAGE = 4096
# The core's own registers (CPACR and its siblings): plain memory is enough for start-up code.
_SYSTEM_SPACE, _SYSTEM_BYTES = 0xE0000000, 0x100000


@dataclass(frozen=True)
class Cost:
    """Instructions and modelled Cortex-M4 cycles of one function, or of one call with all that it calls."""

    name: str
    instructions: int
    cycles: int


@dataclass(frozen=True)
class Profile:
    """What one inference costs.

    Args:
        instructions: executed, exact.
        cycles: by the timings of a Cortex-M4, without flash wait states.
        functions: each function's own cost, without its callees, the dearest first.
        calls: what the run function calls, in order, callees included: the layers. The run function's own
            instructions before a call count to that call.
    """

    instructions: int
    cycles: int
    functions: tuple[Cost, ...] = field(repr=False)
    calls: tuple[Cost, ...] = field(repr=False)


@dataclass(frozen=True)
class Api:
    """The C functions of a model.

    Args:
        run: runs it.
        inputs, outputs: (function, bytes), in the order in which a row of bytes holds them.
        reset: puts the state back; empty for models without.
    """

    run: str
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]
    reset: str = ""


@dataclass(frozen=True)
class Emulation:
    """Outputs int8 [n, bytes], the run function's deepest stack in bytes, profiles of the inputs counted."""

    outputs: np.ndarray
    stack_bytes: int
    profiles: tuple[Profile, ...]


def run_unicorn(elf: Path, inputs: np.ndarray, api: Api, target: Target, *, count: int = 0) -> Emulation:
    """Run a linked image's model on an emulated core, one run after the other, with state kept between them.

    Args:
        elf: the image that build_firmware linked.
        inputs: one byte type [n, bytes of all inputs of a run].
        api: the model's functions.
        target: what the image was built for.
        count: how many of the inputs, from the first, to profile.

    Raises:
        CheckError: the image faults, does not end, or its run function returns an error.
    """
    machine = Machine(elf, target)
    arena = machine.address_of("sf_arena")
    if api.reset:
        machine.call(api.reset, arena)
    outputs, profiles, deepest = [], [], 0
    for index, one in enumerate(steps(inputs, f"running on an emulated {target.core}")):
        _write_inputs(machine, api, arena, one.tobytes())
        if index < count:
            status, profile = machine.profile(api.run, arena)
            profiles.append(profile)
        else:
            status = machine.call(api.run, arena)
        if status != 0:
            raise CheckError(f"{api.run} returned status {status} for input {index}; expected 0")
        deepest = max(deepest, machine.stack_used())
        outputs += [machine.read(machine.call(function, arena), size) for function, size in api.outputs]
    flat = np.frombuffer(b"".join(outputs), np.int8).reshape(len(inputs), sum(size for _, size in api.outputs))
    return Emulation(flat, deepest, tuple(profiles))


def _write_inputs(machine: Machine, api: Api, arena: int, row: bytes) -> None:
    for function, size in api.inputs:
        machine.write(machine.call(function, arena), row[:size])
        row = row[size:]


class Machine:
    """An image in an emulated microcontroller, started up to main."""

    def __init__(self, elf: Path, target: Target) -> None:
        import unicorn

        symbols = linked_sizes(elf).symbols
        self._functions = _Functions(symbols)
        self._addresses = {s.name: s.address for s in symbols}
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(_cpu_model(target.core))
        self._map(target)
        self._load(elf)
        self._start()

    def _map(self, target: Target) -> None:
        """Memory as large as the part's, so that an image that leaves it faults."""
        import unicorn

        self._flash = target.flash_origin
        self._uc.mem_map(_SYSTEM_SPACE, _SYSTEM_BYTES)
        self._uc.mem_map(self._flash, _pages(target.flash_bytes), unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._uc.mem_map(target.ram_origin, _pages(target.ram_bytes))

    def _load(self, elf: Path) -> None:
        from elftools.elf.elffile import ELFFile

        with Path(elf).open("rb") as stream:
            image = ELFFile(stream)
            self._stack_start = _stack_start(image)
            for segment in image.iter_segments():
                if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                    self.write(segment["p_paddr"], segment.data())

    def _start(self) -> None:
        from unicorn.arm_const import UC_ARM_REG_SP

        stack, reset = np.frombuffer(self.read(self._flash, 8), "<u4").tolist()
        self._uc.reg_write(UC_ARM_REG_SP, stack)
        self._home = self.address_of("main")
        self._go(reset & ~1, "Reset_Handler")
        self._sp = self._uc.reg_read(UC_ARM_REG_SP)

    def address_of(self, symbol: str) -> int:
        """Where a function or an object of the image lies.

        Raises:
            CheckError: the image has none of that name.
        """
        if symbol not in self._addresses:
            raise CheckError(f"the linked image has no symbol '{symbol}'; export the model again")
        return self._addresses[symbol]

    def read(self, address: int, count: int) -> bytes:
        """So many bytes of its memory."""
        return bytes(self._uc.mem_read(address, count))

    def write(self, address: int, data: bytes) -> None:
        """Put bytes into its memory."""
        self._uc.mem_write(address, data)

    def call(self, function: str, *arguments: int) -> int:
        """What the function returns in r0, given up to four words; the stack below main's is painted before."""
        from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_R0, UC_ARM_REG_SP

        self.write(self._stack_start, PAINT * (self._sp - self._stack_start))
        self._uc.reg_write(UC_ARM_REG_SP, self._sp)
        self._uc.reg_write(UC_ARM_REG_LR, self._home | 1)
        for index, argument in enumerate(arguments):
            self._uc.reg_write(UC_ARM_REG_R0 + index, argument)
        self._go(self.address_of(function), function)
        return self._uc.reg_read(UC_ARM_REG_R0)

    def stack_used(self) -> int:
        """Bytes below main's stack pointer, down to the deepest that is no longer painted."""
        return len(self.read(self._stack_start, self._sp - self._stack_start).lstrip(PAINT))

    def profile(self, function: str, argument: int) -> tuple[int, Profile]:
        """What a function returns for one argument, and what the call costs."""
        return self.counted(function, lambda: self.call(function, argument))

    def counted(self, function: str, work: Callable[[], Result]) -> tuple[Result, Profile]:
        """What `work` returns, and what its calls of the function cost; it calls no other."""
        start, end = self._functions.bounds(function)
        counter = BlockCounter(self._uc, start, end)
        try:
            result = work()
        finally:
            counter.remove()
        return result, _profile(counter, self._functions, (start, end), self.read)

    def _go(self, start: int, function: str) -> None:
        """Run from `start` until main is reached, which is where every call returns to."""
        from unicorn import UcError
        from unicorn.arm_const import UC_ARM_REG_PC

        try:
            self._uc.emu_start(start | 1, self._home, timeout=RUN_SECONDS * 1_000_000)
        except UcError as error:
            raise CheckError(f"{function} faults on the emulated core at {self._place()}: {error}") from error
        if self._uc.reg_read(UC_ARM_REG_PC) & ~1 != self._home:
            raise CheckError(f"{function} had not ended after {RUN_SECONDS} s; it was at {self._place()}")

    def _place(self) -> str:
        from unicorn.arm_const import UC_ARM_REG_PC

        address = self._uc.reg_read(UC_ARM_REG_PC) & ~1
        return f"{address:#x} in {self._functions.at(address)}"


def _pages(size_bytes: int) -> int:
    return -(-size_bytes // _PAGE) * _PAGE


def _cpu_model(core: str) -> int:
    from unicorn import arm_const

    # Unicorn has no M0+; the M0 executes the same instructions.
    model = "CORTEX_M0" if core == "cortex-m0plus" else core.upper().replace("-", "_")
    number = getattr(arm_const, f"UC_CPU_ARM_{model}", None)
    if number is None:
        raise CheckError(f"the emulator has no core '{core}'; use on='host', or a device with another core")
    return number


def _stack_start(image: ELFFile) -> int:
    section = image.get_section_by_name(".stack")
    if section is None:
        raise CheckError("the linked image has no .stack section; link it with ports/cortex_m4/link.ld")
    return section["sh_addr"]


class _Functions:
    """Which function an address belongs to."""

    def __init__(self, symbols: tuple[Symbol, ...]) -> None:
        self._code = [s for s in symbols if s.section == ".text" and s.size_bytes > 0]
        self._starts = [s.address for s in self._code]

    def at(self, address: int) -> str:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._code[index].address + self._code[index].size_bytes:
            return f"code without a name at {address:#x}"
        return self._code[index].name

    def bounds(self, name: str) -> tuple[int, int]:
        found = [s for s in self._code if s.name == name]
        if not found:
            raise CheckError(f"the linked image has no function '{name}'; export the model again")
        return found[0].address, found[0].address + found[0].size_bytes


def _profile(
    counter: BlockCounter, functions: _Functions, bounds: tuple[int, int], read: Callable[[int, int], bytes]
) -> Profile:
    blocks = {a: price_block(read(a, size), a) for a, size in counter.sizes.items()}
    run_name = functions.at(bounds[0])
    own: dict[str, list[int]] = {run_name: [0, 0]}
    calls: list[tuple[str, list[int]]] = []
    pending = [0, 0]
    for segment in counter.segments:
        callee = None
        for pair, times in segment.items():
            block = blocks[pair & 0xFFFFFFFF]
            name = functions.at(block.start)
            cost = (block.instructions * times, edge_cycles(blocks.get(pair >> 32), block) * times)
            _add(own.setdefault(name, [0, 0]), cost)
            _add(pending, cost)
            callee = callee or (name if name != run_name else None)
        if callee is not None:
            calls.append((callee, pending))
            pending = [0, 0]
    # The return to the caller is a branch as well, and no block comes after it.
    _add(pending, (0, TAKEN_BRANCH_CYCLES))
    _add(own[run_name], (0, TAKEN_BRANCH_CYCLES))
    _add(calls[-1][1] if calls else pending, pending if calls else (0, 0))
    functions_cost = sorted((Cost(name, *cost) for name, cost in own.items()), key=lambda c: -c.cycles)
    instructions, cycles = (sum(cost[i] for cost in own.values()) for i in (0, 1))
    return Profile(instructions, cycles, tuple(functions_cost), tuple(Cost(name, *cost) for name, cost in calls))


def _add(total: list[int], cost: Sequence[int]) -> None:
    total[0] += cost[0]
    total[1] += cost[1]
