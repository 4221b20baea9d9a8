# SPDX-License-Identifier: Apache-2.0
"""An exported folder as every build system sees it: sources, headers, and what the headers declare."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from shrinkfit import __version__
from shrinkfit.device import Device
from shrinkfit.errors import ExportError
from shrinkfit.write.c_text import comment
from shrinkfit.write.model import Model

_INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
# A declaration begins a line, and may be wrapped behind its parenthesis.
_FUNCTION = r"^(?!#|static)[A-Za-z_].*?\b({name}_\w+)\("
_CONSTANT = r"^#define ({prefix}_\w+) "


# "Name <mail>", as Arduino and PlatformIO have it.
_AUTHOR = re.compile(r"(?P<name>[^<>\x00-\x1f]*[^<>\s])(?:\s*<(?P<mail>[^<>\s]+@[^<>\s]+)>)?")
_URL = re.compile(r"https?://[^\s/]+\S*", re.ASCII)


def _matches(pattern: re.Pattern[str], given: object) -> bool:
    return isinstance(given, str) and pattern.fullmatch(given) is not None


@dataclass(frozen=True)
class Origin:
    """Who made a model, and where there is more about it; None where that was not said.

    Raises:
        ExportError: an author that is no name, or "name <mail>"; a url that is none of the web.
    """

    author: str | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        if self.author is not None and not _matches(_AUTHOR, self.author):
            raise ExportError(f"author is {self.author!r}, expected one line such as 'Ada <ada@example.com>'")
        if self.url is not None and not _matches(_URL, self.url):
            raise ExportError(f"url is {self.url!r}, expected one such as 'https://example.com/hotword'")

    @property
    def authors(self) -> list[dict[str, str]]:
        """As PlatformIO's manifest lists them; none where nobody is known."""
        found = _AUTHOR.fullmatch(self.author or "")
        if found is None:
            return []
        return [{"name": found["name"]} | ({"email": found["mail"]} if found["mail"] else {})]


@dataclass(frozen=True)
class Package:
    """What there is to package.

    Args:
        model: all that the model's C says.
        device: what it was written for.
        stack_bytes: what a firmware sets aside.
        files: relative path -> content of the folder, without what makes it a package.
        origin: whose it is.
    """

    model: Model
    device: Device
    stack_bytes: int
    files: dict[str, bytes]
    origin: Origin = Origin()

    version = __version__

    @property
    def name(self) -> str:
        """The model's name in C."""
        return self.model.name

    @property
    def sentence(self) -> str:
        """What it is, for manifests."""
        return f"{self.name}, a neural network in plain C without interpreter and heap."

    @property
    def details(self) -> str:
        """Where it comes from and what it takes."""
        source, memory = comment(self.model.graph.name), self.model.plan.arena_bytes
        return f'Written by shrinkfit {self.version} from the model "{source}"; its arena takes {memory} bytes of RAM.'

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The C files to compile, those of ports/ aside."""
        return tuple(sorted(path for path in self.files if "/" not in path and path.endswith(".c")))

    @property
    def has_selftest(self) -> bool:
        """Whether NAME_selftest was exported too."""
        return f"{self.name}_selftest.c" in self.files

    @cached_property
    def own_headers(self) -> tuple[str, ...]:
        """NAME.h and what stands beside it, for programs to include."""
        others = (path for path in sorted(self.files) if re.fullmatch(rf"{self.name}_\w+\.h", path))
        return (f"{self.name}.h", *(path for path in others if path != f"{self.name}_weights.h"))

    @cached_property
    def public_headers(self) -> tuple[str, ...]:
        """What a program needs to include them: these and all that they include."""
        found, left = set(), [*self.own_headers, "sf_model.h"]
        while left:
            path = left.pop()
            if path in self.files and path not in found:
                found.add(path)
                left += _INCLUDE.findall(self.files[path].decode())
        return tuple(sorted(found))

    @property
    def functions(self) -> tuple[str, ...]:
        """What the package's own headers declare."""
        return self._declared(_FUNCTION.format(name=self.name))

    @property
    def constants(self) -> tuple[str, ...]:
        """What the package's own headers define."""
        return self._declared(_CONSTANT.format(prefix=self.model.prefix))

    def _declared(self, pattern: str) -> tuple[str, ...]:
        texts = (self.files[path].decode() for path in self.own_headers)
        return tuple(sorted({name for text in texts for name in re.findall(pattern, text, re.MULTILINE)}))
