# SPDX-License-Identifier: Apache-2.0
"""Names of functions and a device in, bytes of linked code and depth of stack out.

code_sizes.json holds what benchmarks/code_sizes.py measured on the compiled runtime: every section's
bytes, its stack frame and the sections it uses. So a price needs no compiler.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from shrinkfit.errors import ShrinkfitError

PATH = Path(__file__).with_name("code_sizes.json")
# The firmware calls the model's run function under this name when the sizes are measured.
MODEL_RUN, MODEL_LISTEN = "measured_run", "measured_listen"
# The objects of the firmware that runs inputs, and of the one that listens, ports/listen/firmware.c.
MAIN, LISTEN_MAIN = "main.o:", "firmware.o:"
DATA_KINDS = (".data", ".bss")


@dataclass(frozen=True)
class Section:
    """One section of one object file.

    Args:
        size_bytes: rounded up to whole words, as the linker places it.
        stack_bytes: its function's own stack frame; 0 for data.
        uses: keys of the sections, and names of undefined symbols, that it refers to.
    """

    size_bytes: int
    stack_bytes: int
    uses: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CodeSizes:
    """The runtime and the firmware around it, compiled for one core. There is one object per core, which remembers
    what it was asked.

    Args:
        sections: key ("file:section") -> Section.
        symbols: global symbol -> key of the section that holds it.
        roots: keys that every image holds.
    """

    sections: dict[str, Section]
    symbols: dict[str, str]
    roots: tuple[str, ...]

    def key(self, name: str) -> str | None:
        """The key of a section, given itself or a symbol in it; None where there is none."""
        return name if name in self.sections else self.symbols.get(name)

    def linked(self, symbols: tuple[str, ...]) -> frozenset[str]:
        """Keys of all sections that an image with these symbols holds."""
        found: set[str] = set()
        waiting = [*self.roots, *symbols]
        while waiting:
            key = self.key(waiting.pop())
            if key is not None and key not in found:
                found.add(key)
                waiting += self.sections[key].uses
        return frozenset(found)

    @lru_cache(maxsize=256)  # noqa: B019
    def flash_bytes(self, symbols: tuple[str, ...]) -> int:
        """Code and constants of all that is linked; .data counts, since its start values lie in flash."""
        return sum(self.sections[k].size_bytes for k in self.linked(symbols) if ":.bss" not in k)

    @lru_cache(maxsize=256)  # noqa: B019
    def ram_bytes(self, symbols: tuple[str, ...]) -> int:
        """.data and .bss of all that is linked, without the arena."""
        return sum(self.sections[k].size_bytes for k in self.linked(symbols) if k.split(":")[1].startswith(DATA_KINDS))

    @lru_cache(maxsize=256)  # noqa: B019
    def stack_bytes(self, symbol: str, model_bytes: int = 0) -> int:
        """The deepest path of calls that begins at a symbol; model_bytes: what the model's run function takes, or its
        listener."""
        return self._deepest(symbol, model_bytes, ())

    def _deepest(self, name: str, model_bytes: int, path: tuple[str, ...]) -> int:
        if name in (MODEL_RUN, MODEL_LISTEN):
            return model_bytes
        key = self.key(name)
        # A section's reference to itself is a jump or a literal; the runtime has no recursion.
        if key is None or key in path:
            return 0
        section = self.sections[key]
        below = (self._deepest(used, model_bytes, (*path, key)) for used in section.uses)
        return section.stack_bytes + max(below, default=0)


def variant(core: str, dsp: bool, fpu: bool) -> str:
    """The key of code_sizes.json: the core as gcc names it, "+nodsp" for an M33 without, "+fp" with an FPU."""
    plain = f"{core}+nodsp" if core == "cortex-m33" and not dsp else core
    return f"{plain}+fp" if fpu and core in ("cortex-m4", "cortex-m7", "cortex-m33") else plain


@cache
def load(name: str) -> CodeSizes:
    """The measured sizes of a variant.

    Raises:
        ShrinkfitError: there is none for this core; the message lists those that there are.
    """
    cores = _document()["cores"]
    if name not in cores:
        known = ", ".join(sorted({key.split("+")[0] for key in cores}))
        raise ShrinkfitError(
            f"core '{name.split('+')[0]}' has no measured code sizes; give the nearest of {known} as the Device's core"
        )
    table = cores[name]
    sections = {key: Section(bytes_, stack, tuple(uses)) for key, (bytes_, stack, uses) in table["sections"].items()}
    return CodeSizes(sections, table["symbols"], tuple(table["roots"]))


@cache
def load_listening(name: str) -> CodeSizes:
    """As `load`, of the image that listens to sound."""
    sizes = load(name)
    if not any(key.startswith(LISTEN_MAIN) for key in sizes.sections):
        raise ShrinkfitError(f"'{PATH.name}' has no sizes of the listening firmware: run benchmarks/code_sizes.py")
    own = {key.removeprefix(LISTEN_MAIN): s for key, s in sizes.sections.items() if key.startswith(LISTEN_MAIN)}
    return replace(sizes, sections=sizes.sections | {MAIN + name: section for name, section in own.items()})


@cache
def _document() -> dict[str, Any]:
    return json.loads(PATH.read_text(encoding="utf-8"))
