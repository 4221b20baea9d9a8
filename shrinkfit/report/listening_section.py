# SPDX-License-Identifier: Apache-2.0
"""What report.json says of a listener enters; its section of the HTML page leaves."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from shrinkfit.report.charts import bar, stack
from shrinkfit.report.table import number


def listening_section(record: Mapping[str, Any] | None) -> str:
    """Cycles of a second of sound by part, load and energy, RAM and flash of the image that listens; "" without one."""
    if not record:
        return ""
    cost = record["cost"]
    known = {name: cycles for name, cycles in cost["parts"].items() if cycles is not None}
    most = max(known.values(), default=0)
    bars = (bar(name, cycles, f"{cycles:,}", most) for name, cycles in known.items())
    return (
        f"<h2>A second of sound</h2><p>{escape(listening_summary(record))}</p>{''.join(bars)}"
        f'<p class="note">cycles of the cycle model; current: {escape(cost["energy_source"])}</p>'
        f'<div class="columns"><div><h3>RAM while listening, {number(cost["ram_bytes"])} bytes</h3>'
        f"{stack(ram_parts(record))}</div>"
        f"<div><h3>Flash, {number(cost['flash_bytes'])} bytes</h3>{stack(flash_parts(record))}</div></div>"
        f"{_verifier(record)}"
    )


def _verifier(record: Mapping[str, Any]) -> str:
    text = verifier_summary(record)
    return f"<h3>Verifying a hotword</h3><p>{escape(text)}</p>" if text else ""


def verifier_summary(record: Mapping[str, Any]) -> str:
    """What it takes to verify a hotword, in one line; "" without a verifier."""
    cost = record["cost"].get("verifier")
    if not cost:
        return ""
    parts = []
    if cost["cycles"] is not None:
        parts.append(f"{cost['cycles']:,} cycles")
    if cost["seconds"] is not None:
        parts.append(f"{cost['seconds']:.3g} s, in which {2 * cost['samples_meanwhile']:,} bytes of sound arrive")
    if cost["energy_uj"] is not None:
        parts.append(f"{number(cost['energy_uj'])} µJ")
    parts.append(f"{cost['flash_bytes']:,} bytes of flash for its network")
    return ", ".join(parts)


def ram_parts(record: Mapping[str, Any]) -> dict[str, int]:
    """What lies in the RAM of the image that listens -> bytes."""
    at, cost = record["layout"], record["cost"]
    end = at["listener_bytes"] if at.get("verifier") is None else at["verifier"]["sound"]
    verifier = {"verifier": at["listener_bytes"] - end} if end < at["listener_bytes"] else {}
    return {
        "arena": at["features"],
        "features": at["frames"] - at["features"],
        "frames": at["detector"] - at["frames"],
        "detector": end - at["detector"],
        **verifier,
        "stack": cost["stack_bytes"],
        "data": cost["ram_bytes"] - cost["stack_bytes"] - at["listener_bytes"],
    }


def flash_parts(record: Mapping[str, Any]) -> dict[str, int]:
    """What lies in the flash of that image -> bytes."""
    cost = record["cost"]
    verifier = {"verifier": cost["verifier"]["flash_bytes"]} if cost.get("verifier") else {}
    known = {"tables": cost["table_bytes"], **verifier}
    return {**known, "network and code": cost["flash_bytes"] - sum(known.values())}


def listening_summary(record: Mapping[str, Any]) -> str:
    """What a second of sound takes, in one line."""
    cost = record["cost"]
    parts = [f"{record['features']['sample_rate_hz']:,} samples, {record['runs_per_second']:.4g} runs of the network"]
    if cost["cycles_per_second"] is not None:
        parts.append(f"{cost['cycles_per_second']:,} cycles")
    if cost["load"] is not None:
        parts.append(f"{100 * cost['load']:.1f} % of the clock")
    if cost["energy_uj_per_second"] is not None:
        parts.append(f"{number(cost['energy_uj_per_second'])} µJ while the core runs")
    return ", ".join(parts)
