# SPDX-License-Identifier: Apache-2.0
"""What was exported in, its quantization error for report.json out: figures per tensor, or why there are none."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph.ir import Graph
from shrinkfit.read.source import is_tflite

KEPT, GIVEN = "inputs that the fit kept of its last epoch", "inputs of the calibration data"


def quantization_record(source: Any, graph: Graph, calibration: Any) -> dict[str, Any]:
    """{"quantization": {"inputs", "source", "tensors", "because"}}; because says why there are no tensors.

    Args:
        source, calibration: as `export` takes them.
        graph: what was read from the source, before it is rewritten.
    """
    try:
        found, of = _measured(source, graph, calibration)
    except ShrinkfitError as error:
        return {"quantization": {"inputs": 0, "source": "", "tensors": [], "because": str(error)}}
    tensors = [asdict(tensor) for tensor in found.tensors]
    return {"quantization": {"inputs": found.inputs, "source": of, "tensors": tensors, "because": ""}}


def _measured(source: Any, graph: Graph, calibration: Any) -> tuple[Any, str]:
    measure = getattr(source, "quantization_error", None)
    if measure is not None:
        return measure(calibration), KEPT if calibration is None else GIVEN
    if is_tflite(source):
        raise ShrinkfitError("a .tflite file holds the int8 model only: there is no float model to compare with")
    if isinstance(source, Graph):
        raise ShrinkfitError("an integer graph was exported: there is no float model to compare with")
    if calibration is None:
        raise ShrinkfitError("no inputs to measure on: give calibration=")
    from shrinkfit.read.keras_file import load_model
    from shrinkfit.read.quantization import quantization_error

    return quantization_error(load_model(source), graph, calibration), GIVEN
