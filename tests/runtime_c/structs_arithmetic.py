# SPDX-License-Identifier: Apache-2.0
"""Parameter structs of arithmetic, tables, reductions, conversions, resizes, SVDF and LSTM for ctypes."""

import ctypes

_TYPES = {
    "b": ctypes.c_int8,
    "B": ctypes.c_uint8,
    "h": ctypes.c_int16,
    "H": ctypes.c_uint16,
    "i": ctypes.c_int32,
    "I": ctypes.c_uint32,
    "f": ctypes.c_float,
    "P": ctypes.c_void_p,
}


def _struct(name, *fields):
    """fields: "code names", or (name, struct)."""
    made = []
    for field in fields:
        if isinstance(field, str):
            code, *names = field.split()
            made += [(n, _TYPES[code]) for n in names]
        else:
            made.append(field)
    return type(name, (ctypes.Structure,), {"_fields_": made})


_AXIS = _struct("sf_axis", "i count step_a step_b")
_SHAPE = ("shape", _struct("sf_broadcast", *((name, _AXIS) for name in ("outer", "middle", "inner", "row"))))
_REDUCTION = _struct("sf_reduction", "i outer first middle second inner")
_ACTIVATION = "b activation_min activation_max"
_ZERO_POINTS = "b in_zero_point out_zero_point"
_TWO_ZERO_POINTS = "b zero_point_a zero_point_b out_zero_point"
_LINE = ("line", _struct("sf_line", "i factor_a factor_b offset"))
_ADD = _struct(
    "sf_add_params",
    "I count",
    _LINE,
    "i multiplier_a multiplier_b multiplier_out",
    "b shift_a shift_b shift_out",
    _TWO_ZERO_POINTS,
    _ACTIVATION,
)
_ALL = [
    _ADD,
    _REDUCTION,
    _struct("sf_broadcast_add_params", _SHAPE, ("sum", _ADD)),
    _struct("sf_mul_params", _SHAPE, "i multiplier", "b shift", _TWO_ZERO_POINTS, _ACTIVATION),
    _struct(
        "sf_prelu_params",
        _SHAPE,
        "i multiplier_above multiplier_below",
        "b shift_above shift_below",
        _TWO_ZERO_POINTS,
    ),
    _SHAPE[1],
    _struct("sf_table_params", "P table", "I count"),
    _struct("sf_requantize_params", "I count", _LINE, "i multiplier", "b shift", _ZERO_POINTS, _ACTIVATION),
    _struct("sf_mean_params", ("shape", _REDUCTION), "i multiplier", "b shift", _ZERO_POINTS),
    _struct("sf_quantize_params", "I count", "f scale", "i zero_point", "B type"),
    _struct(
        "sf_convert_params", "I count", "i multiplier in_zero_point out_zero_point", "b shift", "B in_type out_type"
    ),
    _struct(
        "sf_resize_bilinear_params",
        "H in_height in_width out_height out_width channels",
        "i step_y offset_y step_x offset_x",
    ),
    _struct("sf_resize_nearest_params", "P rows columns", "H in_width out_height out_width channels"),
    _struct(
        "sf_svdf_params",
        "P feature_kernel time_kernel bias",
        "H features memory rank units",
        "i multiplier_feature multiplier_out",
        "b shift_feature shift_out",
        _ZERO_POINTS,
        _ACTIVATION,
    ),
    _struct("sf_time_window_params", "I in_bytes past_bytes"),
    _struct(
        "sf_time_mean_params",
        "H blocks new_blocks values channels",
        "i multiplier",
        "b shift",
        _ZERO_POINTS,
        _ACTIVATION,
    ),
    _struct(
        "sf_lstm_params",
        "P input_kernel recurrent_kernel bias multiplier shift",
        "H steps features units",
        "h cell_clip",
        "b cell_bits in_zero_point state_zero_point out_zero_point",
    ),
]
STRUCTS = {struct.__name__: struct for struct in _ALL}
