# SPDX-License-Identifier: Apache-2.0
"""A folder that export wrote -> what its report.json says of the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shrinkfit.check.build import Target
from shrinkfit.check.emulate import Api, Profile
from shrinkfit.errors import CheckError, CheckUsageError, near_files
from shrinkfit.write.whole import FORMAT_KEY, REPORT_FORMAT

if TYPE_CHECKING:
    from shrinkfit.graph.ir import Graph


def wanted_folder(path: Path) -> str:
    """The rest of a message about a path where a folder that export wrote was expected."""
    expected = "expected one that `shrinkfit export` wrote"
    if not path.is_file():
        return expected + near_files(path)
    beside = (path.parent / "report.json").is_file()
    return f"{expected}; did you mean the folder that it is in, '{path.parent}'?" if beside else expected


@dataclass(frozen=True)
class LayerRun:
    """One layer of one counted inference; cycles are None where the core's timings are not known."""

    name: str
    kind: str
    macs: int
    instructions: int
    cycles: int | None


@dataclass(frozen=True)
class Exported:
    """A folder that export wrote, and what its report.json says."""

    folder: Path
    name: str
    target: Target
    report: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Exported:
        """What a folder says of itself.

        Raises:
            CheckUsageError: shrinkfit did not write it, or another version did.
        """
        if not folder.is_dir():
            raise CheckUsageError(f"'{folder}' is no folder; {wanted_folder(folder)}")
        path = folder / "report.json"
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            ours = "shrinkfit_report" in report and isinstance(report["name"], str)
            target = Target.of_record(report["target"]) if ours else None
        except FileNotFoundError as error:
            raise CheckUsageError(
                f"'{folder}' has no report.json, so shrinkfit did not write it; export first"
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckUsageError(f"'{path}' is not a report that shrinkfit wrote ({error}); export again") from error
        if target is not None and report[FORMAT_KEY] != REPORT_FORMAT:
            raise CheckUsageError(f"'{path}' was written by another version of shrinkfit; export again")
        if target is None:
            raise CheckUsageError(f"'{path}' is not a report that shrinkfit wrote; export again")
        return cls(folder, report["name"], target, report)

    def graph(self, part: str = "") -> Graph:
        """The integer graph, read from its .tflite.

        Args:
            part: what the name of another network in the folder ends with, such as "_verifier".
        Raises:
            CheckError: it has none.
        """
        from shrinkfit.read.tflite import read_tflite

        path = self.folder / f"{self.name}{part}.tflite"
        if not path.is_file():
            raise CheckError(
                f"'{self.folder}' has no {path.name}, from which check simulates; export writes it for every model "
                "whose operators LiteRT has"
            )
        return read_tflite(path)

    @property
    def api(self) -> Api:
        """The model's C functions."""
        inputs, outputs = (
            tuple((edge["function"], edge["bytes"]) for edge in self.report[side]) for side in ("inputs", "outputs")
        )
        return Api(f"{self.name}_run", inputs, outputs, self.report["reset"])

    @property
    def output_bytes(self) -> int:
        """Of all outputs of one run."""
        return sum(size for _, size in self.api.outputs)

    def layers(self, profile: Profile, timed: bool) -> tuple[LayerRun, ...]:
        """The calls of the run function, which are the layers in their order; a layer may be several."""
        rows = [row for row in self.report["layers"] if row["function"]]
        wanted = sum(len(row["identifiers"]) for row in rows)
        if wanted != len(profile.calls):
            raise CheckError(f"{self.name}_run makes {len(profile.calls)} calls for {wanted} layers; export again")
        calls, layers = iter(profile.calls), []
        for row in rows:
            own = [next(calls) for _ in row["identifiers"]]
            instructions, cycles = sum(c.instructions for c in own), sum(c.cycles for c in own)
            layers.append(LayerRun(row["name"], row["kind"], row["macs"], instructions, cycles if timed else None))
        return tuple(layers)

    @property
    def stack_bytes(self) -> int | None:
        """What the firmware sets aside."""
        return self.report.get("stack_bytes")

    @property
    def predicted(self) -> dict[str, int]:
        """flash_bytes, ram_bytes and the bound on stack_bytes, as far as export reported them."""
        keys = {"flash_bytes": "flash_bytes", "ram_bytes": "ram_bytes", "stack_bytes": "run_stack_bytes"}
        return {ours: self.report[theirs] for ours, theirs in keys.items() if theirs in self.report}
