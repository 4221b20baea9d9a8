# SPDX-License-Identifier: Apache-2.0
"""docs/coming-from.md: its blocks run, its figures are README's, and what it says is refused is."""

import re
import shutil

import pytest

from shrinkfit.read import activations, layers, tflite_operators
from tests.test_docs import BLOCK, ROOT, TOOLS, run_block

PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUNTIME = README.partition("<!-- runtime.py: begin -->")[2].partition("<!-- runtime.py: end -->")[0]
REFUSED = PAGE.partition("## What is not there")[2]


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")
def test_every_block_runs(tmp_path):
    blocks = BLOCK.findall(PAGE)
    assert {language for language, _ in blocks} == {"sh", "python", "c"}
    for language, text in blocks:
        run_block(language, text, tmp_path)
    assert (tmp_path / "quantized" / "quantized.c").is_file() and (tmp_path / "app").is_file()


def rows(text):
    """(who, figures) of a table of figures per model, without emphasis."""
    found = re.findall(r"^\|[^|]*\| *([^|]+?) *\|((?: [\d.*]+ \|){4})$", text, re.MULTILINE)
    return [(who, figures.replace("*", "")) for who, figures in found]


def test_figures_are_those_of_the_readme():
    assert len(rows(PAGE)) == 8
    assert set(rows(PAGE)) <= set(rows(RUNTIME))


@pytest.mark.parametrize(
    ("bullet", "known", "least"),
    [
        (".tflite operators", tflite_operators.READERS, 20),
        ("Keras layers", layers.READERS, 10),
        ("Activations", activations.SUPPORTED, 4),
    ],
)
def test_what_is_said_to_be_refused_is(bullet, known, least):
    text = re.search(rf"\*\*{bullet}\*\*:(.*?)(?=\n- |\Z)", REFUSED, re.DOTALL)[1]
    names = set(re.findall(r"`(\w+)`", text)) - {"UNIDIRECTIONAL_SEQUENCE_LSTM"}
    assert len(names) >= least and not names & set(known)
