# SPDX-License-Identifier: Apache-2.0
"""The runtime compiled for Arm cores, and what is in its object files."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

from tests.runtime_c.native import RUNTIME

RUNTIME_SOURCES = sorted(RUNTIME.glob("sf_*.c"))
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wvla", "-Werror")


def compile_arm(folder, core, *flags, sources=RUNTIME_SOURCES):
    """One object per source, every function in a section of its own."""
    command = ["arm-none-eabi-gcc", "-std=c99", "-mthumb", f"-mcpu={core}", "-ffunction-sections", *flags]
    subprocess.run([*command, f"-I{RUNTIME}", "-c", *map(str, sources)], cwd=folder, check=True)
    return sorted(Path(folder).glob("*.o"))


@dataclass(frozen=True)
class ArmObject:
    """An object file.

    Args:
        code: section name -> bytes, of those with functions.
        entries: function -> (section, offset).
        relocations: section -> {offset: symbol or section that is meant}.
        literals: section -> offsets where data begin.
    """

    code: dict[str, bytes]
    entries: dict[str, tuple[str, int]]
    relocations: dict[str, dict[int, str]]
    literals: dict[str, set[int]]

    @classmethod
    def read(cls, path):
        with Path(path).open("rb") as stream:
            image = ELFFile(stream)
            code, entries, relocations, literals = {}, {}, {}, {}
            table = image.get_section_by_name(".symtab")
            for symbol in table.iter_symbols():
                if not isinstance(symbol["st_shndx"], int):
                    continue
                home = image.get_section(symbol["st_shndx"]).name
                if symbol["st_info"]["type"] == "STT_FUNC":
                    entries[symbol.name] = (home, symbol["st_value"] & ~1)
                    code[home] = image.get_section(symbol["st_shndx"]).data()
                elif symbol.name.startswith("$d"):
                    literals.setdefault(home, set()).add(symbol["st_value"])
            for section in image.iter_sections():
                if isinstance(section, RelocationSection):
                    meant = relocations.setdefault(image.get_section(section["sh_info"]).name, {})
                    for one in section.iter_relocations():
                        symbol = table.get_symbol(one["r_info_sym"])
                        meant[one["r_offset"]] = symbol.name or image.get_section(symbol["st_shndx"]).name
        return cls(code, entries, relocations, literals)

    def functions(self):
        """Function -> what own_stack_bytes takes."""
        return {
            name: (self.code[home], offset, self.relocations.get(home, {}), self.literals.get(home, set()))
            for name, (home, offset) in self.entries.items()
        }
