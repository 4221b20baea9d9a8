# SPDX-License-Identifier: Apache-2.0
"""Whatever a user calls a model in, an integer graph out."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from shrinkfit._progress import step
from shrinkfit.errors import ShrinkfitError, near_files
from shrinkfit.graph.ir import Graph

KERAS_FILES = (".keras", ".h5")
MODEL_FILES = (".tflite", *KERAS_FILES)


def read_source(
    source: Any, *, calibration: Any = None, shapes_only: bool = False, correct_biases: bool = False
) -> Graph:
    """Read a model.

    Args:
        source: a Graph, a Keras model, or the path of a .tflite, .keras or .h5 file.
        calibration: float [n, ...], example inputs for a Keras model that has no ranges of its own.
        shapes_only: a Keras model is read with made-up weights and ranges, which is enough for a price.
        correct_biases: of a Keras model, as `read_keras` takes it.
    Raises:
        ShrinkfitError: no such file, not a model, or one that cannot be read.
    """
    if isinstance(source, Graph):
        return source
    if is_tflite(source):
        from shrinkfit.read.tflite import read_tflite

        step(f"reading '{source}'")
        return read_tflite(_file(source))
    if isinstance(source, (str, PathLike)) and _file(source).suffix not in KERAS_FILES:
        raise ShrinkfitError(f"'{source}' ends in '{Path(source).suffix}', expected a .tflite, .keras or .h5 file")
    step("starting TensorFlow")
    from shrinkfit.read.keras_model import read_keras, read_shapes

    step("reading the Keras model" if hasattr(source, "layers") else f"reading '{source}'")
    if shapes_only:
        return read_shapes(source)
    return read_keras(source, calibration=calibration, correct_biases=correct_biases)


def is_tflite(source: Any) -> bool:
    """Whether it is the path of a .tflite file."""
    return isinstance(source, (str, PathLike)) and Path(source).suffix == ".tflite"


def _file(source: str | PathLike) -> Path:
    path = Path(source)
    if path.is_dir():
        raise ShrinkfitError(f"'{path}' is a folder, expected a .tflite, .keras or .h5 file")
    if not path.is_file():
        raise ShrinkfitError(f"no such model file: '{path}'{near_files(path, MODEL_FILES)}")
    return path
