# SPDX-License-Identifier: Apache-2.0
"""Sizes of 1 and odd ones, every way to broadcast, zero points at the ends, scales of every magnitude."""

from dataclasses import dataclass

from tests.runtime_c import graphs_arithmetic as g


@dataclass(frozen=True)
class Case:
    maker: str
    arguments: tuple
    fields: dict

    def make(self, rng):
        return getattr(g, self.maker)(rng, *self.arguments, **self.fields)

    def __str__(self):
        parts = (self.maker, *self.arguments, *(f"{k}={v}" for k, v in self.fields.items()))
        return "-".join(str(p).replace(" ", "") for p in parts)


def case(maker, *arguments, **fields):
    return Case(maker, arguments, fields)


NARROW = (-100, 90)
SHAPES = [
    ((1, 1), (1, 1)),
    ((1, 7), (1, 7)),
    ((1, 3, 5), (1, 1, 5)),
    ((1, 3, 5), (1, 3, 1)),
    ((1, 3, 1), (1, 1, 5)),
    ((1, 1, 5), (1, 3, 1)),
    ((1, 4, 3, 2), (1, 2)),
    ((1, 4, 3, 2), (1, 1, 1, 1)),
    ((1,), (1, 4, 3, 2)),
    ((1, 4, 1, 2), (1, 1, 3, 1)),
    ((1, 4, 3, 2), (1, 4, 1, 2)),
    ((1, 4, 1, 2, 1), (1, 1, 3, 1, 5)),
    ((1, 2, 1, 2, 5), (1, 2, 3, 1, 5)),
]
EXTREMES = [
    dict(scales=(0.9, 0.0001, 0.5), zps=(-128, 127, -128)),
    dict(scales=(1e-3, 1e-3, 1.0), zps=(127, 127, 127)),
    dict(scales=(3.0, 5.0, 0.01), zps=(127, -128, 0)),
    dict(scales=(0.05, 0.05, 0.0004), act=NARROW),
    dict(scales=(0.25, 0.5, 0.25), zps=(0, 0, 0)),
]
WILD = [dict(scales=s) for s in [(1e-20, 1e-12, 1.0), (1e5, 1e5, 1e-3), (1e-9, 1e-9, 1e-9), (1.0, 1.0, 1e-9)]]
BINARY = [case("binary", kind, a, b) for kind in ("Add", "Sub", "Mul") for a, b in SHAPES]
BINARY += [case("binary", kind, (1, 99), (1, 99), **e) for kind in ("Add", "Sub", "Mul") for e in EXTREMES]
BINARY += [case("binary", "Mul", (1, 99), (1, 99), **e) for e in WILD]
BINARY += [
    case("binary", kind, (1, 4, 3, 2), b, constant=True) for kind in ("Add", "Sub", "Mul") for b in ((2,), (1, 4, 3, 2))
]
PRELU = [
    case("prelu", shape, alpha)
    for shape, alpha in [
        ((1, 6, 5, 4), (4,)),
        ((1, 9), (9,)),
        ((1, 9), (1,)),
        ((1, 3, 2, 4), (1, 2, 1)),
        ((1, 1), (1,)),
    ]
]
PRELU += [
    case("prelu", (1, 40, 7), (7,), scales=s, zps=z)
    for s, z in [
        ((0.9, 0.5, 0.001), (-128, 127, -128)),
        ((1e-4, 2.0, 3.0), (127, -128, 127)),
        ((5e4, 9.0, 1e-4), (0, 0, 0)),
    ]
]
EXTREMA = [case("extremum", kind, a, b) for kind in ("Maximum", "Minimum") for a, b in SHAPES]
EXTREMA += [case("extremum", "Maximum", (1, n), (1, n)) for n in (2, 3, 4, 5, 8, 9)]
EXTREMA += [
    case("extremum", kind, (1, 4, 3, 6), b, constant=True)
    for kind in ("Maximum", "Minimum")
    for b in ((6,), (1,), (4, 3, 1), (1, 4, 3, 6))
]
TABLES = [
    case("table", "logistic"),
    case("table", "tanh", scales=(0.02, 1 / 128), zps=(-128, 0)),
    case("table", "hard_swish", scales=(0.06, 0.05), zps=(-1, -120)),
    case("table", "leaky_relu", (1, 3, 5, 7), scales=(0.06, 0.05), alpha=0.1),
    *(case("table", "logistic", (1, n)) for n in (2, 3, 4, 5, 7, 8, 9)),
    case("table", "leaky_relu", (1, 1), scales=(0.06, 0.05), alpha=-0.3),
]
REQUANTIZE = [
    case("requantize", division, scales, zps, **fields)
    for division in ("double", "float32")
    for scales, zps, fields in [
        ((0.05, 0.03), (-5, 9), {}),
        ((0.2, 0.1), (127, -128), dict(act=NARROW)),
        ((0.1, 0.3), (0, 127), {}),
        ((1e6, 1e-4), (-128, 0), {}),
        ((1e-6, 1e4), (0, 0), {}),
    ]
]
REDUCTIONS = [
    case("reduction", kind, shape, axes, keep_dims=keep)
    for kind in ("Mean", "ReduceMax")
    for shape, axes, keep in [
        ((1, 5, 4, 6), (1, 2), False),
        ((1, 5, 4, 6), (1, 3), False),
        ((1, 5, 4, 6), (1, 3), True),
        ((1, 5, 4, 6), (2,), False),
        ((1, 5, 4, 6), (3,), True),
        ((1, 5, 4, 6), (0, 1, 2, 3), True),
        ((1, 5, 4, 6), (0, 2), True),
        ((1, 3, 2, 4, 3), (2, 4), False),
        ((1, 7, 1, 3), (2,), False),
        ((1, 1), (1,), True),
        ((1, 9), (), False),
        ((1, 300, 301, 2), (1, 2), False),
        ((1, 17, 16, 5), (1, 2), False),
        ((1, 3, 300, 4), (2,), False),
        ((1, 3, 4, 270, 7), (1, 3), False),
        ((1, 255, 8), (1,), False),
        ((1, 256, 9), (1,), False),
    ]
]
REDUCTIONS += [
    case("reduction", "Mean", (1, 7, 9, 3), (1, 2), scales=s, zps=z)
    for s, z in [
        ((0.9, 0.001), (-128, 127)),
        ((1e-5, 3.0), (127, -128)),
        ((0.1, 0.1), (0, 0)),
        ((7e5, 1e-3), (127, 127)),
    ]
]
FLAGS = [{}, dict(align_corners=True), dict(half_pixel_centers=True)]
RESIZES = [
    case("resize", kind, size, target, **flags)
    for kind in ("ResizeBilinear", "ResizeNearest")
    for size, target in [
        ((1, 1), (1, 1)),
        ((1, 1), (3, 2)),
        ((5, 3), (1, 1)),
        ((4, 7), (9, 5)),
        ((3, 3), (6, 6)),
        ((8, 8), (3, 5)),
    ]
    for flags in FLAGS
]
RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
CONVERSIONS = [
    case("conversion", "Dequantize", (t, "float32"), (s, 1.0), (z, 0))
    for t, ends in RANGES.items()
    for s, z in [(0.1, ends[0]), (1 / 3, ends[1]), (1e-30, 0), (3e33, 0)]
]
CONVERSIONS += [
    case("conversion", "Quantize", ("float32", t), (1.0, s), (0, z))
    for t, ends in RANGES.items()
    for s, z in [(0.1, ends[0]), (1 / 3, ends[1]), (0.5, 0), (1e-30, 0), (3e33, 0)]
]
CONVERSIONS += [
    case("conversion", "Convert", (a, b), s, (RANGES[a][i], RANGES[b][1 - i]))
    for a in RANGES
    for b in RANGES
    for s, i in [((0.05, 0.03), 0), ((1e-4, 0.5), 1), ((0.5, 1e-6), 0), ((1e-6, 1e5), 1)]
]
CELLS = [
    case("svdf", 1, 1, 1),
    case("svdf", 5, 3, 7),
    case("svdf", 40, 8, 10, 2),
    case("svdf", 13, 4, 3, 4, zps=(-128, 127), act=NARROW),
    case("svdf", 13, 4, 3, 1, scales=(3.0, 1e-4, 1e-4), zps=(127, -128)),
    case("svdf", 9, 2, 5, 2, scales=(1e-3, 10.0, 10.0)),
    case("svdf", 9, 2, 5, 2, heavy=True),
    case("lstm", 1, 1, 1),
    case("lstm", 3, 5, 7),
    case("lstm", 28, 28, 20),
    case("lstm", 4, 6, 5, 15, clip=0.5),
    case("lstm", 4, 6, 5, 10, zps=(-128, 127)),
    case("lstm", 9, 6, 8, 9, size=3.0),
    case("lstm", 3, 2, 5, out_zp=60),
    case("lstm", 4, 6, 5, 12, zps=(127, -128), size=100.0),
    case("lstm", 4, 6, 5, 11, scales=(1e-3, 1.0), size=0.001),
    case("lstm", 4, 6, 5, 11, scales=(1e3, 1e-4), size=1e4),
]
ARITHMETIC = BINARY + PRELU + EXTREMA + TABLES + REQUANTIZE + REDUCTIONS + RESIZES + CONVERSIONS
CASES = ARITHMETIC + CELLS
