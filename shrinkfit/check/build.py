# SPDX-License-Identifier: Apache-2.0
"""Exported folder -> host program (with sanitizers) or Cortex-M image, and the sizes of what was linked.

Nothing is written into the exported folder: everything goes to the build directory that the caller names.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shrinkfit._progress import step
from shrinkfit.device import Device
from shrinkfit.errors import CheckError, ToolMissingError

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

INSTALL = {
    "gcc": "apt-get install gcc",
    "arm-none-eabi-gcc": "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "qemu-system-arm": "apt-get install qemu-system-arm",
}

STANDARD = ("-std=c11", "-Wall", "-Wextra")
HOST_FLAGS = (
    *STANDARD,
    "-Wconversion",
    "-Werror",
    "-O1",
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)
# -O2: the kernels are measured at it; -Os costs them 23-47 %.
FIRMWARE_FLAGS = (*STANDARD, "-O2", "-mthumb", "-ffunction-sections", "-fdata-sections")
LINK_FLAGS = ("-nostdlib", "-Wl,--gc-sections")
# For Python to load; what is to be found in the C, check finds.
LIBRARY_FLAGS = ("-std=c11", "-w", "-O2", "-shared", "-fPIC")
HOST_COMPILERS = ("cc", "gcc", "clang")
COMPILE_SECONDS = 300


# Core -> its single precision floating point unit, where one can be had.
CORES = {
    "cortex-m0": None,
    "cortex-m0plus": None,
    "cortex-m3": None,
    "cortex-m4": "fpv4-sp-d16",
    "cortex-m7": "fpv5-sp-d16",
    "cortex-m33": "fpv5-sp-d16",
}
# What emulated boards have of each memory; taken where a part's own figure is unknown.
UNKNOWN_MEMORY_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Target:
    """What the compiler and the linker have to know about a part.

    Args:
        core: "cortex-m4" and the like, as gcc's -mcpu names it.
        fpu: whether floating point registers may be used.
        dsp: whether a core that may leave them out has the DSP instructions.
        flash_bytes, ram_bytes: the memories that the image has to fit into.
        flash_origin, ram_origin: their addresses.

    Raises:
        CheckError: a core that check does not build for.
    """

    core: str = "cortex-m4"
    fpu: bool = True
    dsp: bool = True
    flash_bytes: int = UNKNOWN_MEMORY_BYTES
    ram_bytes: int = UNKNOWN_MEMORY_BYTES
    flash_origin: int = 0x00000000
    ram_origin: int = 0x20000000

    def __post_init__(self) -> None:
        if self.core not in CORES:
            raise CheckError(f"core '{self.core}' is not one that check builds for: {', '.join(CORES)}")

    @classmethod
    def of(cls, device: Device) -> Target:
        """The target of a Device; an unknown FPU or DSP is taken as absent."""
        return cls.of_record(asdict(device))

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Target:
        """The same of a Device's fields by name, as report.json has them."""
        return cls(
            record["core"],
            bool(record["fpu"]),
            bool(record["dsp"]),
            record["flash_bytes"] or UNKNOWN_MEMORY_BYTES,
            record["ram_bytes"] or UNKNOWN_MEMORY_BYTES,
        )

    @property
    def compiler_flags(self) -> tuple[str, ...]:
        """What names the core and its floating point unit to gcc."""
        cpu = self.core + ("+nodsp" if self.core == "cortex-m33" and not self.dsp else "")
        unit = CORES[self.core]
        float_flags = ("-mfloat-abi=hard", f"-mfpu={unit}") if self.fpu and unit else ("-mfloat-abi=soft",)
        return (f"-mcpu={cpu}", *float_flags)

    @property
    def linker_flags(self) -> tuple[str, ...]:
        """The symbols that the linker script takes the memories from."""
        symbols = {
            "SF_FLASH_ORIGIN": self.flash_origin,
            "SF_FLASH_BYTES": self.flash_bytes,
            "SF_RAM_ORIGIN": self.ram_origin,
            "SF_RAM_BYTES": self.ram_bytes,
        }
        return tuple(f"-Wl,--defsym={name}={value:#x}" for name, value in symbols.items())


