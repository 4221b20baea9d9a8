# SPDX-License-Identifier: Apache-2.0
"""check on whole exported folders: agreement, disagreement, and folders that are none."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from shrinkfit.check.build import linked_sizes
from shrinkfit.check.compare import PLACES, check
from shrinkfit.check.exported import REPORT_FORMAT
from shrinkfit.device import get_device
from shrinkfit.errors import CheckError, ShrinkfitError, ToolMissingError
from shrinkfit.graph import ir
from shrinkfit.write.export import write_folder

needs_all = pytest.mark.needs("gcc", "arm-none-eabi-gcc", "qemu-system-arm")
TARGET = {"core": "cortex-m4", "fpu": True, "dsp": True, "flash_bytes": None, "ram_bytes": None}


def test_unknown_place(toy):
    with pytest.raises(ShrinkfitError, match=r"cannot run on 'moon'; expected one of host, cortex-m4, qemu"):
        check(toy, on="moon")


@pytest.mark.parametrize("on", PLACES)
def test_no_folder(tmp_path, on):
    with pytest.raises(CheckError, match="absent' is no folder; expected one that `shrinkfit export` wrote"):
        check(tmp_path / "absent", on=on)


def test_folder_of_somebody_else(tmp_path):
    with pytest.raises(CheckError, match="has no report.json, so shrinkfit did not write it"):
        check(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x", "target": {}}', '{"name"', "\xff"])
def test_report_of_somebody_else(tmp_path, text):
    (tmp_path / "report.json").write_text(text, encoding="latin-1")
    with pytest.raises(CheckError, match="is not a report that shrinkfit wrote"):
        check(tmp_path)


def test_folder_without_its_tflite(toy):
    (toy / "report.json").write_text(json.dumps({"shrinkfit_report": REPORT_FORMAT, "name": "toy", "target": TARGET}))
    with pytest.raises(CheckError, match="has no toy.tflite"):
        check(toy)


def small_graph():
    """Convolution, depthwise, residual add, pool, dense, softmax: 6 x 5 x 2 in, 3 classes out."""
    rng = np.random.default_rng(7)

    def weights(*shape, axis=0):
        channels = shape[axis]
        return {
            "kernel": rng.integers(-127, 128, shape).astype(np.int8),
            "bias": rng.integers(-500, 500, channels).astype(np.int32),
            "kernel_scales": rng.uniform(0.002, 0.004, channels).astype(np.float32),
        }

    shapes = {"x": (6, 5, 2), "a": (6, 5, 4), "b": (6, 5, 4), "c": (6, 5, 4), "d": (4,), "e": (3,)}
    tensors = {n: ir.Tensor(n, (1, *s), 0.05 + 0.01 * i, i - 3) for i, (n, s) in enumerate(shapes.items())}
    tensors["y"] = ir.Tensor("y", (1, 3), 1 / 256, -128)
    same = ir.Padding(1, 1, 1, 1)
    ops = (
        ir.Conv2D(name="conv", inputs=("x",), outputs=("a",), padding=same, **weights(4, 3, 3, 2)),
        ir.DepthwiseConv2D(name="depthwise", inputs=("a",), outputs=("b",), padding=same, **weights(3, 3, 4, axis=2)),
        ir.Add(name="add", inputs=("a", "b"), outputs=("c",)),
        ir.Mean(name="mean", inputs=("c",), outputs=("d",), axes=(1, 2)),
        ir.Dense(name="dense", inputs=("d",), outputs=("e",), **weights(3, 4)),
        ir.Softmax(name="softmax", inputs=("e",), outputs=("y",)),
    )
    return ir.Graph("small", tensors, ops, ("x",), ("y",))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "small"
    write_folder(small_graph(), folder, name="small", device="efm32")
    return folder


@needs_all
@pytest.mark.parametrize("on", PLACES)
def test_exported_folder_is_exact(exported, on):
    before = {p: p.read_bytes() for p in exported.rglob("*") if p.is_file()}
    result = check(exported, on=on)
    assert (result.differences, result.first_difference, result.exact) == (0, "", True)
    assert result.outputs.shape == (32, 3) and len(np.unique(result.outputs)) > 10
    assert before == {p: p.read_bytes() for p in exported.rglob("*") if p.is_file()}


@needs_all
@pytest.mark.parametrize("device", ["efm32", "rp2040", "rp2350", "stm32h743"])
def test_sizes_and_stack_are_as_predicted(tmp_path, device):
    write_folder(small_graph(), tmp_path / "small", name="small", device=device)
    result = check(tmp_path / "small", on="cortex-m4")
    assert result.exact and result.core == get_device(device).core
    assert result.ram_bytes == pytest.approx(result.predicted["ram_bytes"], rel=0.02)
    assert result.flash_bytes == pytest.approx(result.predicted["flash_bytes"], rel=0.02)
    assert 0 < result.stack_bytes <= result.predicted["stack_bytes"]
    assert (result.cycles is not None) == (result.core == "cortex-m4")


@needs_all
def test_profile_names_the_layers(exported):
    result = check(exported, np.zeros((1, 6, 5, 2), np.float32), on="cortex-m4")
    called = [call.name for call in result.profile.calls]
    expected = [
        "sf_conv2d_pairs_s8_dsp",
        "sf_depthwise_3x3_s8",
        "sf_add_s8_dsp",
        "sf_mean_s8_dsp",
        "sf_dense_pairs_s8_dsp",
        "sf_softmax_s8",
    ]
    assert called == expected
    assert [layer.name for layer in result.layers] == [op.name for op in small_graph().ops]
    assert result.instructions == sum(layer.instructions for layer in result.layers)
    assert result.instructions < result.cycles < 3 * result.instructions


@needs_all
@pytest.mark.parametrize("on", ["host", "cortex-m4"])
def test_one_wrong_bias_is_found(exported, tmp_path, on):
    folder = shutil.copytree(exported, tmp_path / "broken")
    path = folder / "small_weights.h"
    wrong, changes = re.subn(r"(small_dense_stream\[\d+\] = \{\s*)-?\d+", r"\g<1>99999", path.read_text())
    assert changes == 1
    path.write_text(wrong)
    result = check(folder, on=on)
    assert not result.exact and not result.held
    assert 0 < result.differences <= result.outputs.size
    assert re.search(r"clip \d+, 'y' at \[\d\]: -?\d+, expected -?\d+", result.first_difference)
    assert f"{result.differences} bytes differ" in str(result)


@needs_all
def test_result_goes_to_json(exported):
    result = check(exported, on="cortex-m4")
    record = json.loads(json.dumps(result.as_dict()))
    assert record["exact"] is True and record["clips"] == 32 and record["flash_bytes"] == result.flash_bytes


@needs_all
def test_npy_path_and_bad_inputs(exported, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 6, 5, 2), np.int8))
    assert check(exported, tmp_path / "x.npy", on="qemu").clips == 2
    with pytest.raises(CheckError, match=r"expected \[n, 6, 5, 2\]"):
        check(exported, np.zeros((2, 30, 2), np.int8))


def test_missing_compiler(exported, monkeypatch):
    monkeypatch.setenv("PATH", "")
    for on, tool in (("host", "gcc"), ("cortex-m4", "gcc-arm-none-eabi"), ("qemu", "qemu-system-arm")):
        with pytest.raises(ToolMissingError, match=f"apt-get install {tool}"):
            check(exported, on=on)


@pytest.mark.needs("arm-none-eabi-gcc", "make")
def test_the_folders_own_makefile_links_the_same_sizes(exported, tmp_path):
    make = ["make", "-C", exported, f"BUILD={tmp_path}", "firmware"]
    subprocess.run(make, check=True, capture_output=True, timeout=60)
    made, result = linked_sizes(tmp_path / "firmware.elf"), check(exported, on="cortex-m4")
    assert (made.flash_bytes, made.ram_bytes) == (result.flash_bytes, result.ram_bytes)
