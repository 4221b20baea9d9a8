# SPDX-License-Identifier: Apache-2.0
"""An exported model's records enter; what to change so that it fits a smaller part leaves, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shrinkfit.report.table import LIMIT_TITLES, costs_of, number

# Resource -> (key of a layer's share, whether the layers' shares add up).
_SHARES = {
    "ram_bytes": ("arena_live_bytes", False),
    "flash_bytes": ("bytes", True),
    "flops": ("flops", True),
    "latency_ms": ("cycles", True),
    "energy_uj": ("cycles", True),
}
_LESS = 0.75  # of what it takes now
_SMALLER = 3  # parts that advice is given for


def advice(export: Mapping[str, Any]) -> list[str]:
    """Sentences for the few parts that the model misses by least, the nearest first.

    Args:
        export: content of report.json, with "parts".
    """
    missed = [part for part in export.get("parts") or () if part["over"]]
    missed.sort(key=lambda part: max(_excess(part, name) for name in part["over"]))
    return [_sentence(export, part) for part in missed[:_SMALLER]]


def heaviest(export: Mapping[str, Any]) -> list[str]:
    """For RAM, flash and time what most of it goes to: where less channels help most."""
    if not export["layers"]:
        return []
    timed = all(layer["cycles"] is not None for layer in export["layers"])
    names = {"ram_bytes": "RAM", "flash_bytes": "flash", **({"latency_ms": "cycles"} if timed else {"flops": "FLOPs"})}
    costs = costs_of(export)
    found = "; ".join(f"{title}: {_where(export, name)}" for name, title in names.items())
    ram, flash = (limit_text(int(_LESS * costs[name])) for name in ("ram_bytes", "flash_bytes"))
    stripes = "" if export.get("stripes") else ", or export(..., ram='smallest') for more cycles"
    # Channels that go take weights with them, and no code.
    fewer = (
        [f"FitDevice(..., flash_bytes={flash})"] if export["weight_bytes"] > (1 - _LESS) * costs["flash_bytes"] else []
    )
    smaller = [] if export["optimize"] == "size" else ["optimize='size' for more cycles"]
    of_flash = " or ".join([*fewer, *smaller]) or "fewer kinds of layers, each of which has its kernel"
    return [
        f"what weighs most: {found}",
        f"a quarter less RAM: FitDevice(..., ram_bytes={ram}){stripes}",
        f"less flash: {of_flash}",
    ]


def _excess(part: Mapping[str, Any], name: str) -> float:
    return part["costs"][name] / part["limits"][name]


def _sentence(export: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    wants = []
    for name in part["over"]:
        title, unit = LIMIT_TITLES[name]
        cost, limit = part["costs"][name], part["limits"][name]
        wants.append(
            f"{number(cost - limit, unit)} less {title} ({100 * (1 - limit / cost):.0f} %; {_where(export, name)})"
        )
    options = ", ".join(f"{name}={limit_text(part['limits'][name])}" for name in part["over"])
    return f"{part['device']} wants {' and '.join(wants)}: FitDevice('{part['device']}') fits to it, or {options}"


def limit_text(limit: float) -> str:
    """A limit as Python takes it."""
    return f"{limit:_.0f}" if float(limit).is_integer() else f"{limit:g}"


def _where(export: Mapping[str, Any], name: str) -> str:
    key, adds_up = _SHARES[name]
    shares = {layer["name"]: layer[key] or 0 for layer in export["layers"]}
    most = max(shares, key=shares.__getitem__, default="")
    if not adds_up:
        return f"its peak is in {export['peak_layer']}"
    if name == "flash_bytes":
        whole = costs_of(export)["flash_bytes"]
        code = whole - export["weight_bytes"]
        return f"{100 * code / whole:.0f} % of it is code, {100 * shares[most] / whole:.0f} % {most}"
    whole = sum(shares.values()) or 1
    return f"{100 * shares[most] / whole:.0f} % of it is {most}"