@dataclass(frozen=True)
class Symbol:
    """A function or object in an ELF file; `address` without the Thumb bit."""

    name: str
    address: int
    size_bytes: int
    section: str
    is_code: bool = True


@dataclass(frozen=True)
class LinkedSizes:
    """What `arm-none-eabi-size` prints: flash is text + data, RAM is data + bss.

    Args:
        flash_bytes, ram_bytes: int.
        sections: section name -> bytes, of those that the device holds.
        symbols: functions and objects, by address.
    """

    flash_bytes: int
    ram_bytes: int
    sections: dict[str, int] = field(repr=False)
    symbols: tuple[Symbol, ...] = field(repr=False)


def find_tool(name: str) -> str:
    """The path of a program.

    Raises:
        ToolMissingError: it is not installed; says what to install.
    """
    path = shutil.which(name)
    if path is None:
        raise ToolMissingError(f"{name} is not installed; install it with: {INSTALL[name]}")
    return path


_LISTENING = {"host": "host.c", "cortex_m4": "firmware.c"}


def sources(folder: Path, port: str, *, listen: bool = False) -> list[Path]:
    """The C files of an exported folder, with those of one port ("host" or "cortex_m4").

    listen: with the main that listens to sound in place of the one that runs inputs.
    """
    files = sorted(folder.glob("*.c")) + sorted((folder / "ports" / port).glob("*.c"))
    if listen:
        main = folder / "ports" / "listen" / _LISTENING[port]
        if not main.is_file():
            raise CheckError(f"'{folder}' has no {main.relative_to(folder)}: it was exported without a listener")
        files = [path for path in files if path.name != "main.c"] + [main]
    if not (folder / "sf_model.h").is_file() or not (folder / "ports" / port / "main.c").is_file():
        raise CheckError(
            f"'{folder}' has no sf_model.h or no ports/{port}/main.c, so it is not a whole folder "
            "that shrinkfit wrote; export the model again"
        )
    return files


def build_host(folder: Path, build_dir: Path, *, use_dsp: bool, listen: bool = False) -> Path:
    """Compile an exported folder for this computer, with address and undefined behaviour sanitizers.

    Args:
        folder: what export wrote.
        build_dir: an existing directory for the program.
        use_dsp: the portable twin of the DSP kernels, or the scalar reference.
        listen: the program that listens to sound.

    Returns:
        The program's path; it takes two file names: raw inputs and outputs, or sound and scores.

    Raises:
        ToolMissingError: no gcc. CheckError: the C does not compile, or with a warning.
    """
    program = build_dir / f"host_{'listen_' * listen}{'dsp' if use_dsp else 'scalar'}"
    command = [find_tool("gcc"), *HOST_FLAGS, f"-DSF_USE_DSP={int(use_dsp)}", f"-I{folder}"]
    files = map(str, sources(folder, "host", listen=listen))
    _compile([*command, *files, "-lm", "-o", str(program)], f"'{folder}' for the host")
    return program


def build_library(folder: Path, build_dir: Path, *, use_dsp: bool) -> Path:
    """Compile an exported folder for this computer into a shared library.

    Args:
        folder: what export wrote.
        build_dir: an existing directory for the library.
        use_dsp: the portable twin of the DSP kernels, or the scalar reference.

    Returns:
        The library's path.

    Raises:
        ToolMissingError: no C compiler. CheckError: the C does not compile.
    """
    library = build_dir / f"lib{folder.name}.so"
    command = [*host_compiler(), *LIBRARY_FLAGS, f"-DSF_USE_DSP={int(use_dsp)}", f"-I{folder}"]
    _compile([*command, *map(str, sorted(folder.glob("*.c"))), "-o", str(library)], f"'{folder}' for this computer")
    return library


