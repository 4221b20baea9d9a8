# SPDX-License-Identifier: Apache-2.0
"""Two programs that run the model: a main for CMake, Make, PlatformIO and Zephyr, and an Arduino sketch.

They differ in how they print; what they do with the model is one text.
"""

from __future__ import annotations

from dataclasses import dataclass

from shrinkfit.write.api import Edge
from shrinkfit.write.build_files import MAIN
from shrinkfit.write.packages.package import Package

# Types of one byte, whose bytes are their elements.
_BYTES = ("int8", "uint8")


@dataclass(frozen=True)
class _Printing:
    """The statements with which a program prints a value.

    Args:
        labelled: with {label} and {value}, expressions, and {format}, printf's.
        numbered: with {name}, the inside of a C string, {value} and {format}; the number is i.
        indent: of a statement.
    """

    labelled: tuple[str, ...]
    numbered: tuple[str, ...]
    indent: str


_STDIO = _Printing(
    labelled=('printf("%s: {format}\\n", {label}, {value});',),
    numbered=('printf("{name} %d: {format}\\n", i, {value});',),
    indent="    ",
)
_SERIAL = _Printing(
    labelled=("Serial.print({label});", 'Serial.print(": ");', "Serial.println({value});"),
    numbered=('Serial.print("{name} ");', "Serial.print(i);", 'Serial.print(": ");', "Serial.println({value});"),
    indent="  ",
)


def sketch_path(package: Package) -> str:
    """A sketch's folder has its name."""
    return f"examples/{package.name}/{package.name}.ino"


def files(package: Package) -> dict[str, str]:
    """Relative path -> text."""
    return {MAIN: _main(package), sketch_path(package): _sketch(package)}


def _main(package: Package) -> str:
    n, tests = package.name, package.has_selftest
    selftest = f"    if ({n}_selftest(arena, print) != 0) {{\n        return 1;\n    }}\n" if tests else ""
    return f"""/* Written by shrinkfit: runs {n} once and prints its outputs.
 * A product reads its sensor instead. */
#include <stdio.h>

{_includes(package, '"{}"')}
static int8_t arena[{package.model.prefix}_ARENA_BYTES] SF_ALIGN(8);
{_print_function('(void)printf("%s", text);', "    ") if tests else ""}
int main(void) {{
{selftest}{_reset(package, "    ")}{_fill(package, "    ")}    if ({n}_run(arena) != SF_OK) {{
        printf("{n}: the run failed\\n");
        return 1;
    }}
{_show(package, _STDIO)}    printf("{n}: done\\n");
    return 0;
}}
"""


def _sketch(package: Package) -> str:
    n, tests = package.name, package.has_selftest
    selftest = f'  if ({n}_selftest(arena, print) != 0) {{\n    Serial.println("{n}: do not trust it");\n  }}\n'
    return f"""/* Written by shrinkfit: runs {n} every second and prints its outputs.
 * A product reads its sensor instead. */
{_includes(package, "<{}>")}
static int8_t arena[{package.model.prefix}_ARENA_BYTES] SF_ALIGN(8);
{_print_function("Serial.print(text);", "  ") if tests else ""}
void setup() {{
  Serial.begin(115200);
  while (!Serial && millis() < 3000) {{
  }}
{selftest if tests else ""}{_reset(package, "  ")}}}

void loop() {{
{_fill(package, "  ")}  const unsigned long start = micros();
  if ({n}_run(arena) != SF_OK) {{
    Serial.println("{n}: the run failed");
  }}
  Serial.print("{n}: microseconds ");
  Serial.println(micros() - start);
{_show(package, _SERIAL)}  delay(1000);
}}
"""


def _includes(package: Package, quoted: str) -> str:
    headers = [f"{package.name}.h"] + [f"{package.name}_selftest.h"] * package.has_selftest
    return "".join(f"#include {quoted.format(header)}\n" for header in headers)


def _print_function(statement: str, indent: str) -> str:
    return f"\nstatic void print(const char *text) {{\n{indent}{statement}\n}}\n"


def _reset(package: Package, indent: str) -> str:
    return f"{indent}{package.name}_reset(arena);\n" if package.model.keeps_state else ""


def _fill(package: Package, indent: str) -> str:
    """What stands for nothing in every input."""
    edges = package.model.api.inputs
    return _blocks([_loop(edge, f"{edge.c_type} *", "input", _zero(edge)) for edge in edges], indent)


def _zero(edge: Edge) -> list[str]:
    if not edge.is_quantized:
        return [f"input[i] = {'0.0f' if edge.c_type == 'float' else '0'};"]
    how = f"/* a real value: value / {edge.macro}_SCALE + {edge.macro}_ZERO_POINT */"
    return [how, f"input[i] = {edge.macro}_ZERO_POINT;"]


def _show(package: Package, printing: _Printing) -> str:
    """All outputs, value by value."""
    edges = package.model.api.outputs
    loops = [_loop(edge, f"const {edge.c_type} *", "output", _value(package, edge, printing)) for edge in edges]
    return _blocks(loops, printing.indent)


def _value(package: Package, edge: Edge, printing: _Printing) -> list[str]:
    real = edge.c_type == "float"
    known = {
        "name": edge.function,
        "label": f"{package.name}_labels[i]",
        "value": "(double)output[i]" if real else "(long)output[i]",
        "format": "%f" if real else "%ld",
    }
    return [part.format(**known) for part in (printing.labelled if package.model.labels else printing.numbered)]


def _loop(edge: Edge, c_type: str, variable: str, statements: list[str]) -> list[str]:
    elements = f"{edge.macro}_BYTES" + (f" / (int)sizeof *{variable}" if edge.tensor.dtype not in _BYTES else "")
    begin = [f"{c_type}const {variable} = {edge.function}(arena);", f"for (int i = 0; i < {elements}; i++) {{"]
    return [*begin, *(f"\t{statement}" for statement in statements), "}"]


def _blocks(loops: list[list[str]], indent: str) -> str:
    """The loops in a function; several stand in blocks of their own, as their variables have one name."""
    if len(loops) > 1:
        loops = [["{", *(f"\t{line}" for line in loop), "}"] for loop in loops]
    return "".join(f"{indent}{line}\n".replace("\t", indent) for loop in loops for line in loop)
