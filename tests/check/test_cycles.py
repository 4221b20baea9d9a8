# SPDX-License-Identifier: Apache-2.0
"""Instruction prices against the Cortex-M4's documented timings."""

import shutil
import subprocess

import pytest

from shrinkfit.check.cycles import TAKEN_BRANCH_CYCLES, edge_cycles, price_block
from shrinkfit.errors import CheckError

pytestmark = pytest.mark.needs("arm-none-eabi-as")


@pytest.fixture(scope="module")
def assemble(tmp_path_factory):
    if shutil.which("arm-none-eabi-as") is None:
        pytest.skip("arm-none-eabi-as is not installed")
    path = tmp_path_factory.mktemp("assembly") / "snippet.o"

    def to_bytes(text):
        source = ".syntax unified\n.thumb\n" + text.replace(";", "\n") + "\n"
        subprocess.run(
            ["arm-none-eabi-as", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-o", path, "-"],
            input=source.encode(),
            check=True,
        )
        subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", path, path.with_suffix(".bin")], check=True)
        return path.with_suffix(".bin").read_bytes()

    return to_bytes


BLOCKS = [
    ("adds r0, r1, r2", 1),
    ("smlad r0, r1, r2, r3; smmulr r0, r1, r2; sxtb16 r0, r1; ssat r0, #8, r1", 4),
    ("mul r0, r1, r2; umull r0, r1, r2, r3", 2),
    ("ldr r0, [r1]", 2),
    ("ldr r0, [r1]; ldr r2, [r1, #4]; ldrsb r3, [r1], #1; ldrh r4, [r5, r6]", 5),
    ("ldr r0, [r1]; ldr r2, [r0]", 4),
    ("ldr r0, [r1]; ldr r2, [r3, r0]", 4),
    ("ldr r0, [r1]; adds r2, r2, #1; ldr r3, [r1]", 5),
    ("str r0, [r1]; str r2, [r1, #4]; strb r2, [r1], #1", 3),
    ("str r0, [r1]; ldr r2, [r1]; str r0, [r1]; ldr r2, [r1]", 6),
    ("ldrd r0, r1, [r2]", 3),
    ("strd r0, r1, [r2]", 3),
    ("ldm r0!, {r1, r2, r3, r4}", 5),
    ("stmdb r0!, {r1, r2}", 3),
    ("push {r4, r5, r6, lr}", 5),
    ("pop {r4}", 2),
    ("sdiv r0, r1, r2", 7),
    ("udiv r0, r1, r2", 7),
    ("adds r0, #1; it eq; addeq r0, #1", 2),
    ("add.w r0, r0, #1; it eq; addeq r0, #1", 3),
    ("it eq; addeq r0, #1", 2),
    ("vadd.f32 s0, s1, s2; vmul.f32 s0, s1, s2; vmov s1, r0; vmov r0, s1", 4),
    ("vfma.f32 s0, s1, s2; vmla.f32 s0, s1, s2", 6),
    ("vdiv.f32 s0, s1, s2", 14),
    ("vsqrt.f32 s0, s1", 14),
    ("vldr s0, [r0]; vstr s0, [r0]", 4),
    ("vldr d0, [r0]", 3),
    ("vpush {s16, s17, s18}", 4),
    ("vldmia r0!, {d0, d1}", 5),
    ("tbb [r0, r1]", 2),
]


@pytest.mark.parametrize(("text", "cycles"), BLOCKS, ids=[text for text, _ in BLOCKS])
def test_block(assemble, text, cycles):
    assert price_block(assemble(text), 0x100).cycles == cycles


# (what runs before, what follows, whether it follows in memory, cycles of what follows)
EDGES = [
    ("bne .+100", "adds r0, #1", True, 1),
    ("bne .+100", "adds r0, #1", False, 1 + TAKEN_BRANCH_CYCLES),
    ("cbz r0, .+20", "adds r0, #1", True, 1),
    ("cbz r0, .+20", "adds r0, #1", False, 1 + TAKEN_BRANCH_CYCLES),
    ("b .+2", "adds r0, #1", True, 1 + TAKEN_BRANCH_CYCLES),
    ("bl .+100", "ldr r0, [r1]", False, 2 + TAKEN_BRANCH_CYCLES),
    ("bx lr", "adds r0, #1", False, 1 + TAKEN_BRANCH_CYCLES),
    ("pop {r4, pc}", "adds r0, #1", False, 1 + TAKEN_BRANCH_CYCLES),
    ("tbb [r0, r1]", "adds r0, #1", False, 1 + TAKEN_BRANCH_CYCLES),
    # A block that ended without a branch: its last load is in a row with the next one.
    ("ldr r0, [r1]", "ldr r2, [r1]", True, 1),
    ("ldr r0, [r1]", "ldr r2, [r0]", True, 2),
    ("adds r0, #1", "it eq; addeq r0, #1", True, 1),
    # A pop that was skipped costs one cycle, not 1 + 2.
    ("it eq; popeq {r4, pc}", "adds r0, #1", True, 1 - 2),
]


@pytest.mark.parametrize(("before", "after", "follows", "cycles"), EDGES)
def test_edge(assemble, before, after, follows, cycles):
    first = price_block(assemble(before), 0x100)
    second = price_block(assemble(after), first.end if follows else 0x200)
    assert edge_cycles(first, second) == cycles


def test_first_block_has_no_edge(assemble):
    assert edge_cycles(None, price_block(assemble("ldr r0, [r1]"), 0)) == 2


def test_pairing_counts_instructions(assemble):
    block = price_block(assemble("ldr r0, [r1]; ldr r2, [r1]; bx lr"), 0x40)
    assert (block.instructions, block.cycles, block.start, block.end) == (3, 4, 0x40, 0x46)


def test_bytes_that_are_no_instruction():
    with pytest.raises(CheckError, match="0x102 is no Thumb instruction"):
        price_block(bytes.fromhex("0130ffff"), 0x100)
