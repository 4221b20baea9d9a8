# SPDX-License-Identifier: Apache-2.0
"""Program or whole firmware image, and inputs -> outputs: on this computer, or from reset to exit under QEMU."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from shrinkfit._progress import step
from shrinkfit.check.build import Target, find_tool
from shrinkfit.errors import CheckError

RUN_SECONDS = 600

# Core -> a board with memory at the EFM32's addresses. The M0 cores' code runs on an M4 as it is.
_BOARDS = {
    "cortex-m0": "mps2-an386",
    "cortex-m0plus": "mps2-an386",
    "cortex-m3": "mps2-an385",
    "cortex-m4": "mps2-an386",
    "cortex-m7": "mps2-an500",
    "cortex-m33": "mps2-an505",
}

FIRMWARE = "the firmware under QEMU"
# Exit statuses of ports/cortex_m4/main.c and ports/listen/firmware.c.
_REASONS = {
    10: "inputs.bin could not be opened",
    11: "outputs.bin could not be opened",
    12: "the last input in inputs.bin is not whole",
    13: "the model's run function returned an error",
    14: "an output could not be written",
    15: "the core took a fault",
    20: "sound.wav could not be opened",
    21: "scores.bin could not be opened",
    22: "sound.wav is no wav file",
    23: "sound.wav is not 16-bit mono",
    24: "sound.wav has another sample rate than the model",
    25: "the listener's memory was refused",
    26: "scores could not be written",
}


def board_target(target: Target) -> Target:
    """The target with its memories where QEMU's board for that core has them."""
    if target.core != "cortex-m33":
        return target
    # mps2-an505 starts in secure state, whose view of code and RAM lies 0x10000000 higher.
    return replace(target, flash_origin=0x10000000, ram_origin=0x38000000)


def run_host(program: Path, inputs: np.ndarray, output_bytes: int) -> np.ndarray:
    """Run what build_host compiled.

    Args:
        program: its path.
        inputs: int8 [n, bytes of one input].
        output_bytes: bytes of one output.

    Returns:
        int8 [n, output_bytes].

    Raises:
        CheckError: a sanitizer stopped it, it reports an error, or it does not end.
    """
    with tempfile.TemporaryDirectory(prefix="shrinkfit-host-") as place:
        Path(place, "inputs.bin").write_bytes(inputs.tobytes())
        done = run_command([str(program.resolve()), "inputs.bin", "outputs.bin"], place, f"{program.name}")
        if done.returncode != 0:
            raise CheckError(f"{program.name} ended with status {done.returncode}: {first_lines(done.stderr, 12)}")
        return _outputs(place, program.name, len(inputs), output_bytes)


def run_qemu(elf: Path, inputs: np.ndarray, output_bytes: int, target: Target) -> np.ndarray:
    """Run a firmware image on QEMU.

    Args:
        elf: what build_firmware linked for board_target(target).
        inputs: int8 [n, bytes of one input].
        output_bytes: bytes of one output.
        target: what the image was built for.

    Returns:
        int8 [n, output_bytes].

    Raises:
        ToolMissingError: no qemu-system-arm. CheckError: the image faults, does not end or reports a failure.
    """
    with tempfile.TemporaryDirectory(prefix="shrinkfit-qemu-") as place:
        Path(place, "inputs.bin").write_bytes(inputs.tobytes())
        run_image(elf, place, target)
        return _outputs(place, FIRMWARE, len(inputs), output_bytes)


def run_image(elf: Path, place: str, target: Target) -> str:
    """Run a firmware image on QEMU from reset to exit.

    Args:
        elf: what was linked for board_target(target).
        place: the folder whose files it reads and writes over semihosting.
        target: what the image was built for.

    Returns:
        What it printed.

    Raises:
        ToolMissingError: no qemu-system-arm. CheckError: the image faults, does not end or reports a failure.
    """
    command = [find_tool("qemu-system-arm"), "-M", _BOARDS[target.core], "-nographic", "-monitor", "none"]
    command += ["-serial", "none", "-semihosting-config", "enable=on,target=native", "-kernel", str(elf.resolve())]
    done = run_command(command, place, FIRMWARE)
    if done.returncode != 0:
        reason = _REASONS.get(done.returncode, "QEMU stopped, or the firmware lost its way (a stack too small?)")
        said = first_lines(done.stderr, 3)
        raise CheckError(f"{FIRMWARE} ended with status {done.returncode}: {reason} {said}".rstrip())
    # Where QEMU writes what a program prints depends on how its console is set up.
    return done.stdout + done.stderr


def run_command(command: list[str], place: str, what: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, for at most RUN_SECONDS; `what` is for the message of CheckError."""
    step(f"running {what}")
    try:
        return subprocess.run(
            command, cwd=place, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise CheckError(f"{what} had not ended after {RUN_SECONDS} s") from error


def _outputs(place: str, what: str, count: int, output_bytes: int) -> np.ndarray:
    written = Path(place, "outputs.bin").read_bytes()
    if len(written) != count * output_bytes:
        raise CheckError(f"{what} wrote {len(written)} bytes, expected {count} outputs of {output_bytes}")
    return np.frombuffer(written, np.int8).reshape(count, output_bytes)


def first_lines(text: str, most: int) -> str:
    """For a message."""
    return "\n".join(text.strip().splitlines()[:most])
