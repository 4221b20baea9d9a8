# SPDX-License-Identifier: Apache-2.0
"""What a test of an exported model found in, beside the model's own figures in its folder out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shrinkfit.errors import ExportError
from shrinkfit.report.page import page
from shrinkfit.write.export import PAGE
from shrinkfit.write.whole import REPORT

KNOWN = ("accuracy", "confusion", "det", "notes")


def add_results(folder: str | os.PathLike, results: Mapping[str, Any]) -> dict[str, Any]:
    """Put measured figures into an exported folder's report.json, as "results", and draw its report.html anew.

    Args:
        folder: one that `export` wrote.
        results: all optional: accuracy (name -> share), confusion (labels, counts), det (false_accepts_per_hour,
            false_rejects, chosen), notes (lines of text), as `report.page.page` draws them.
    Returns:
        report.json's new content.
    Raises:
        ExportError: no such folder, or results of another name.
    """
    unknown = sorted(set(results) - set(KNOWN))
    if unknown:
        raise ExportError(f"results have {', '.join(map(repr, unknown))}, expected some of {', '.join(KNOWN)}")
    place = Path(folder)
    if not (place / REPORT).is_file():
        raise ExportError(f"'{place}' has no {REPORT}; expected a folder that export wrote")
    details = json.loads((place / REPORT).read_text(encoding="utf-8"))
    details["results"] = json.loads(json.dumps(dict(results)))
    for file, text in ((PAGE, page(details)), (REPORT, json.dumps(details, indent=2) + "\n")):
        beside = place / f".{file}.new"
        beside.write_text(text, encoding="utf-8")
        beside.replace(place / file)
    return details
