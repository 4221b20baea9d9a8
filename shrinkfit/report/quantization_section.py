# SPDX-License-Identifier: Apache-2.0
"""What report.json says of the quantization error enters; its section of the HTML page leaves."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from shrinkfit.report.charts import bar, table

HEADERS = ("layer", "tensor", "dB", "rounding alone", "clipped", "from", "to")
MANY = 0.01  # a share of clipped values that is said above the bars
_MEANING = (
    "Signal-to-quantization-noise ratio of what each layer gives, int8 against float: at 20 dB differences are "
    "a tenth of the values, and 6 dB more halves them. Pale: what rounding this layer's output alone would leave; the "
    "rest was lost in the layers before it and in its weights. Clipped: values beyond the layer's int8 range."
)


def quantization_section(record: Mapping[str, Any] | None) -> str:
    """A bar per tensor, and all figures; why there are none where nothing was measured; "" without a record."""
    if not record:
        return ""
    if not record["tensors"]:
        return f'<h2>Quantization error</h2><p class="note">not measured: {escape(record["because"])}</p>'
    tensors = record["tensors"]
    most = max((max(t["sqnr_db"] or 0, t["rounding_db"] or 0) for t in tensors), default=0) or 1
    bars = (
        bar(
            tensor["layer"],
            most if tensor["sqnr_db"] is None else tensor["sqnr_db"],
            decibels(tensor["sqnr_db"]),
            most,
            note=f"clipped {clipped(tensor['clipped'])}",
            pale=most if tensor["rounding_db"] is None else tensor["rounding_db"],
        )
        for tensor in tensors
    )
    over = f"over {record['inputs']} {escape(record['source'])}"
    return (
        f"<h2>Quantization error</h2><p class='note'>{_MEANING}</p><p>{over}{_worst(tensors)}</p>{''.join(bars)}"
        "<details><summary>all figures of the tensors</summary>"
        f"{table(HEADERS, quantization_rows(record), left=2)}</details>"
    )


def quantization_rows(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The tensors as cells of HEADERS."""
    return [
        (
            tensor["layer"],
            tensor["tensor"],
            decibels(tensor["sqnr_db"]),
            decibels(tensor["rounding_db"]),
            clipped(tensor["clipped"]),
            f"{tensor['low']:.4g}",
            f"{tensor['high']:.4g}",
        )
        for tensor in record["tensors"]
    ]


def decibels(value: float | None) -> str:
    """34.68 as "34.7 dB"; None, which is no difference at all, as "exact"."""
    return "exact" if value is None else f"{value:.1f} dB"


def clipped(share: float) -> str:
    """A share as percent; what is seldom is not rounded to none."""
    return f"{100 * share:.2g} %" if 0 < share < 1e-3 else f"{100 * share:.1f} %" if share else "none"


def _worst(tensors: list[Mapping[str, Any]]) -> str:
    known = [tensor for tensor in tensors if tensor["sqnr_db"] is not None]
    if not known:
        return "; no value differs"
    worst = min(known, key=lambda tensor: tensor["sqnr_db"])
    many = [tensor for tensor in tensors if tensor["clipped"] > MANY]
    end = f"; more than {100 * MANY:.0f} % clipped in {len(many)} of {len(tensors)}" if many else ""
    return f"; the least in {escape(worst['layer'])}, {decibels(worst['sqnr_db'])}{end}"
