# SPDX-License-Identifier: Apache-2.0
"""Records of a training, written out, as FitDevice and an example make them."""

EPOCHS = [
    {
        "epoch": epoch,
        "phase": "float",
        "costs": {"flops": 9_000 - 1_000 * epoch, "ram_bytes": 4_000 - 300 * epoch},
        "limits": {"flops": 8_500 - 700 * epoch},
        "metrics": {"accuracy": 0.5 + 0.1 * epoch, "val_accuracy": 0.45 + 0.1 * epoch, "loss": 2.0 - 0.3 * epoch},
    }
    for epoch in range(4)
]
FIT = {
    "layers": [
        {"layer": "first", "makes_channels": True, "width_before": 64, "width_after": 17},
        {"layer": "norm", "makes_channels": False, "width_before": 64, "width_after": 17},
    ]
}
RUN = {
    "accuracy": {"float": 0.913, "device": 0.9075},
    "confusion": {"labels": ["yes", "<no>"], "counts": [[40, 3], [0, 51]]},
    "det": {
        "false_accepts_per_hour": [0.0, 0.5, 8.0, 120.0],
        "false_rejects": [0.6, 0.21, 0.05, 0.0],
        "chosen": {"threshold": 0.83, "false accepts per hour": 0.5},
    },
    "notes": ["demo quality: synthetic speech only"],
}
_TENSOR = {
    "tensor": "t",
    "layer": "first",
    "sqnr_db": 34.68,
    "rounding_db": 40.0,
    "clipped": 0.0,
    "low": -1.0,
    "high": 0.99,
}
QUANTIZATION = {
    "inputs": 32,
    "source": "inputs of the calibration data",
    "because": "",
    "tensors": [_TENSOR, _TENSOR | {"layer": "<last>", "sqnr_db": None, "rounding_db": None, "clipped": 0.0004}],
}
