# SPDX-License-Identifier: Apache-2.0
"""One function's machine code -> the stack that it takes itself, whether a compiler or a person wrote it.

A compiler tells the frames of the functions that it laid out (-fstack-usage), but not what assembly pushes: a naked
function counts as 0 there. Here every path through the code is followed, and its deepest stack pointer kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from shrinkfit.check.cycles import decoder
from shrinkfit.errors import CheckError

if TYPE_CHECKING:
    from capstone import CsInsn
    from capstone.arm import ArmOpMem

# No function of a microcontroller takes more; a loop that pushes does.
_MOST_BYTES = 1 << 16


def own_stack_bytes(
    code: bytes, entry: int = 0, relocated: Collection[int] = (), literals: Collection[int] = ()
) -> int:
    """How far below its value at the entry the stack pointer ever is, callees left out.

    Args:
        code: Thumb instructions, with literals between them.
        entry: offset of the first instruction.
        relocated: offsets of the instructions whose target is not known yet, in an object file.
        literals: offsets where data begin; a path gets there, or to the end, only behind a call that does not return.

    Raises:
        CheckError: the stack pointer is computed, or the bytes are no instruction.
    """
    deepest, waiting = 0, [(entry, 0)]
    seen: dict[int, int] = {}
    decoded: dict[int, CsInsn] = {}
    while waiting:
        at, depth = waiting.pop()
        if at >= len(code) or at in literals or seen.get(at, -1) >= depth:
            continue
        seen[at] = depth
        instruction = _decode(code, at, decoded)
        after = depth + _taken(instruction)
        if after > _MOST_BYTES:
            raise CheckError(f"the stack grows in a loop at offset {at:#x}")
        deepest = max(deepest, after)
        waiting += [(target, after) for target in _next(instruction, code, at in relocated)]
        if _is_conditional(instruction):
            waiting.append((at + instruction.size, depth))
    return deepest


def _decode(code: bytes, at: int, decoded: dict[int, CsInsn]) -> CsInsn:
    """One instruction; of an IT block all at once, as the first says which of them are conditional."""
    if at not in decoded:
        may_be_it = code[at + 1 : at + 2] == b"\xbf"
        found = list(decoder().disasm(code[at : at + 20], at, 5 if may_be_it else 1))
        if not found:
            raise CheckError(f"the code at offset {at:#x} is no Thumb instruction that capstone knows")
        # "itte": as many instructions as letters behind the i.
        kept = len(found[0].mnemonic) if found[0].mnemonic.startswith("it") else 1
        decoded.update((instruction.address, instruction) for instruction in found[:kept])
    return decoded[at]


def _is_conditional(instruction: CsInsn) -> bool:
    from capstone import arm

    return instruction.cc not in (arm.ARM_CC_AL, arm.ARM_CC_INVALID)


def _taken(instruction: CsInsn) -> int:
    """Bytes by which an instruction lowers the stack pointer; negative where it raises it."""
    from capstone import arm

    operands, name = instruction.operands, instruction.mnemonic.split(".")[0]
    registers = [o.reg for o in operands if o.type == arm.ARM_OP_REG]
    # First, as capstone does not say of VPUSH that it writes the stack pointer.
    if name.startswith(("push", "vpush", "pop", "vpop")):
        size = sum(_register_bytes(instruction, r) for r in registers)
        return size if "push" in name else -size
    if arm.ARM_REG_SP not in instruction.regs_access()[1]:
        return 0
    if name.startswith(("stmdb", "vstmdb", "ldm", "vldm")):
        size = sum(_register_bytes(instruction, r) for r in registers[1:])
        return size if "stm" in name else -size
    if name.startswith(("sub", "add")) and operands[-1].type == arm.ARM_OP_IMM:
        return operands[-1].imm if name.startswith("sub") else -operands[-1].imm
    memory = [o.mem for o in operands if o.type == arm.ARM_OP_MEM]
    if memory and memory[0].base == arm.ARM_REG_SP and not memory[0].index:
        return -_step(instruction, memory[0])
    raise CheckError(
        f"'{instruction.mnemonic} {instruction.op_str}' at offset {instruction.address:#x} computes the stack pointer, "
        "so that no bound can be told; push, pop, or add and subtract constants"
    )


def _step(instruction: CsInsn, memory: ArmOpMem) -> int:
    """What is added to the stack pointer by [sp, #n]! and [sp], #n."""
    text = instruction.op_str.rpartition("#")[2].rstrip("]!")
    return memory.disp or int(text, 0)


def _register_bytes(instruction: CsInsn, register: int) -> int:
    return 8 if instruction.reg_name(register).startswith("d") else 4


def _next(instruction: CsInsn, code: bytes, is_relocated: bool) -> Iterator[int]:
    """Where the code goes on after an instruction that is executed; calls come back."""
    from capstone import arm

    following = instruction.address + instruction.size
    # A branch has one or, by a register, none.
    targets = [o.imm for o in instruction.operands if o.type == arm.ARM_OP_IMM]
    if instruction.id in (arm.ARM_INS_TBB, arm.ARM_INS_TBH):
        yield from _table(code, following, 1 if instruction.id == arm.ARM_INS_TBB else 2)
    elif instruction.id in (arm.ARM_INS_CBZ, arm.ARM_INS_CBNZ):
        yield from (following, *targets)
    elif instruction.id == arm.ARM_INS_B:
        yield from (target for target in targets if not is_relocated and 0 <= target < len(code))
    elif instruction.id in (arm.ARM_INS_BL, arm.ARM_INS_BLX) or not _ends(instruction):
        yield following


def _ends(instruction: CsInsn) -> bool:
    """A return or a jump to elsewhere."""
    from capstone import arm

    return instruction.id in (arm.ARM_INS_BX, arm.ARM_INS_UDF) or arm.ARM_REG_PC in instruction.regs_access()[1]


def _table(code: bytes, start: int, width: int) -> Iterator[int]:
    """The targets of a table of branches, which ends where the nearest of them begins."""
    at, nearest = start, len(code)
    while at + width <= nearest:
        target = start + 2 * int.from_bytes(code[at : at + width], "little")
        nearest = min(nearest, target)
        yield target
        at += width