def host_compiler() -> list[str]:
    """The command that compiles C for this computer: $CC, or the first one installed.

    Raises:
        ToolMissingError: there is none.
    """
    wanted = shlex.split(os.environ.get("CC", ""))
    for command in [wanted] if wanted else [[name] for name in HOST_COMPILERS]:
        path = shutil.which(command[0])
        if path is not None:
            return [path, *command[1:]]
    tried = f"$CC, '{wanted[0]}', is" if wanted else f"{', '.join(HOST_COMPILERS)} are all"
    raise ToolMissingError(f"no C compiler was found: {tried} not installed; install one with: {INSTALL['gcc']}")


def build_firmware(
    folder: Path, build_dir: Path, target: Target, *, stack_bytes: int | None = None, listen: bool = False
) -> Path:
    """Compile and link an exported folder into a whole firmware image.

    Args:
        folder: what export wrote.
        build_dir: an existing directory for firmware.elf and firmware.map.
        target: what to compile for.
        stack_bytes: what to set aside for the stack; the linker script's default where it is None.
        listen: the image that listens to sound.

    Returns:
        The image's path.

    Raises:
        ToolMissingError: no arm-none-eabi-gcc. CheckError: it does not compile, or does not fit the memory.
    """
    elf = build_dir / ("listen.elf" if listen else "firmware.elf")
    command = [find_tool("arm-none-eabi-gcc"), *FIRMWARE_FLAGS, *target.compiler_flags, f"-I{folder}"]
    command += map(str, sources(folder, "cortex_m4", listen=listen))
    command += [*LINK_FLAGS, *target.linker_flags, f"-T{folder / 'ports' / 'cortex_m4' / 'link.ld'}"]
    command += [] if stack_bytes is None else [f"-Wl,--defsym=SF_STACK_BYTES={stack_bytes}"]
    command += [f"-Wl,-Map={elf.with_suffix('.map')}", "-lgcc", "-o", str(elf)]
    _compile(command, f"'{folder}' for {target.core}")
    return elf


def _compile(command: list[str], what: str) -> None:
    step(f"compiling {what}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CheckError(f"compiling {what} took longer than {COMPILE_SECONDS} s and was ended") from error
    if done.returncode != 0:
        raise CheckError(f"{what} does not compile:\n{_tell(done.stderr)}")


def _tell(stderr: str, most_lines: int = 20) -> str:
    lines = stderr.strip().splitlines()
    return "\n".join(lines[:most_lines] + ([f"... {len(lines) - most_lines} more lines"] * (len(lines) > most_lines)))


# ELF section flags and types (System V ABI, "Sections").
_SHF_WRITE, _SHF_ALLOC, _SHT_NOBITS = 0x1, 0x2, "SHT_NOBITS"


def linked_sizes(elf: Path) -> LinkedSizes:
    """Sizes of a linked image, by the rules of `arm-none-eabi-size`.

    Args:
        elf: path of the image.

    Raises:
        CheckError: it has no symbols.
    """
    from elftools.elf.elffile import ELFFile

    flash = ram = 0
    sections = {}
    with Path(elf).open("rb") as stream:
        image = ELFFile(stream)
        for section in image.iter_sections():
            if not section["sh_flags"] & _SHF_ALLOC or section["sh_size"] == 0:
                continue
            sections[section.name] = section["sh_size"]
            empty = section["sh_type"] == _SHT_NOBITS
            flash += 0 if empty else section["sh_size"]
            ram += section["sh_size"] if empty or section["sh_flags"] & _SHF_WRITE else 0
        symbols = tuple(sorted(_symbols(image), key=lambda s: (s.address, s.name)))
    return LinkedSizes(flash, ram, sections, symbols)


def _symbols(image: ELFFile) -> Iterator[Symbol]:
    from elftools.elf.sections import SymbolTableSection

    table = image.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        raise CheckError("the linked image has no symbol table; link it without stripping symbols")
    for entry in table.iter_symbols():
        kind, home = entry["st_info"]["type"], entry["st_shndx"]
        if kind in ("STT_FUNC", "STT_OBJECT") and isinstance(home, int):
            is_code = kind == "STT_FUNC"
            section = image.get_section(home).name
            yield Symbol(entry.name, entry["st_value"] & ~int(is_code), entry["st_size"], section, is_code)
