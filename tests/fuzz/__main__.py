# SPDX-License-Identifier: Apache-2.0
"""The long run: random graphs, then hostile files; what goes wrong is kept as a case for the tests.

python -m tests.fuzz --graphs 50000 --files 100000 --start 0
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz import campaign


def main() -> int:
    """Exit code 1 where anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--graphs", type=int, default=50_000, help="how many random graphs")
    parser.add_argument("--files", type=int, default=100_000, help="how many hostile files")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, help="how many at once; as many as there are processors by default")
    arguments = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for kind, count in (("graphs", arguments.graphs), ("files", arguments.files)):
            seeds = range(arguments.start, arguments.start + count)
            failed |= bool(seeds) and _campaign(kind, seeds, Path(folder), arguments.processes)
    return int(failed)


def _campaign(kind: str, seeds: range, folder: Path, processes: int | None) -> bool:
    known: set[int] = set()

    def show(report: campaign.Report) -> None:
        for seed in sorted(report.wrong.keys() - known):
            known.add(seed)
            path = campaign.save(kind, seed)
            print(f"\n{kind}, seed {seed}: {report.wrong[seed]}\n  kept as {path.name if path else 'no file'}")
        end = "\r" if sys.stdout.isatty() else "\n"
        if sys.stdout.isatty() or int(report.seconds) % 30 == 0 or report.done == len(seeds):
            rate = report.done / max(report.seconds, 1e-9)
            print(
                f"{kind}: {report.done} of {len(seeds)}, {rate:.0f}/s, {len(report.wrong)} wrong", end=end, flush=True
            )

    report = campaign.run(kind, seeds, folder, processes, show)
    print(f"\n{kind}, seeds {seeds.start} to {seeds.stop - 1}: {report}")
    for reason, count in report.reasons.most_common(12):
        print(f"  {count} x {reason[:160]}")
    return bool(report.wrong)


if __name__ == "__main__":
    sys.exit(main())
