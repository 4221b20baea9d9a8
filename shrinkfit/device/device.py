# SPDX-License-Identifier: Apache-2.0
"""A microcontroller as shrinkfit sees it: a core, its memories, its clock."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from shrinkfit._shown import Shown
from shrinkfit.device.budget import Budget, Limit, positive, share_of
from shrinkfit.errors import BudgetError, expected_one_of

# Arm's architecture: v7E-M always has the DSP instructions, v6-M, v7-M and v8-M baseline never do.
# Cores of v8-M mainline (M33, M35P, M55, M85) may leave them out, so those are for the maker to say.
_DSP_BY_CORE = {
    "cortex-m0": False,
    "cortex-m0plus": False,
    "cortex-m1": False,
    "cortex-m3": False,
    "cortex-m23": False,
    "cortex-m4": True,
    "cortex-m7": True,
}
_WHOLE = {"clock_hz": "hertz", "flash_bytes": "bytes", "ram_bytes": "bytes", "ram_total_bytes": "bytes"}
_REAL = {
    "active_ua_per_mhz": "microamperes per MHz",
    "flops_per_second": "FLOPs per second",
    "supply_volts": "volts",
}
# Fields that are no figures: what they are, and how to say it.
_FLAG, _TEXT = ((bool, type(None)), "true or false"), (str, "text")
_NO_FIGURES: dict[str, tuple[Any, str]] = {
    **{"dsp": _FLAG, "fpu": _FLAG, "title": _TEXT, "notes": _TEXT},
    **{"sources": (dict, "a table of figure and source"), "aliases": ((tuple, list), "a list of names")},
}
# What to choose kernels for: the best trade, the fewest cycles, or the least code.
OPTIMIZE = ("balanced", "speed", "size")
# Of a battery-driven board, where the part does not say.
SUPPLY_VOLTS = 3.0


@dataclass(frozen=True)
class Device(Shown, by="report.views.device_view"):
    """A part of the catalogue, or one of your own. None means unknown, and sets no limit.

    Args:
        name: what commands and messages call it.
        core: as compilers spell it, for example "cortex-m4".
        title: the maker's part number; the name where it is left out.
        dsp: whether the core has the DSP instructions (SMLAD and its kin); taken from the core where it says.
        fpu: whether it has a floating point unit.
        clock_hz: highest core clock.
        flash_bytes: program memory.
        ram_bytes: largest contiguous RAM, which bounds what one arena can use.
        ram_total_bytes: all RAM; ram_bytes where it is left out.
        active_ua_per_mhz: supply current per MHz while running from flash.
        flops_per_second: the compute that shrinkfit plans with, FLOPs = 2 x MACs.
        supply_volts: for energy; 3.0 V where it is left out.
        optimize: what kernels are chosen for, one of OPTIMIZE.
        sources: field name -> where the figure was read.
        aliases: other names for the same part.
        notes: what is missing or disputed.

    Raises:
        BudgetError: a field is of another type, a figure is not positive, or ram_total_bytes is below ram_bytes.
    """

    name: str
    core: str
    title: str = ""
    dsp: bool | None = None
    fpu: bool | None = None
    clock_hz: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    ram_total_bytes: int | None = None
    active_ua_per_mhz: float | None = None
    flops_per_second: float | None = None
    supply_volts: float | None = None
    optimize: str = "balanced"
    sources: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    aliases: tuple[str, ...] = field(default=(), compare=False)
    notes: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        for what in ("name", "core"):
            if not isinstance(getattr(self, what), str) or not getattr(self, what).strip():
                raise BudgetError(f"a device's {what} is {getattr(self, what)!r}, expected text such as 'cortex-m4'")
        for what, (kind, expected) in _NO_FIGURES.items():
            if not isinstance(getattr(self, what), kind):
                raise BudgetError(f"device '{self.name}': {what} is {getattr(self, what)!r}, expected {expected}")
        self._check_texts()
        for names, whole in ((_WHOLE, True), (_REAL, False)):
            for name, unit in names.items():
                value = getattr(self, name)
                if value is not None:
                    value = positive(value, f"device '{self.name}': {name}", unit, whole=whole)
                    object.__setattr__(self, name, value)
        if self.optimize not in OPTIMIZE:
            raise BudgetError(f"optimize is {self.optimize!r}, {expected_one_of(self.optimize, OPTIMIZE)}")
        self._fill_in()

    def _check_texts(self) -> None:
        """What is inside sources and aliases; a file of the user's own may hold anything there."""
        inside = {f"source of {figure!r}": source for figure, source in self.sources.items()}
        inside |= {f"alias {number}": alias for number, alias in enumerate(self.aliases, 1)}
        for what, value in inside.items():
            if not isinstance(value, str):
                raise BudgetError(f"device '{self.name}': {what} is {value!r}, expected text")

    def _fill_in(self) -> None:
        object.__setattr__(self, "core", self.core.lower())
        object.__setattr__(self, "title", self.title or self.name)
        object.__setattr__(self, "aliases", tuple(self.aliases))
        if self.dsp is None:
            object.__setattr__(self, "dsp", _DSP_BY_CORE.get(self.core))
        if self.ram_total_bytes is None:
            object.__setattr__(self, "ram_total_bytes", self.ram_bytes)
        elif self.ram_bytes is not None and self.ram_total_bytes < self.ram_bytes:
            raise BudgetError(
                f"device '{self.name}': ram_total_bytes is {self.ram_total_bytes}, expected at least its "
                f"ram_bytes, {self.ram_bytes}"
            )

    def __repr__(self) -> str:
        """What makes it again, without what is unknown or follows from the rest."""
        follows = {
            "title": self.name,
            "dsp": _DSP_BY_CORE.get(self.core),
            "ram_total_bytes": self.ram_bytes,
            "optimize": OPTIMIZE[0],
        }
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.compare}
        told = (f"{name}={v!r}" for name, v in own.items() if v is not None and v != follows.get(name))
        return f"Device({', '.join(told)})"

    def budget(
        self,
        ram_bytes: Limit | None = None,
        flash_bytes: Limit | None = None,
        flops: Limit | None = None,
        inferences_per_second: float = 1.0,
        *,
        latency_ms: Limit | None = None,
        energy_uj: float | None = None,
        reserve_ram_bytes: int = 0,
        reserve_flash_bytes: int = 0,
    ) -> Budget:
        """The limits of one inference on this part; what is given takes the place of the part's own figure.

        A limit is a number, or text such as "50%": that share of the part's memory without what is reserved, of
        its FLOP/s, or of the time between two inferences.

        Args:
            ram_bytes, flash_bytes: bytes, at most what the part holds where that is known.
            flops: FLOPs per inference; flops_per_second / inferences_per_second where it is left out.
            inferences_per_second: how often the model runs.
            latency_ms: milliseconds per inference, at most 1000 / inferences_per_second; no limit where left out.
            energy_uj: microjoules per inference; no limit where it is left out.
            reserve_ram_bytes, reserve_flash_bytes: what the application keeps for itself: buffers, stack, code.

        Raises:
            BudgetError: a limit is not positive, the part holds less, a share or a reserve is of a figure that is
                not known, or latency or energy cannot be told without the part's clock or current.
        """
        rate = positive(inferences_per_second, "inferences_per_second", "runs a second", whole=False)
        # Where the contiguous part of the RAM is unknown, all of it is still an upper bound.
        own_ram_bytes = self.ram_bytes if self.ram_bytes is not None else self.ram_total_bytes
        own: dict[str, Any] = {
            "ram_bytes": self._left("ram_bytes", own_ram_bytes, reserve_ram_bytes),
            "flash_bytes": self._left("flash_bytes", self.flash_bytes, reserve_flash_bytes),
            "flops": None if self.flops_per_second is None else self.flops_per_second / rate,
        }
        asked = {"ram_bytes": ram_bytes, "flash_bytes": flash_bytes, "flops": flops, "latency_ms": latency_ms}
        of = own | {"latency_ms": 1000 / rate}
        given: dict[str, Any] = {
            name: self._absolute(name, value, of[name]) for name, value in asked.items() if value is not None
        }
        budget = Budget(**given, energy_uj=energy_uj)
        self._check_within("ram_bytes", budget.ram_bytes, self.ram_total_bytes, reserve_ram_bytes)
        self._check_within("flash_bytes", budget.flash_bytes, self.flash_bytes, reserve_flash_bytes)
        self._check_time(budget, rate)
        return Budget(**(own | given), energy_uj=energy_uj)

    def _left(self, what: str, held: int | None, reserve: int) -> int | None:
        """What an application leaves of a memory."""
        if not isinstance(reserve, str) and reserve == 0:
            return held
        reserve = int(positive(reserve, f"reserve_{what}", "bytes", whole=True))
        if held is not None and reserve >= held:
            raise BudgetError(
                f"reserve_{what} is {reserve}, but {self.name} holds {held}: nothing is left for the model; "
                "reserve less or name a larger device"
            )
        if held is None:
            raise BudgetError(
                f"reserve_{what} is {reserve}, but it is not known what {self.name} holds; leave it out and give "
                f"{what}, the model's own limit"
            )
        return held - reserve

    def _absolute(self, what: str, asked: Limit, of: float | None) -> float:
        if not isinstance(asked, str):
            return asked
        share = share_of(asked, f"budget {what}")
        if of is None:
            raise BudgetError(f"budget {what} is {asked!r} of a figure of {self.name} that is not known; give a number")
        return int(share * of) if what.endswith("_bytes") else share * of

    def _check_within(self, what: str, asked: int | None, held: int | None, reserve: int) -> None:
        if asked is not None and held is not None and asked > held - reserve:
            left = f"{held}" if not reserve else f"{held}, of which {reserve} are reserved"
            raise BudgetError(
                f"budget {what} is {asked}, but {self.name} holds {left}; ask for less or name a larger device"
            )

    def _check_time(self, budget: Budget, rate: float) -> None:
        needs = {"latency_ms": "clock_hz", "energy_uj": "active_ua_per_mhz"}
        for limit, figure in needs.items():
            if getattr(budget, limit) is not None and getattr(self, figure) is None:
                raise BudgetError(
                    f"a limit on {limit} needs the {figure} of {self.name}, which is not known; name another device, "
                    f"or pass a shrinkfit.Device with {figure}"
                )
        if budget.latency_ms is not None and budget.latency_ms > 1000 / rate:
            raise BudgetError(
                f"budget latency_ms is {budget.latency_ms:g}, but {rate:g} inferences a second leave "
                f"{1000 / rate:g} ms for each; ask for less or lower inferences_per_second"
            )
