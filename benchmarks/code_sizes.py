# SPDX-License-Identifier: Apache-2.0
"""Compiles the runtime and the firmware port for every core and writes shrinkfit/price/code_sizes.json.

    python benchmarks/code_sizes.py            # after any change in runtime_c/
    python benchmarks/code_sizes.py --check    # exit status 1 where the file is out of date

Per section: its bytes, its function's stack frame (-fstack-usage, and check/stack.py for assembly), and what its
relocations refer to.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

from shrinkfit._runtime import runtime_dir
from shrinkfit.check.build import FIRMWARE_FLAGS, Target, find_tool
from shrinkfit.check.stack import own_stack_bytes
from shrinkfit.price.code_sizes import LISTEN_MAIN, MODEL_LISTEN, MODEL_RUN, PATH, variant

VARIANTS = (
    [Target(core, fpu=False, dsp=False) for core in ("cortex-m0", "cortex-m0plus", "cortex-m3")]
    + [Target(core, fpu, True) for core in ("cortex-m4", "cortex-m7", "cortex-m33") for fpu in (False, True)]
    + [Target("cortex-m33", fpu, False) for fpu in (False, True)]
)
# Stands in for a model, so that the port's main compiles. The arena itself is priced apart.
MODEL_HEADER = """#include "shrinkfit.h"
#define SF_MODEL_ARENA_BYTES 8192
#define SF_MODEL_INPUT_BYTES 490
#define SF_MODEL_OUTPUT_BYTES 12
int8_t *measured_input(void *arena);
sf_status measured_run(void *arena);
const int8_t *measured_output(const void *arena);
#define sf_model_input measured_input
#define sf_model_run measured_run
#define sf_model_output measured_output
#define sf_model_reset(arena) ((void)(arena))
#define SF_MODEL_EACH_INPUT(each) each(measured_input, SF_MODEL_INPUT_BYTES)
#define SF_MODEL_EACH_OUTPUT(each) each(measured_output, SF_MODEL_OUTPUT_BYTES)
"""
# And for a listener around it.
LISTEN_HEADER = """#include "sf_listen.h"
#include "sf_model.h"
#define SF_LISTENER_BYTES 8192
#define SF_LISTENER_SAMPLE_RATE_HZ 16000
extern const char *const measured_labels[2];
sf_status measured_listen_reset(void *listener);
int32_t measured_listen(void *listener, const int16_t *samples, int32_t count, sf_heard *heard);
#define SF_LISTENER_LABEL(label) measured_labels[label]
#define sf_listener_reset measured_listen_reset
#define sf_listener_take measured_listen
"""
ARENA_SECTIONS = (".bss.sf_arena", ".bss.sf_listener")
ROOT_SECTIONS = (".vectors", ".text.Reset_Handler", ".text.startup.main")
SHF_ALLOC = 2
# What the linker script throws away.
DISCARDED = (".ARM.exidx", ".ARM.extab")
# libgcc's helpers, hand-written for ARMv6-M, save at most these registers: r0-r7, lr and a few words.
LIBGCC_STACK_BYTES = 48


def measure(target: Target) -> dict:
    """Sections, symbols and roots of everything that an image may hold, for one core."""
    with tempfile.TemporaryDirectory() as place:
        objects = compile_all(target, Path(place))
        frames = stack_frames(Path(place))
        sections, symbols = {}, {}
        for path in objects:
            read_object(path.name, path.read_bytes(), frames.get(path.stem, {}), sections, symbols)
    add_libgcc(target, sections, symbols)
    roots = sorted(key for key in sections if key.split(":")[1] in ROOT_SECTIONS and not key.startswith(LISTEN_MAIN))
    if len(roots) != len(ROOT_SECTIONS):
        raise SystemExit(f"expected the sections {ROOT_SECTIONS}, found {roots}")
    ordered = {key: sections[key] for key in sorted(sections)}
    return {"sections": ordered, "symbols": dict(sorted(symbols.items())), "roots": roots}


def compile_all(target: Target, place: Path) -> list[Path]:
    (place / "sf_model.h").write_text(MODEL_HEADER)
    (place / "sf_model_listen.h").write_text(LISTEN_HEADER)
    ports = runtime_dir() / "ports"
    sources = sorted(runtime_dir().glob("sf_*.c")) + sorted((ports / "cortex_m4").glob("*.c"))
    sources.append(ports / "listen" / "firmware.c")
    command = [find_tool("arm-none-eabi-gcc"), *FIRMWARE_FLAGS, *target.compiler_flags, "-fstack-usage"]
    command += [f"-I{place}", f"-I{runtime_dir()}", "-c", *map(str, sources)]
    subprocess.run(command, check=True, cwd=place)
    return sorted(place.glob("*.o"))


def stack_frames(place: Path) -> dict[str, dict[str, int]]:
    """File stem -> function -> bytes, from lines such as "sf_pad.c:7:6:sf_pad_s8<tab>40<tab>static"."""
    frames = {}
    for path in sorted(place.glob("*.su")):
        lines = (line.split("\t") for line in path.read_text().splitlines())
        frames[path.stem] = {where.split(":")[-1]: int(size) for where, size, _ in lines}
    return frames


def stack_frame(function: str, frames: dict[str, int]) -> int:
    """0 for data. The section of a function that gcc has changed is "f.isra.0" where its frame is under "f.isra"."""
    names = [function.rsplit(".", cut)[0] if cut else function for cut in range(function.count(".") + 1)]
    return next((frames[name] for name in names if name in frames), 0)


def pushed_bytes(image: ELFFile, index: int, table) -> int:
    """The deepest stack of a section's functions by their machine code; 0 for data."""
    own = [symbol for symbol in table.iter_symbols() if symbol["st_shndx"] == index]
    functions = [symbol["st_value"] & ~1 for symbol in own if symbol["st_info"]["type"] == "STT_FUNC"]
    # "$d": mapping symbols of the Arm ABI for ELF.
    literals = {symbol["st_value"] for symbol in own if symbol.name.startswith("$d")}
    tables = (s for s in image.iter_sections() if isinstance(s, RelocationSection) and s["sh_info"] == index)
    relocated = {relocation["r_offset"] for one in tables for relocation in one.iter_relocations()}
    code = image.get_section(index).data() if functions else b""
    return max((own_stack_bytes(code, entry, relocated, literals) for entry in functions), default=0)


