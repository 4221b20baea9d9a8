# SPDX-License-Identifier: Apache-2.0
"""An exported folder and a microphone come in; what the C of the folder detects leaves as it is said."""

from __future__ import annotations

import queue
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from shrinkfit.audio.features import AudioError
from shrinkfit.audio.recording import Detected, Ears
from shrinkfit.check.build import build_host
from shrinkfit.errors import CheckError

BLOCK_SECONDS = 0.05  # what a detection waits at most, on top of the listener's own steps
_LINE = re.compile(rb"\(sample (\d+), label (\d+), score (-?\d+)\)")


def hear_live(folder: str | Path, blocks: Iterable[bytes]) -> Iterator[Detected]:
    """Run the exported C on sound as it comes.

    Args:
        folder: what export wrote with a listener.
        blocks: raw int16 samples at the listener's rate; the end of them ends the listening.
    Yields:
        Each detection, after the block in which it was made.
    Raises:
        CheckError: the folder has no listener or does not build, or the program failed.
    """
    ears = Ears.of(folder)
    with tempfile.TemporaryDirectory(prefix="shrinkfit-live-") as place:
        program = build_host(Path(folder), Path(place), use_dsp=False, listen=True)
        with open(Path(place) / "errors.txt", "w+b") as errors:
            command = [str(program.resolve()), "-"]
            running = subprocess.Popen(command, cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
            ear, lines = running.stdin, running.stdout
            assert ear is not None and lines is not None, "pipes were asked for"
            try:
                yield from _converse(running, ear, lines, ears, blocks)
            finally:
                # Also where the caller stops listening: the program would wait for sound for ever.
                running.kill()
                status = running.wait()
                lines.close()
            errors.seek(0)
            if status > 0:
                said = errors.read(1000).decode(errors="replace").strip()
                raise CheckError(f"the listening program ended with status {status}: {said}")


def _converse(
    running: subprocess.Popen[bytes], ear: IO[bytes], lines: IO[bytes], ears: Ears, blocks: Iterable[bytes]
) -> Iterator[Detected]:
    found: queue.SimpleQueue[Detected] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(lines, ears, found), daemon=True)
    reader.start()
    try:
        with ear:
            for block in blocks:
                ear.write(block)
                ear.flush()
                yield from _waiting(found)
    except BrokenPipeError:
        pass  # the program has ended; its status says why
    running.wait()
    reader.join()
    yield from _waiting(found)


def _read(lines: IO[bytes], ears: Ears, found: queue.SimpleQueue[Detected]) -> None:
    for line in lines:
        if match := _LINE.search(line):
            found.put(ears.detected(*map(int, match.groups())))


def _waiting(found: queue.SimpleQueue[Detected]) -> Iterator[Detected]:
    while not found.empty():
        yield found.get()


def microphone(sample_rate_hz: int) -> Iterator[bytes]:
    """Open the default microphone: raw int16 samples, without end.

    Raises:
        AudioError: the package sounddevice, its PortAudio library or a microphone is missing.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise AudioError(
            f"a microphone needs the package sounddevice and the PortAudio library ({error}): "
            "pip install sounddevice, apt-get install libportaudio2"
        ) from error
    frames = round(BLOCK_SECONDS * sample_rate_hz)
    try:
        source = sounddevice.RawInputStream(samplerate=sample_rate_hz, channels=1, dtype="int16", blocksize=frames)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(f"the microphone cannot be opened at {sample_rate_hz} Hz: {error}") from error
    return _blocks(source, frames)


def _blocks(source: Any, frames: int) -> Iterator[bytes]:
    with source:
        while True:
            block, _ = source.read(frames)
            yield bytes(block)
