# SPDX-License-Identifier: Apache-2.0
"""Every message that docs/troubleshooting.md quotes comes, word for word, from the code that `messages` has for it."""

import re
import shutil
from pathlib import Path

import pytest

from shrinkfit.errors import ShrinkfitError
from tests.messages import CASES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "troubleshooting.md"
# A message is a quotation; "…" stands for what is left out.
QUOTED = [
    " ".join(line[2:] for line in block.splitlines())
    for block in re.findall(r"(?:^> .*\n)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
]
WITHOUT_TOOLS = "without: "


def said(begin: str) -> str:
    """What a case raises, or answers, in one line."""
    try:
        answer = CASES[begin]()
    except ShrinkfitError as error:
        answer = error
    return " ".join(str(answer).replace("‘", "'").replace("’", "'").split())


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("begin", CASES)
def test_the_message_is_said(begin, tmp_path, monkeypatch):
    (message,) = [m for m in QUOTED if m.startswith(begin.removeprefix(WITHOUT_TOOLS))]
    monkeypatch.chdir(tmp_path)
    if begin.startswith(WITHOUT_TOOLS):
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CC", raising=False)
    pattern = ".*".join(map(re.escape, message.split("…")))
    got = said(begin)
    assert re.search(pattern, got), got


def test_every_message_of_the_page_has_its_code():
    assert len(QUOTED) == len(set(QUOTED)) == len(CASES)


def test_messages_are_quoted_to_their_end():
    """An elision stands for a part, not for what the code would not say: no message is mostly left out."""
    assert all(len(message.replace("…", "")) > 25 and not message.startswith("…") for message in QUOTED)