def read_object(name: str, data: bytes, frames: dict[str, int], sections: dict, symbols: dict) -> None:
    """Adds one object file's sections and global symbols; `sections` values are [bytes, stack, uses]."""
    image = ELFFile(io.BytesIO(data))
    table = image.get_section_by_name(".symtab")

    def key(index) -> str | None:
        section = image.get_section(index)
        wanted = section["sh_flags"] & SHF_ALLOC and section["sh_size"] > 0
        wanted = wanted and not section.name.startswith((*DISCARDED, *ARENA_SECTIONS))
        return f"{name}:{section.name}" if wanted else None

    for index in range(image.num_sections()):
        if key(index):
            section = image.get_section(index)
            function = section.name.removeprefix(".text.").removeprefix("startup.")
            # What assembly pushes is in no .su file; what the compiler lays out is in both.
            frame = max(stack_frame(function, frames), pushed_bytes(image, index, table))
            sections[key(index)] = [-(-section["sh_size"] // 4) * 4, frame, set()]
    for symbol in table.iter_symbols():
        home = symbol["st_shndx"]
        bind = symbol["st_info"]["bind"]
        # A weak definition gives way to any other.
        wanted = bind == "STB_GLOBAL" or (bind == "STB_WEAK" and symbol.name not in symbols)
        # The firmware that listens is a second main; price/code_sizes.py puts it in the first one's place.
        wanted = wanted and not (f"{name}:" == LISTEN_MAIN and symbol.name in ("main", "Fault_Handler"))
        if wanted and isinstance(home, int) and key(home):
            symbols[symbol.name] = key(home)
    for relocations in image.iter_sections():
        if isinstance(relocations, RelocationSection) and key(relocations["sh_info"]):
            uses = sections[key(relocations["sh_info"])][2]
            for relocation in relocations.iter_relocations():
                symbol = table.get_symbol(relocation["r_info_sym"])
                home = symbol["st_shndx"]
                is_local = symbol["st_info"]["bind"] == "STB_LOCAL" and isinstance(home, int)
                # A global goes by its name: another file's definition may replace a weak one.
                uses.add(key(home) if is_local and key(home) else symbol.name)
            uses.discard(key(relocations["sh_info"]))


def add_libgcc(target: Target, sections: dict, symbols: dict) -> None:
    """Adds those members of libgcc that define what is still missing, until nothing is."""
    gcc = [find_tool("arm-none-eabi-gcc"), "-mthumb", *target.compiler_flags, "-print-libgcc-file-name"]
    archive = subprocess.run(gcc, check=True, capture_output=True, text=True).stdout.strip()
    members = archive_members(archive)
    while True:
        wanted = {used for _, _, uses in sections.values() for used in uses}
        missing = sorted(name for name in wanted if name in members and name not in symbols)
        if not missing:
            break
        member = members[missing[0]]
        data = subprocess.run(["arm-none-eabi-ar", "p", archive, member], check=True, capture_output=True).stdout
        before = set(sections)
        read_object(f"libgcc/{member}", data, {}, sections, symbols)
        for key in set(sections) - before:
            sections[key][1] = LIBGCC_STACK_BYTES
    for section in sections.values():
        known = (
            used for used in section[2] if used in sections or used in symbols or used in (MODEL_RUN, MODEL_LISTEN)
        )
        section[2] = sorted({symbols.get(used, used) for used in known})


def archive_members(archive: str) -> dict[str, str]:
    """Symbol -> the first member that defines it, which the linker takes: "__aeabi_lmul in _muldi3.o"."""
    command = ["arm-none-eabi-nm", "--print-armap", archive]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n\n")[0]
    return dict(line.split(" in ") for line in reversed(text.splitlines()) if " in " in line)


def document() -> str:
    """The file's text: JSON with one line per section."""
    version = subprocess.run([find_tool("arm-none-eabi-gcc"), "-dumpfullversion"], capture_output=True, text=True)
    head = {"compiler": f"arm-none-eabi-gcc {version.stdout.strip()}", "flags": " ".join(FIRMWARE_FLAGS)}
    cores = []
    for target in VARIANTS:
        table = measure(target)
        parts = [f'  "roots": {json.dumps(table["roots"])}']
        for part in ("sections", "symbols"):
            lines = ",\n".join(f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in table[part].items())
            parts.append(f'  "{part}": {{\n{lines}\n  }}')
        cores.append(f' "{variant(target.core, target.dsp, target.fpu)}": {{\n' + ",\n".join(parts) + "\n }")
    heads = "\n".join(f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items())
    return f'{{\n{heads}\n"cores": {{\n' + ",\n".join(cores) + "\n}\n}\n"


def stale(names: list[str]) -> list[str]:
    """Those of the variants whose measured sizes differ from the file's."""
    old = json.loads(PATH.read_text())["cores"] if PATH.is_file() else {}
    by_name = {variant(t.core, t.dsp, t.fpu): t for t in VARIANTS}
    return [name for name in names or by_name if old.get(name) != measure(by_name[name])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", nargs="*", metavar="CORE", help="compare these cores, or all; write nothing")
    wanted = parser.parse_args().check
    if wanted is None:
        PATH.write_text(document())
        return 0
    bad = stale(wanted)
    print(f"{PATH.name} is out of date for {', '.join(bad)}: run benchmarks/code_sizes.py" if bad else "up to date")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
