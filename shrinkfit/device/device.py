# SPDX-License-Identifier: Apache-2.0
"""A microcontroller as shrinkfit sees it: a core, its memories, its clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from shrinkfit.device.budget import Budget, positive
from shrinkfit.errors import BudgetError

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
_REAL = {"active_ua_per_mhz": "microamperes per MHz", "flops_per_second": "FLOPs per second"}


@dataclass(frozen=True)
class Device:
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
        sources: field name -> where the figure was read.
        aliases: other names for the same part.
        notes: what is missing or disputed.

    Raises:
        BudgetError: a figure is not positive, or ram_total_bytes is below ram_bytes.
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
    sources: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    aliases: tuple[str, ...] = field(default=(), compare=False)
    notes: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        for what in ("name", "core"):
            if not isinstance(getattr(self, what), str) or not getattr(self, what).strip():
                raise BudgetError(f"a device's {what} is {getattr(self, what)!r}, expected text such as 'cortex-m4'")
        for names, whole in ((_WHOLE, True), (_REAL, False)):
            for name, unit in names.items():
                value = getattr(self, name)
                if value is not None:
                    value = positive(value, f"device '{self.name}': {name}", unit, whole=whole)
                    object.__setattr__(self, name, value)
        self._fill_in()

    def _fill_in(self) -> None:
        object.__setattr__(self, "core", self.core.lower())
        object.__setattr__(self, "title", self.title or self.name)
        object.__setattr__(self, "aliases", tuple(self.aliases))
        if self.dsp is None:
            object.__setattr__(self, "dsp", _DSP_BY_CORE.get(self.core))
        if self.ram_total_bytes is None:
            object.__setattr__(self, "ram_total_bytes", self.ram_bytes)
        if self.ram_bytes is not None and self.ram_total_bytes < self.ram_bytes:
            raise BudgetError(
                f"device '{self.name}': ram_total_bytes is {self.ram_total_bytes}, expected at least its "
                f"ram_bytes, {self.ram_bytes}"
            )

    def budget(
        self,
        ram_bytes: int | None = None,
        flash_bytes: int | None = None,
        flops: float | None = None,
        inferences_per_second: float = 1.0,
    ) -> Budget:
        """The limits of one inference on this part; what is given takes the place of the part's own figure.

        Args:
            ram_bytes, flash_bytes: bytes, at most what the part holds where that is known.
            flops: FLOPs per inference; flops_per_second / inferences_per_second where it is left out.
            inferences_per_second: how often the model runs.

        Raises:
            BudgetError: a limit is not positive, or the part holds less.
        """
        rate = positive(inferences_per_second, "inferences_per_second", "runs a second", whole=False)
        if flops is None and self.flops_per_second is not None:
            flops = self.flops_per_second / rate
        budget = Budget(ram_bytes=ram_bytes, flash_bytes=flash_bytes, flops=flops)
        self._check_within("ram_bytes", budget.ram_bytes, self.ram_total_bytes)
        self._check_within("flash_bytes", budget.flash_bytes, self.flash_bytes)
        # Where the contiguous part of the RAM is unknown, all of it is still an upper bound.
        own_ram_bytes = self.ram_bytes if self.ram_bytes is not None else self.ram_total_bytes
        return Budget(
            ram_bytes=own_ram_bytes if ram_bytes is None else ram_bytes,
            flash_bytes=self.flash_bytes if flash_bytes is None else flash_bytes,
            flops=flops,
        )

    def _check_within(self, what: str, asked: int | None, held: int | None) -> None:
        if asked is not None and held is not None and asked > held:
            raise BudgetError(
                f"budget {what} is {asked}, but {self.name} holds {held}; ask for less or name a larger device"
            )
