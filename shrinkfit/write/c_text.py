# SPDX-License-Identifier: Apache-2.0
"""Names, numbers and strings in, pieces of C out."""

from __future__ import annotations

import re

import numpy as np

from shrinkfit.graph import ir


def guard(file_name: str) -> str:
    """The macro that keeps a header from being read twice, without its _H."""
    return re.sub(r"[^A-Z0-9]", "_", file_name.upper())


def c_shape(tensor: ir.Tensor) -> str:
    """A tensor's shape for a comment, such as 49x40x1; without the batch of 1."""
    shape = tensor.shape[1:] if tensor.shape[0] == 1 else tensor.shape
    return "x".join(str(n) for n in shape) or "1"


def comment(text: str) -> str:
    """Text that is safe inside a C comment."""
    return re.sub(r"[^\x20-\x7e]", "?", text).replace("*/", "* /").replace("/*", "/ *")


def c_float(value: float) -> str:
    """A C literal of the nearest float32, in as few digits as give it back."""
    return f"{np.float32(value)!s}f"


def c_string(text: str) -> str:
    """A C string literal of the text's UTF-8; octal escapes end after three digits, whatever follows."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode("utf-8")) + '"'
