# SPDX-License-Identifier: Apache-2.0
"""The files of an Arduino library: library.properties and keywords.txt; the sketch is in examples.py.

The folder has no src/, so that it has the flat layout: the C files in its root are compiled, ports/ is not.
Source: Arduino library specification 1.5, rev. 2.2, docs.arduino.cc/arduino-cli/library-specification; what is
checked of it is in arduino-lint's etc/schemas/arduino-library-properties-definitions-schema.json.
"""

from __future__ import annotations

from shrinkfit.write.packages.package import Package

# arduino-lint refuses a library without author, maintainer or url, and warns of a url that does not answer. Where the
# user names no page, this one at least is about what is in the folder: the licence of the runtime.
LICENSE_URL = "https://www.apache.org/licenses/LICENSE-2.0"


def files(package: Package) -> dict[str, str]:
    """Relative path -> text."""
    return {"library.properties": _properties(package), "keywords.txt": _keywords(package)}


def library_name(package: Package) -> str:
    """Names that begin with "arduino" are for Arduino's own libraries."""
    return f"model_{package.name}" if package.name.lower().startswith("arduino") else package.name


def _properties(package: Package) -> str:
    generated = f"shrinkfit {package.version} (generated code)"
    fields = {
        "name": library_name(package),
        "version": package.version,
        "author": package.origin.author or generated,
        "maintainer": package.origin.author or generated,
        "sentence": package.sentence,
        "paragraph": package.details,
        "category": "Data Processing",
        "url": package.origin.url or LICENSE_URL,
        "architectures": "*",
        "includes": ",".join(package.own_headers),
    }
    return "".join(f"{key}={value}\n" for key, value in fields.items())


def _keywords(package: Package) -> str:
    """One word a line, a tab, what it is: KEYWORD2 functions, LITERAL1 constants."""
    lines = [f"{name}\tKEYWORD2" for name in package.functions]
    lines += [f"{name}\tLITERAL1" for name in package.constants]
    return "".join(f"{line}\n" for line in lines)
