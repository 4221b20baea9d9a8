# SPDX-License-Identifier: Apache-2.0
"""Blocks of Thumb code -> instructions and Cortex-M4 cycles, with zero flash wait states.

Timings: Cortex-M4 Technical Reference Manual r0p1, 3.3.1 (processor instructions, load/store timings) and
7.2.3 (floating point), with a taken branch at 1 + 2 cycles. A block is what runs without a branch in between;
what depends on the block before (a branch taken, loads in a row, a folded IT) is priced on the edge between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from shrinkfit.errors import CheckError

if TYPE_CHECKING:
    from capstone import Cs, CsInsn

TAKEN_BRANCH_CYCLES = 2  # refill of the pipeline: 1 to 3 on the core, by alignment and prefetch
DIVIDE_CYCLES = 7  # SDIV, UDIV: 2 to 12, ends early
FLOAT_DIVIDE_CYCLES = 14
FLOAT_MULTIPLY_ADD_CYCLES = 3


@dataclass(frozen=True)
class Instruction:
    """One instruction as the pricing sees it.

    Args:
        cycles: when it is executed on its own; a branch as if not taken.
        loaded: registers that a pipelined load writes, empty for everything else.
        address: registers that a pipelined load takes its address from.
        is_load, is_it: what the rules for neighbours ask.
        is_narrow: 16 bits long.
        jumps: writes the program counter.
        is_conditional: may be skipped.
    """

    cycles: int
    loaded: frozenset[int] = frozenset()
    address: frozenset[int] = frozenset()
    is_load: bool = False
    is_it: bool = False
    is_narrow: bool = False
    jumps: bool = False
    is_conditional: bool = False


@dataclass(frozen=True)
class Block:
    """Priced code from `start` up to `end`; cycles as if nothing came before and its last branch were not taken."""

    start: int
    end: int
    instructions: int
    cycles: int
    first: Instruction
    last: Instruction


def price_block(code: bytes, start: int) -> Block:
    """Price code that runs from its first to its last instruction.

    Args:
        code: Thumb instructions.
        start: address of the first.

    Raises:
        CheckError: bytes that are no instruction.
    """
    found = list(decoder().disasm(code, start))
    if not found or found[-1].address + found[-1].size != start + len(code):
        bad = found[-1].address + found[-1].size if found else start
        raise CheckError(f"the code at {bad:#x} is no Thumb instruction that capstone knows, so it has no price")
    row = [_read(instruction) for instruction in found]
    cycles = sum(one.cycles for one in row) - sum(_saved(a, b) for a, b in pairwise(row))
    return Block(start, start + len(code), len(row), cycles, row[0], row[-1])


def edge_cycles(before: Block | None, after: Block) -> int:
    """Cycles of `after`, coming from `before` (None: from outside)."""
    if before is None:
        return after.cycles
    last = before.last
    if last.jumps and (after.start != before.end or not last.is_conditional):
        return after.cycles + TAKEN_BRANCH_CYCLES
    skipped = last.cycles - 1 if last.jumps else 0
    return after.cycles - skipped - _saved(last, after.first)


def _saved(before: Instruction, after: Instruction) -> int:
    """Cycles that an instruction saves by what came just before it."""
    if after.is_it:
        return int(before.is_narrow)
    return int(before.is_load and after.is_load and not before.loaded & after.address)


@cache
def decoder() -> Cs:
    """Capstone for Thumb code of cores up to the M33, with operands."""
    import capstone

    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8)
    decoder.detail = True
    return decoder


@cache
def _kinds() -> dict[int, str]:
    """Capstone's instruction number -> the rule that prices it; all others cost one cycle."""
    from capstone import arm

    rules = {
        "load": "LDR LDRB LDRH LDRSB LDRSH LDRT LDRBT LDRHT LDRSBT LDRSHT LDREX LDREXB LDREXH LDA LDAB LDAH",
        "pair": "LDRD STRD",
        "many": "LDM LDMDB LDMDA LDMIB POP PUSH STM STMDB STMDA STMIB VLDMIA VLDMDB VSTMIA VSTMDB VPUSH VPOP",
        "float memory": "VLDR VSTR",
        "divide": "SDIV UDIV",
        "float divide": "VDIV VSQRT",
        "float multiply add": "VMLA VMLS VNMLA VNMLS VFMA VFMS VFNMA VFNMS",
        "table": "TBB TBH",
        "it": "IT",
        "compare and branch": "CBZ CBNZ",
    }
    return {getattr(arm, f"ARM_INS_{name}"): kind for kind, names in rules.items() for name in names.split()}


def _read(instruction: CsInsn) -> Instruction:
    from capstone import arm

    kind = _kinds().get(instruction.id, "")
    registers = [o.reg for o in instruction.operands if o.type == arm.ARM_OP_REG]
    memory = [o.mem for o in instruction.operands if o.type == arm.ARM_OP_MEM]
    conditional = instruction.cc not in (arm.ARM_CC_AL, arm.ARM_CC_INVALID)
    is_load = kind == "load"
    return Instruction(
        cycles=_own_cycles(kind, instruction, registers),
        loaded=frozenset(registers[:1]) if is_load else frozenset(),
        address=frozenset(r for m in memory for r in (m.base, m.index) if r) if is_load else frozenset(),
        is_load=is_load,
        is_it=kind == "it",
        is_narrow=instruction.size == 2,
        jumps=_jumps(kind, instruction),
        is_conditional=conditional or kind == "compare and branch",
    )


def _own_cycles(kind: str, instruction: CsInsn, registers: list[int]) -> int:
    if kind == "many":
        # PUSH and POP list registers only; the others name the base first.
        listed = registers if instruction.mnemonic.startswith(("push", "pop", "vpush", "vpop")) else registers[1:]
        return 1 + sum(_words(instruction, r) for r in listed)
    if kind == "float memory":
        return 1 + _words(instruction, registers[0])
    fixed = {
        "load": 2,
        "pair": 3,
        "table": 2,
        "divide": DIVIDE_CYCLES,
        "float divide": FLOAT_DIVIDE_CYCLES,
        "float multiply add": FLOAT_MULTIPLY_ADD_CYCLES,
    }
    return fixed.get(kind, 1)


def _words(instruction: CsInsn, register: int) -> int:
    return 2 if instruction.reg_name(register).startswith("d") else 1


def _jumps(kind: str, instruction: CsInsn) -> bool:
    from capstone import arm

    if kind in ("table", "compare and branch") or instruction.id in (arm.ARM_INS_BL, arm.ARM_INS_BLX):
        return True
    return instruction.group(arm.ARM_GRP_JUMP) or arm.ARM_REG_PC in instruction.regs_access()[1]
