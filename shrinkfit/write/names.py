# SPDX-License-Identifier: Apache-2.0
"""Which names a model may have in C, as prefix of its functions and as name of its files."""

from __future__ import annotations

import re

from shrinkfit.errors import ExportError

# ISO/IEC 9899:2018, 6.4.1, and ISO/IEC 14882:2020, 5.11: the header is for C++ too.
_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl
    concept const const_cast consteval constexpr constinit continue co_await co_return co_yield decltype default delete
    do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
    requires restrict return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor
    xor_eq
"""
# A generated NAME.h must not stand in front of these on the include path; the last line's are included by the
# standard headers of glibc and newlib.
_STANDARD_HEADERS = """
    assert complex ctype errno fenv float inttypes iso646 limits locale math memory setjmp signal stdalign stdarg
    stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype arm_acle
    features strings alloca endian newlib
"""
KEYWORDS, STANDARD_HEADERS = frozenset(_KEYWORDS.split()), frozenset(_STANDARD_HEADERS.split())
LONGEST = 48


def check_name(name: str) -> None:
    """Raise ExportError where a model cannot have this name."""
    shown = f"model name {name!r}"
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
        raise ExportError(
            f"{shown} is no C identifier; expected letters, digits and underscores, not beginning with a digit"
        )
    if name in KEYWORDS:
        raise ExportError(f"{shown} is a keyword of C or C++; choose another, for example '{name}_model'")
    if name.lower() in STANDARD_HEADERS:
        raise ExportError(f"{shown} would hide the standard header <{name.lower()}.h>; choose another")
    if name.startswith("_"):
        raise ExportError(f"{shown} begins with an underscore, which C reserves for the compiler; choose another")
    if name.lower().startswith("sf_") or name.lower() in ("sf", "shrinkfit"):
        raise ExportError(f"{shown} is among the runtime's own names, which are shrinkfit and sf_...; choose another")
    if len(name) > LONGEST:
        raise ExportError(f"{shown} has {len(name)} characters; expected at most {LONGEST}")
