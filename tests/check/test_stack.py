# SPDX-License-Identifier: Apache-2.0
"""The stack that machine code takes: snippets of assembly, and every function that the compiler told the frame of."""

import subprocess

import pytest

from shrinkfit.check.stack import own_stack_bytes
from shrinkfit.errors import CheckError
from tests.runtime_c.images import RUNTIME_SOURCES, ArmObject

pytestmark = pytest.mark.needs("arm-none-eabi-gcc")
CASES = [
    ("bx lr", 0),
    ("push {r4-r11, lr}; pop {r4-r11, pc}", 36),
    ("push {r4, lr}; sub sp, #24; bl elsewhere; add sp, #24; pop {r4, pc}", 32),
    ("push {r4}; sub.w sp, sp, #512; vpush {s16-s19}; vpush {d10}; vpop {d10}; b elsewhere", 4 + 512 + 16 + 8),
    ("stmdb sp!, {r4-r7}; strd r0, r1, [sp, #-8]!; str r2, [sp, #-4]!; ldr r2, [sp], #4; pop {r4-r7}; bx lr", 28),
    # Two paths: the deeper one is behind the branch, and the return of the first does not lower it.
    ("cbz r0, 1f; push {r4}; pop {r4}; bx lr; 1: push {r4-r7}; pop {r4-r7}; bx lr", 16),
    ("1: push {r0, r1}; pop {r0, r1}; subs r0, #1; bne 1b; bx lr", 8),
    ("push {r4, lr}; cmp r0, #0; it eq; popeq {r4, pc}; push {r5}; pop {r5}; pop {r4, pc}", 12),
    ("tbb [pc, r0]; 0: .byte (1f - 0b) / 2, (2f - 0b) / 2; 1: bx lr; 2: push {r0-r3}; pop {r0-r3}; bx lr", 16),
    ("ldr r0, 1f; str r0, [sp, #-16]!; add sp, sp, #16; bx lr; .align 2; 1: .word 0xffffffff", 16),
    ("push {r0}; bl elsewhere; .align 2; .word 0xffffffff", 4),
]


def assembled(folder, text):
    body = text.replace(";", "\n")
    source = f".syntax unified\n.thumb\n.text\n.thumb_func\n.type f, %function\nf:\n{body}\n"
    (folder / "f.s").write_text(source)
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-c", "f.s"]
    subprocess.run(command, cwd=folder, check=True)
    return ArmObject.read(folder / "f.o").functions()["f"]


@pytest.mark.parametrize(("text", "size_bytes"), CASES)
def test_assembly(tmp_path, text, size_bytes):
    assert own_stack_bytes(*assembled(tmp_path, text)) == size_bytes


@pytest.mark.parametrize("text", ["sub sp, sp, r0; bx lr", "mov sp, r7; bx lr", "push {r0}; ldr sp, [r1]; bx lr"])
def test_a_computed_stack_pointer_is_refused(tmp_path, text):
    with pytest.raises(CheckError, match="computes the stack pointer, so that no bound can be told"):
        own_stack_bytes(*assembled(tmp_path, text))


def test_a_stack_that_grows_in_a_loop_is_refused(tmp_path):
    with pytest.raises(CheckError, match="grows in a loop at offset 0x"):
        own_stack_bytes(*assembled(tmp_path, "1: push {r0-r7}; b 1b"))


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4", "cortex-m33"])
def test_compiled_functions_take_what_the_compiler_says(arm_objects, core):
    frames, seen = {}, 0
    for path in arm_objects(core):
        for line in path.with_suffix(".su").read_text().splitlines():
            where, size, _ = line.split("\t")
            frames[where.split(":")[-1]] = int(size)
        for name, function in ArmObject.read(path).functions().items():
            told, own = frames.get(name, frames.get(name.rpartition(".")[0], 0)), own_stack_bytes(*function)
            # 0 is also what the compiler says of a naked function, whatever its assembly pushes.
            assert own == told or (told == 0 and own > 0), name
            seen += 1
    assert seen >= len(RUNTIME_SOURCES)
