# SPDX-License-Identifier: Apache-2.0
"""Many seeds through one check, split over processes; a process that dies or hangs is a finding, not the end."""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from tests.runtime_c import native

FOUND = Path(__file__).resolve().parents[1] / "golden" / "fuzz_cases"
CHECKERS = {"graphs": "tests.fuzz.compare", "files": "tests.fuzz.hostile", "deaths": "tests.fuzz.deaths"}
# A seed that takes this long, in a process that sees its own limits, hangs where Python cannot interrupt it. Counted in
# looks at it, as clocks go on while a machine sleeps.
HANGS_SECONDS = 300
LOOK_SECONDS = 0.05
SHOWN = 5


@dataclass
class Report:
    """What came of it.

    Args:
        done: seeds that were checked.
        statuses: how many ended how; "wrong" is a finding.
        wrong: seed -> what happened.
        reasons: for the others, why they were refused, how often.
        seconds: wall clock.
    """

    done: int = 0
    statuses: Counter = field(default_factory=Counter)
    wrong: dict[int, str] = field(default_factory=dict)
    reasons: Counter = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, seed: int, status: str, why: str) -> None:
        self.done += 1
        self.statuses[status] += 1
        if status == "wrong":
            self.wrong[seed] = why
        elif why:
            self.reasons[why] += 1

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        lines = [f"{self.done} done in {self.seconds:.0f} s: {counts}"]
        lines += [f"  seed {seed}: {why}" for seed, why in sorted(self.wrong.items())[:SHOWN]]
        return "\n".join(lines)


def run(kind: str, seeds: range, folder: Path, processes: int | None = None, on_progress=lambda report: None) -> Report:
    """Check every seed.

    Args:
        kind: one of CHECKERS.
        folder: for the compiled kernels, where they are not there yet.
        on_progress: called with the Report about once a second.
    """
    if kind == "graphs" and not (folder / native.NAME).is_file():
        native.compile_kernels(folder)
    processes = processes or min(os.cpu_count() or 1, 8)
    context = multiprocessing.get_context("spawn")
    # A put into a SimpleQueue is done when it returns, so that a crash after it loses nothing.
    report, start, results = Report(), time.monotonic(), context.SimpleQueue()
    workers = [_Worker(context, kind, seeds[i::processes], folder, results) for i in range(processes)]
    shown, working = 0.0, True
    while working:
        working = any([worker.watch(report) for worker in workers])
        while not results.empty():
            report.add(*results.get())
        report.seconds = time.monotonic() - start
        if report.seconds - shown >= 1 or not working:
            shown = report.seconds
            on_progress(report)
        time.sleep(LOOK_SECONDS)
    return report


class _Worker:
    """A process with its share of the seeds; another one goes on where it dies."""

    def __init__(self, context, kind: str, seeds: range, folder: Path, results) -> None:
        self.context, self.kind, self.seeds, self.folder, self.results = context, kind, seeds, folder, results
        self.position = context.Value("q", -1)
        self._start(0)

    def _start(self, first: int) -> None:
        self.position.value, self.seen = -1, (-1, 0)
        arguments = (self.kind, self.seeds, first, str(self.folder), self.position, self.results)
        self.process = self.context.Process(target=_work, args=arguments, daemon=True)
        self.process.start()

    def watch(self, report: Report) -> bool:
        """Whether it still works; what killed it goes into the report."""
        position = self.position.value
        self.seen = position, self.seen[1] + 1 if position == self.seen[0] else 0
        if self.process.is_alive():
            if position < 0 or self.seen[1] * LOOK_SECONDS < HANGS_SECONDS:
                return True
            self.process.kill()
            self.process.join()
            return self._went_wrong(report, position, f"hangs for more than {HANGS_SECONDS} s")
        if self.process.exitcode == 0:
            return False
        # Read again: it may have moved on between the look at its position and its end.
        position = self.position.value
        return self._went_wrong(report, position, f"ended its process with exit code {self.process.exitcode}")

    def _went_wrong(self, report: Report, position: int, why: str) -> bool:
        if position < 0:
            raise RuntimeError(f"a worker for {self.kind} did not even start: it {why}")
        report.add(self.seeds[position], "wrong", why)
        self._start(position + 1)
        return True


def _work(kind: str, seeds: range, first: int, folder: str, position, results) -> None:
    # What LiteRT has to say would drown the progress.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    check = checker(kind, Path(folder))
    for index in range(first, len(seeds)):
        position.value = index
        results.put((seeds[index], *check(seeds[index])))


def checker(kind: str, folder: Path) -> Callable[[int], tuple[str, str]]:
    """seed -> (status, why); a traceback is a finding."""
    check = import_module(CHECKERS[kind]).checker(folder)

    def caught(seed: int) -> tuple[str, str]:
        try:
            return check(seed)
        except Exception:
            return "wrong", traceback.format_exc(limit=-2)

    return caught


def save(kind: str, seed: int) -> Path | None:
    """Keep a seed's file as a case that the tests replay; None where there is none, as writing it fails."""
    from shrinkfit.write.tflite import write_tflite
    from tests.fuzz.draw import draw_graph
    from tests.fuzz.hostile import base_files, draw_file

    try:
        data = draw_file(seed, base_files()) if kind == "files" else write_tflite(draw_graph(seed))
    except Exception:
        return None
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"{kind}_{seed}.tflite"
    path.write_bytes(data)
    return path
