# SPDX-License-Identifier: Apache-2.0
"""Sizes that straddle what the kernels block by: 2 pixels, 2 or 4 channels, 4 bytes; edges; saturation."""

from tests.runtime_c import graphs as g

NARROW = (-100, 90)
# Additions whose outputs are a line of their inputs (graph/linear.py), and two that half of all sums keep from it.
LINE = dict(scales=(0.0393935, 0.1041949, 0.0509456))
TIES = dict(scales=(0.03125, 0.03125, 0.0625))
UNEQUAL_TIES = dict(scales=(0.0625, 0.03125, 0.125))

CASES = [
    (g.conv, dict(size=(5, 5), channels=c, kernel=(1, 1), out=o))
    for c, o in [(1, 1), (3, 2), (4, 3), (5, 4), (8, 8), (7, 5), (16, 1), (33, 2)]
]
CASES += [
    (g.conv, dict(size=(1, 1), channels=6, kernel=(1, 1), out=3)),
    (g.conv, dict(size=(1, 2), channels=6, kernel=(1, 1), out=3)),
    (g.conv, dict(size=(6, 5), channels=8, kernel=(1, 1), out=4, stride=(2, 2))),
    (g.conv, dict(size=(7, 6), channels=3, kernel=(3, 3), out=4, padding=(1, 1, 1, 1))),
    (g.conv, dict(size=(7, 6), channels=4, kernel=(3, 3), out=5, stride=(2, 2), padding=(0, 1, 0, 1))),
    (g.conv, dict(size=(9, 8), channels=2, kernel=(3, 2), out=3, dilation=(2, 3), padding=(2, 2, 1, 2))),
    (g.conv, dict(size=(11, 4), channels=1, kernel=(10, 4), out=7, stride=(2, 2), padding=(4, 5, 1, 1))),
    (g.conv, dict(size=(20, 1), channels=10, kernel=(5, 1), out=6)),
    (g.conv, dict(size=(20, 1), channels=10, kernel=(5, 1), out=6, padding=(2, 2, 0, 0), stride=(2, 1))),
    (g.conv, dict(size=(1, 20), channels=10, kernel=(1, 5), out=6, dilation=(1, 3), padding=(0, 0, 6, 6))),
    (g.conv, dict(size=(4, 4), channels=3, kernel=(4, 4), out=2)),
    (g.conv, dict(size=(2, 2), channels=2, kernel=(5, 5), out=2, padding=(2, 2, 2, 2))),
    (g.conv, dict(size=(5, 5), channels=3, kernel=(3, 3), out=4, zp=-128, act=NARROW)),
    (g.conv, dict(size=(5, 5), channels=3, kernel=(3, 3), out=4, zp=127, padding=(2, 0, 0, 2))),
]
# For speed by tiles of 2 x 2 outputs.
CASES += [
    (g.conv, dict(size=(5, 5), channels=16, kernel=(3, 3), out=4, padding=(1, 1, 1, 1))),
    (g.conv, dict(size=(6, 9), channels=23, kernel=(3, 3), out=6, padding=(2, 0, 0, 1), act=NARROW)),
]
CASES += [
    (g.conv, dict(size=(5, 4), channels=c, kernel=k, out=o, groups=n, padding=(1, 0, 0, 1)))
    for c, k, o, n in [
        (2, (1, 1), 2, 2),
        (4, (3, 3), 4, 2),
        (6, (2, 3), 9, 3),
        (8, (3, 3), 8, 8),
        (10, (1, 1), 6, 2),
        (21, (3, 1), 14, 7),
    ]
]
CASES += [
    (g.conv, dict(size=(9, 8), channels=6, kernel=(3, 2), out=4, groups=2, dilation=(2, 3), stride=(2, 1))),
    (g.conv, dict(size=(1, 20), channels=8, kernel=(1, 5), out=8, groups=4, padding=(0, 0, 2, 2), zp=-128)),
    (g.conv, dict(size=(1, 1), channels=4, kernel=(1, 1), out=2, groups=2, zp=127, act=NARROW)),
]
CASES += [
    (g.transpose, dict(size=(4, 3), channels=c, kernel=k, out=o, stride=s))
    for c, k, o, s in [
        (1, (1, 1), 1, (1, 1)),
        (3, (3, 3), 2, (1, 1)),
        (4, (3, 3), 5, (2, 2)),
        (5, (2, 2), 3, (2, 2)),
        (2, (5, 4), 3, (2, 3)),
        (6, (1, 2), 4, (3, 3)),
    ]
]
CASES += [
    (g.transpose, dict(size=(4, 3), channels=3, kernel=(3, 3), out=2, stride=(2, 2), first=(0, 0), target=(8, 6))),
    (g.transpose, dict(size=(4, 3), channels=3, kernel=(5, 5), out=2, stride=(2, 2), first=(1, 2), target=(8, 6))),
    (g.transpose, dict(size=(4, 3), channels=3, kernel=(2, 2), out=2, stride=(3, 3), target=(15, 9), zp=-128)),
    (g.transpose, dict(size=(1, 1), channels=7, kernel=(4, 1), out=3, first=(3, 0), target=(4, 2), zp=127)),
    (g.transpose, dict(size=(1, 9), channels=8, kernel=(1, 4), out=6, stride=(1, 2), first=(0, 1), act=NARROW)),
]
CASES += [
    (g.depthwise, dict(size=(6, 5), channels=c, kernel=k, m=m, padding=(1, 1, 1, 1)))
    for c, k, m in [(1, (3, 3), 1), (4, (3, 3), 1), (5, (3, 3), 2), (3, (1, 1), 3), (8, (2, 2), 1), (2, (3, 5), 1)]
]
CASES += [
    (g.depthwise, dict(size=(25, 5), channels=8, kernel=(3, 3), padding=(1, 1, 1, 1), zp=-128)),
    (g.depthwise, dict(size=(8, 9), channels=3, kernel=(3, 3), stride=(2, 2), padding=(0, 1, 0, 1))),
    (g.depthwise, dict(size=(9, 9), channels=3, kernel=(3, 3), dilation=(2, 2), padding=(2, 2, 2, 2))),
    (g.depthwise, dict(size=(9, 9), channels=2, kernel=(3, 3), dilation=(3, 1), padding=(3, 3, 0, 0))),
    (g.depthwise, dict(size=(9, 9), channels=2, kernel=(2, 4), dilation=(1, 2), stride=(3, 2), act=NARROW)),
    (g.depthwise, dict(size=(20, 1), channels=6, kernel=(9, 1), padding=(4, 4, 0, 0))),
    (g.depthwise, dict(size=(1, 20), channels=6, kernel=(1, 9), padding=(0, 0, 8, 0))),
    (g.depthwise, dict(size=(10, 10), channels=2, kernel=(3, 3), stride=(4, 4))),
]
CASES += [
    (g.dense, dict(inputs=i, outputs=o, rows=r))
    for i, o, r in [(1, 1, ()), (3, 4, ()), (4, 5, ()), (5, 3, (3,)), (64, 12, ()), (67, 7, (2, 2)), (130, 9, ())]
]
CASES += [(g.dense, dict(inputs=40, outputs=6, zp=-128, act=NARROW))]
# Weights in pairs: 4, 8 and 16 inputs and what is left of them; 8 outputs, 2, 1; more than 512 inputs.
CASES += [
    (g.dense, dict(inputs=i, outputs=o))
    for i, o in [(2, 8), (4, 8), (6, 17), (7, 9), (8, 8), (9, 10), (12, 24), (13, 8), (16, 11), (19, 15), (23, 16)]
]
CASES += [(g.dense, dict(inputs=i, outputs=8, rows=(2,))) for i in (24, 25, 28, 31, 32, 33, 45, 48)]
CASES += [
    (g.dense, dict(inputs=3, outputs=13, rows=(3,), zp=127)),
    (g.dense, dict(inputs=600, outputs=9, zp=0)),
    (g.dense, dict(inputs=11, outputs=18, rows=(2,), act=NARROW)),
]
# Sparse: 2 and 4 blocks at a time, a whole row, rows without any, the last block cut; 2 pixels.
SPARSE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
CASES += [
    (g.sparse, dict(make=g.dense, kept=k, inputs=i, outputs=o, rows=r))
    for k, i, o, r in [
        (SPARSE, 120, 20, ()),
        (SPARSE, 1024, 11, (2,)),
        ([1], 61, 1, ()),
        ([2, 0], 62, 3, (3,)),
        ([3, 9], 63, 8, ()),
        ([15, 1, 1, 1], 60, 12, ()),
    ]
]
CASES += [
    (g.sparse, dict(make=g.conv, kept=k, size=s, channels=c, kernel=(1, 1), out=o))
    for k, s, c, o in [
        (SPARSE, (3, 3), 120, 20),
        (SPARSE, (2, 2), 1024, 11),
        ([1], (1, 1), 61, 1),
        ([2, 0], (5, 1), 62, 3),
        ([15, 1, 1, 1], (1, 2), 60, 12),
    ]
]
CASES += [
    (g.sparse, dict(make=g.dense, kept=[3], inputs=80, outputs=9, rows=(2,), zp=-128, act=NARROW)),
    (g.sparse, dict(make=g.conv, kept=[3], size=(3, 1), channels=80, kernel=(1, 1), out=9, zp=-128, act=NARROW)),
]
CASES += [
    (g.pool, dict(mode=mode, size=size, channels=c, window=w, stride=s, padding=p, act=a))
    for mode in ("max", "average")
    for size, c, w, s, p, a in [
        ((4, 4), 1, (2, 2), (2, 2), (0, 0, 0, 0), g.FULL),
        ((7, 5), 5, (3, 3), (2, 2), (1, 1, 1, 1), g.FULL),
        ((25, 5), 8, (25, 5), (25, 5), (0, 0, 0, 0), g.FULL),
        ((5, 6), 3, (3, 2), (1, 3), (2, 0, 1, 0), NARROW),
        ((5, 6), 6, (3, 2), (1, 3), (2, 0, 1, 0), NARROW),
        ((6, 7), 4, (2, 3), (2, 2), (0, 0, 1, 1), g.FULL),
        ((4, 4), 7, (1, 1), (1, 1), (0, 0, 0, 0), g.FULL),
        ((16, 16), 9, (16, 16), (16, 16), (0, 0, 0, 0), g.FULL),
        ((3, 17), 5, (2, 17), (1, 17), (0, 0, 0, 0), g.FULL),
        ((2, 300), 5, (2, 260), (1, 20), (0, 0, 3, 0), g.FULL),
        ((255, 1), 6, (255, 1), (1, 1), (0, 0, 0, 0), g.FULL),
        ((256, 1), 6, (256, 1), (1, 1), (0, 0, 0, 0), g.FULL),
    ]
]
CASES += [
    (g.add, dict(shape=(3, 5, 7))),
    (g.add, dict(shape=(9,), scales=(0.05, 0.05, 0.0004), act=NARROW)),
    (g.add, dict(shape=(40,), scales=(0.9, 0.0001, 0.5), zps=(-128, 127, -128))),
    *((g.add, dict(shape=(n,), **f)) for n in (1, 2, 3, 4, 5, 8, 33) for f in ({}, LINE, TIES, UNEQUAL_TIES)),
    *((g.add, dict(shape=(33,), zps=z, **LINE)) for z in ((-128, -128, -128), (127, -128, 127), (0, 127, -128))),
    (g.add, dict(shape=(300,), scales=(0.1, 0.013, 2.7))),
    (g.add, dict(shape=(300,), scales=(0.1, 0.013, 40.0))),
    (g.add, dict(shape=(300,), scales=(0.1, 0.013, 0.01))),
    (g.add, dict(shape=(300,), scales=(0.125, 1e-12, 0.25), act=NARROW)),
    *((g.requantize, dict(shape=(n,), **f)) for n in (1, 3, 4, 5, 31) for f in ({}, dict(scales=(0.25, 1.0)))),
    (g.requantize, dict(shape=(40,))),
    (g.requantize, dict(shape=(4, 3, 5), scales=(0.05, 0.9), act=NARROW)),
    (g.requantize, dict(shape=(40,), scales=(0.9, 0.0001))),
    (g.mean, dict(shape=(5, 4, 6), axes=(1, 2))),
    (g.mean, dict(shape=(5, 4, 6), axes=(1, 2), keep_dims=True, scales=(0.01, 0.05))),
    (g.mean, dict(shape=(5, 4, 6), axes=(3,), scales=(0.05, 0.05), zps=(-128, -128))),
    (g.mean, dict(shape=(7, 6), axes=(1,))),
    (g.softmax, dict(shape=(12,))),
    (g.softmax, dict(shape=(1,))),
    (g.softmax, dict(shape=(3, 5), scale=0.5)),
    (g.softmax, dict(shape=(1000,), scale=0.002)),
    (g.softmax, dict(shape=(10,), scale=3.0, beta=2.0)),
    (g.pad, dict(size=(3, 4), channels=5, padding=(1, 2, 3, 0))),
    (g.pad, dict(size=(3, 4), channels=1, padding=(0, 0, 0, 1))),
]


def label(case) -> str:
    make, sizes = case
    values = (getattr(v, "__name__", str(v)).replace(" ", "") for v in sizes.values())
    return make.__name__ + "-" + "-".join(values)
