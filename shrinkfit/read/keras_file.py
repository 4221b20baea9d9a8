# SPDX-License-Identifier: Apache-2.0
"""The path of a .keras or .h5 file in, a Keras model out: of Keras 3 where that can load it, else of tf_keras.

Files of older Keras versions (DepthwiseConv2D's "groups", "/" in layer names) and those that hold
tfmot's wrappers load in tf_keras only.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

from shrinkfit._tfmot import tfmot_module
from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError

TFMOT_KINDS = {"QuantizeLayer", "QuantizeWrapper", "QuantizeWrapperV2", "PruneLowMagnitude"}
REASON_LENGTH = 200


def load_model(model: Any) -> Any:
    """A Keras model as it is, or loaded from its path.

    Raises:
        ShrinkfitError: neither Keras can load it.
        UnsupportedLayerError: it has a Lambda layer, whose code would run while it loads.
    """
    if hasattr(model, "layers"):
        return model
    if not isinstance(model, (str, os.PathLike)):
        raise ShrinkfitError(f"got a {type(model).__name__}, expected a Keras model or the path of a .keras or .h5")
    path = os.fspath(model)
    if not os.path.isfile(path):
        raise ShrinkfitError(f"no such model file: '{path}'")
    kinds = _layer_kinds(path)
    if "Lambda" in kinds:
        raise UnsupportedLayerError(
            f"'{path}': layer '{kinds['Lambda']}' (Lambda) holds Python code, which is not run; use a Keras layer"
        )
    tfmot = bool(TFMOT_KINDS & kinds.keys())
    reasons = []
    loaders: dict[str, Callable[[str], Any]] = {"Keras 3": _load_keras3, "tf_keras": partial(_load_keras2, tfmot=tfmot)}
    for keras_name, load in loaders.items():
        try:
            return load(path)
        except Exception as error:  # What Keras raises is up to the file: a damaged one reaches any line of it.
            reasons.append(f"{keras_name} says: {_brief(error)}")
    what = f"'{path}' is no Keras model that can be loaded"
    if tfmot:  # tf_keras builds a wrapper twice when it loads one from .keras, and then misses its variables.
        what = f"'{path}' holds tfmot's wrappers, which load from .h5 only; save it as .h5"
    raise ShrinkfitError(f"{what}. {'; '.join(reasons)}")


def _load_keras3(path: str) -> Any:
    import keras

    return keras.models.load_model(path, compile=False)


def _load_keras2(path: str, tfmot: bool) -> Any:
    import tf_keras

    with ExitStack() as scopes:
        if tfmot:
            scopes.enter_context(tfmot_module("quantization.keras.quantize").quantize_scope())
            scopes.enter_context(tfmot_module("sparsity.keras.prune").prune_scope())
        return tf_keras.models.load_model(path, compile=False)


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= REASON_LENGTH else f"{lines[0][:REASON_LENGTH]}..."


def _layer_kinds(path: str) -> dict[str, str]:
    """Class name -> name of one layer of it, as the file's own description has them; empty for other files."""
    try:
        return dict(_named_classes(json.loads(_description(path))))
    except (OSError, KeyError, TypeError, ValueError, RecursionError, zipfile.BadZipFile):
        return {}


def _description(path: str) -> str | bytes:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return archive.read("config.json")
    import h5py

    with h5py.File(path, "r") as file:
        return file.attrs["model_config"]


def _named_classes(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, dict):
        config = part.get("config")
        if isinstance(part.get("class_name"), str):
            yield part["class_name"], str(config.get("name", "") if isinstance(config, dict) else "")
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from _named_classes(item)
