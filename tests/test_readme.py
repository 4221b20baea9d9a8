# SPDX-License-Identifier: Apache-2.0
"""README's Python runs as it stands, on a model and data made here; only the epochs are fewer."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import shrinkfit

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm")


def model_and_data() -> dict:
    """A small compiled model over 2 MFLOP, and classes that its input shows."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    y = np.arange(96) % 3
    x = np.random.default_rng(1).normal(0, 0.2, (96, 32, 32, 1)) + y[:, None, None, None] - 1
    return {"model": model, "x": x.astype(np.float32), "y": y}


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {' and '.join(TOOLS)}")
def test_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = model_and_data()
    exec(compile(BLOCKS[0].replace("epochs=30", "epochs=10"), "README.md", "exec"), names)
    assert "every byte as simulated" in capsys.readouterr().out
    assert shrinkfit.price(names["model"]).flops > 2_000_000 >= shrinkfit.price("hotword.keras").flops
    assert Path("firmware/hotword.c").is_file()


def test_own_board_runs():
    names = {"shrinkfit": shrinkfit}
    exec(compile(BLOCKS[1], "README.md", "exec"), names)
    assert names["board"].budget().flash_bytes == 512 * 1024


def test_every_command_named_exists():
    from typer.main import get_command

    from shrinkfit.cli import app

    known = set(get_command(app).commands)
    assert set(re.findall(r"^shrinkfit (\w+)", README, re.MULTILINE)) <= known


def test_every_page_is_listed():
    pages = {path.name for path in (Path(__file__).resolve().parents[1] / "docs").glob("*.md")}
    assert set(re.findall(r"\]\(docs/([\w-]+\.md)\)", README)) == pages
