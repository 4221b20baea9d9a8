# SPDX-License-Identifier: Apache-2.0
"""Long work says what it is doing, to whoever asked and only as long as they listen."""

import shutil

import pytest

import shrinkfit
from shrinkfit._progress import heard_by, step, steps
from shrinkfit.write.export import write_folder
from tests.write import nets


@pytest.fixture
def heard():
    told = []
    with heard_by(lambda *what: told.append(what)):
        yield told
    step("nobody hears this")
    assert "nobody hears this" not in [what for what, _, _ in told]


def test_steps_are_counted(heard):
    assert list(steps("ab", "letters")) == ["a", "b"]
    step("the end")
    assert heard == [("letters", 0, 2), ("letters", 1, 2), ("the end", 0, None)]


def test_every_part_is_counted(heard):
    shrinkfit.price_all(nets.tiny())
    count = len(shrinkfit.devices())
    assert heard == [("pricing all parts", done, count) for done in range(count)]


def test_an_export_says_where_it_is(heard, tmp_path):
    shrinkfit.export(nets.tiny(), tmp_path / "fw", name="net", ram="smallest")
    order = ["rewriting", "looking for stripes", "planning memory", "writing C", "pricing", f"writing '{tmp_path}"]
    said = [what for what, _, _ in heard]
    places = [next(i for i, what in enumerate(said) if what.startswith(begin)) for begin in order]
    assert places == sorted(places)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_check_says_where_it_is(heard, tmp_path):
    write_folder(nets.tiny(), tmp_path / "fw", name="net")
    heard.clear()
    shrinkfit.check(tmp_path / "fw")
    said = [what for what, _, _ in heard]
    assert len([what for what in said if what.startswith("compiling")]) == 2
    assert said[-1] == "simulating 32 inputs"
