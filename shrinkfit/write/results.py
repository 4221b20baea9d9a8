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
from shrinkfit.write.whole import FORMAT_KEY, REPORT, REPORT_FORMAT

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
        ExportError: no folder of this version's export, or results of another name or of what JSON cannot hold.
    """
    unknown = sorted(set(results) - set(KNOWN))
    if unknown:
        raise ExportError(f"results have {', '.join(map(repr, unknown))}, expected some of {', '.join(KNOWN)}")
    place = Path(folder)
    details = _report_of(place)
    try:
        details["results"] = json.loads(json.dumps(dict(results)))
    except TypeError as error:
        raise ExportError(f"results go into {REPORT}, which takes numbers, text, lists and dicts: {error}") from error
    for file, text in ((PAGE, page(details)), (REPORT, json.dumps(details, indent=2) + "\n")):
        beside = place / f".{file}.new"
        beside.write_text(text, encoding="utf-8")
        beside.replace(place / file)
    return details


def _report_of(place: Path) -> dict[str, Any]:
    try:
        details = json.loads((place / REPORT).read_text(encoding="utf-8"))
        known = details[FORMAT_KEY] == REPORT_FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"'{place}' has no {REPORT} of shrinkfit's; expected a folder that export wrote") from error
    if not known:
        raise ExportError(f"'{place}' was exported by another version of shrinkfit; export again")
    return details
