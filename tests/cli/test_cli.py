# SPDX-License-Identifier: Apache-2.0
"""The command line: statuses, tables and JSON on real models, and what it costs to start."""

import json
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest

import shrinkfit
from shrinkfit.device import Device
from shrinkfit.errors import CheckError
from shrinkfit.graph import ir
from shrinkfit.price import parts

EXAMPLE_TENSORS = {"scale": 0.05, "zero_point": 3}


def dense_model(path, features: int, units: int):
    """A .tflite with one dense layer: features x units MACs and bytes of kernel."""
    from shrinkfit.write.tflite import write_tflite

    tensors = {
        "x": ir.Tensor("x", (1, features), **EXAMPLE_TENSORS),
        "y": ir.Tensor("y", (1, units), **EXAMPLE_TENSORS),
    }
    kernel = np.random.default_rng(0).integers(-127, 128, (units, features), np.int8)
    layer = ir.Dense(
        name="only",
        inputs=("x",),
        outputs=("y",),
        kernel=kernel,
        bias=np.zeros(units, np.int32),
        kernel_scales=np.full(units, 0.01, np.float32),
    )
    path.write_bytes(write_tflite(ir.Graph("dense", tensors, (layer,), ("x",), ("y",))))
    return path


def test_version(run):
    assert run("--version") == (0, f"shrinkfit {shrinkfit.__version__}\n", "")


def test_devices_as_table(run):
    status, out, _ = run("devices")
    assert status == 0 and "?: not known" in out
    assert [device.name for device in shrinkfit.devices() if f"\n{device.name} " not in out] == []


def test_devices_as_json(run):
    status, out, _ = run("devices", "--json")
    parts = {part["name"]: part for part in json.loads(out)}
    assert status == 0 and parts["efm32"]["flash_bytes"] == 1048576
    assert "sister" in parts["efm32"]["sources"]["active_ua_per_mhz"]
    assert parts["rp2040"]["flash_bytes"] is None


def test_one_part_with_its_sources(run):
    status, out, _ = run("devices", "efm32")
    assert status == 0 and "EFM32PG12B500F1024" in out and "1,048,576 bytes" in out and "a sister part" in out
    assert json.loads(run("devices", "rp2040", "--json")[1])["ram_bytes"] == 264 * 1024
    assert run("devices", "emf32")[0] == 2


def test_price_within_the_limits(run, tmp_path):
    status, out, _ = run("price", dense_model(tmp_path / "m.tflite", 40, 12))
    assert status == 0
    for wanted in ("dense", "492", "480", "960", "peak", "262,144", "2,000,000", "held"):
        assert wanted in out
    assert "over" not in out


def test_price_over_the_limits(run, tmp_path):
    model = dense_model(tmp_path / "m.tflite", 1500, 1000)
    status, out, _ = run("price", model, "--device", "efm32")
    assert status == 1 and "3,000,000" in out and "over" in out


def test_price_as_json(run, tmp_path):
    status, out, _ = run("price", dense_model(tmp_path / "m.tflite", 1500, 1000), "--device", "stm32wg", "--json")
    assert status == 2 and out == ""
    status, out, _ = run("price", tmp_path / "m.tflite", "--device", "efm32wg", "--json")
    record = json.loads(out)
    assert (status, record["device"], record["held"]) == (1, "efm32wg", False)
    limits = {"ram_bytes": 32768, "flash_bytes": 262144, "flops": 2_400_000}
    assert record["limits"] == limits | {"latency_ms": None, "energy_uj": None}
    assert record["cost"]["cycles"] == sum(layer["cycles"] for layer in record["cost"]["layers"])
    assert record["cost"]["flops"] == 3_000_000 and record["cost"]["layers"][0]["weights"] == 1_501_000


def test_price_in_stripes(run, tmp_path):
    from shrinkfit.write.tflite import write_tflite
    from tests.write import nets

    (tmp_path / "m.tflite").write_bytes(write_tflite(nets.image(1, (24, 16), 8)))
    status, out, _ = run("price", tmp_path / "m.tflite", "--ram", "smallest")
    record = json.loads(run("price", tmp_path / "m.tflite", "--ram", "smallest", "--json")[1])
    (striping,) = record["cost"]["stripes"]
    assert striping["arena_bytes"] == record["cost"]["arena_bytes"] < striping["arena_bytes_before"]
    assert status == 0 and f"stripes: '{striping['first']}'" in out and f"{striping['arena_bytes']:,} bytes" in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["price", "m.tflite", "--device", "emf32"], "unknown device 'emf32'; did you mean efm32"),
        (["price", "absent.tflite"], "absent.tflite"),
        (["price", "nowhere/m.tflite"], "there is no folder 'nowhere' either"),
        (["price", "."], "'.' is a folder, expected a .tflite, .keras or .h5 file"),
        (["price", "m.tflite", "--optimize", "sped"], "did you mean 'speed'?"),
        (["price", "model.onnx"], "model.onnx"),
        (["export", "absent.tflite", "-o", "out", "--name", "x"], "absent.tflite"),
        (["export", "m.tflite", "-o", "out", "--name", "x", "--calibration", "no.npy"], "no.npy"),
        (["export", "m.tflite", "-o", "out", "--name", "x", "--device", "emf32"], "unknown device"),
        (["check", "absent"], "'absent' is no folder"),
        (["price", "m.tflite", "--ram", "smallest", "--all-devices"], "--ram is for one device"),
        (["price", "m.tflite", "--device", "efm32", "--all-devices"], "--device is for one part"),
        (["price", "m.tflite", "--ram", "least"], "ram is 'least'; expected 'smallest'"),
        (["profile", "absent"], "'absent' is no folder"),
        (["export", "m.tflite", "-o", "out", "--name", "x", "--url", "www"], "url is 'www', expected one such as"),
        (["profile", ".", "--plot", "p.pdf"], "--plot is 'p.pdf', expected a file name that ends in .png"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_one_line_and_status_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert message in err and err.count("\n") == 1 and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments, near",
    [
        (["price", "kws_modle.tflite"], "did you mean 'kws_model.tflite'?"),
        (["price", "KWS_model.keras"], "did you mean 'kws_model.tflite'?"),
        (["check", "firmwre"], "did you mean 'firmware'?"),
        (["profile", "firmware/tiny.tflite"], "did you mean the folder that it is in, 'firmware'?"),
        (["check", "firmware", "--on", "hots"], "expected one of host, cortex-m4, qemu; did you mean 'host'?"),
        (["check", "firmware", "--inputs", "clip.npy"], "'clip.npy'; did you mean 'clips.npy'?"),
        (["export", "kws_model.tflite", "-o", "o", "--name", "x", "--calibration", "clip.npy"], "'clips.npy'?"),
        (["exprot"], "'export'"),
        (["price", "kws_model.tflite", "--optimise", "speed"], "--optimize"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_near_is_named(run, exported, tmp_path, monkeypatch, arguments, near):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tflite").rename("kws_model.tflite")
    np.save("clips.npy", np.zeros((2, 40), np.int8))
    status, out, err = run(*arguments)
    assert (status, out) == (2, "") and near in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "firmware", "--inputs", "shape.npy"], "inputs have shape [2, 3], expected [n, 40]"),
        (["check", "firmware", "--trace", "--inputs", "shape.npy"], "inputs have shape [2, 3]"),
        (["profile", "firmware", "--inputs", "empty.npy"], "inputs have shape [0, 40]"),
        (["check", "firmware", "--inputs", "m.tflite"], "cannot be read as an .npy file"),
        (["check", "m.tflite"], "is no folder"),
        (["check", "x.keras", "--trace"], "'x.keras' is no folder"),
        (["check", "."], "has no report.json"),
        (["report", "."], "has no report.json"),
        (["detect", "firmware", "--wav", "x.wav"], "has no listener"),
        (["check", "firmware", "--wav", "x.wav"], "has no listener"),
        (["price", "m.tflite", "--device", ""], "unknown device ''"),
        (["price", "m.tflite", "--frames-per-call", "0"], "frames_per_call is 0, expected"),
        (["export", "m.tflite", "-o", "o", "--name", "x", "--frames-per-call", "0"], "frames_per_call is 0, expected"),
        (["export", "m.tflite", "-o", ".", "--name", "x"], "is the current folder"),
        (["export", "m.tflite", "-o", "o", "--name", "features"], "<features.h>"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_begin_is_status_2(run, exported, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    np.save("shape.npy", np.zeros((2, 3), np.int8))
    np.save("empty.npy", np.zeros((0, 40), np.int8))
    (tmp_path / "x.keras").touch()
    status, out, err = run(*arguments)
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["price"], ["fly"], ["export", "m.tflite"], ["devices", "--csv"]])
def test_wrong_arguments_are_status_2(run, arguments):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "") and "Usage:" in err


def test_keras_models_are_priced_without_tensorflows_chatter(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((40,)), keras.layers.Dense(12, name="head")])
    model.save(tmp_path / "m.keras")
    command = [sys.executable, "-m", "shrinkfit.cli", "price", str(tmp_path / "m.keras")]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "head" in result.stdout and "492" in result.stdout
    assert result.stderr == ""


def test_export_of_a_keras_model_needs_calibration(run, tmp_path):
    import keras

    model, calibration = tmp_path / "m.keras", tmp_path / "x.npy"
    keras.Sequential([keras.Input((40,)), keras.layers.Dense(3)]).save(model)
    status, _, err = run("export", model, "-o", tmp_path / "out", "--name", "m")
    assert status == 2 and "calibration" in err and not (tmp_path / "out").exists()
    np.save(calibration, np.random.default_rng(0).normal(size=(20, 40)).astype(np.float32))
    status, _, err = run("export", model, "-o", tmp_path / "out", "--name", "m", "--calibration", calibration)
    assert (status, err) == (0, "") and (tmp_path / "out" / "m.c").is_file()


@pytest.fixture
def exported(run, tmp_path):
    model, folder = dense_model(tmp_path / "m.tflite", 40, 3), tmp_path / "firmware"
    status, out, err = run("export", model, "-o", folder, "--name", "tiny", "--labels", "a, b,c")
    assert (status, err) == (0, "") and "tiny for efm32" in out
    return folder


def test_export_writes_the_folder(exported):
    report = json.loads((exported / "report.json").read_text())
    assert report["name"] == "tiny" and report["labels"] == ["a", "b", "c"]
    assert (exported / "tiny.c").is_file()


def test_size_is_priced_and_exported_with_less_code(run, tmp_path):
    model, code = dense_model(tmp_path / "m.tflite", 40, 3), {}
    for goal in ("balanced", "size"):
        _, out, _ = run("price", model, "--optimize", goal, "--json")
        code[goal] = json.loads(out)["cost"]["code_bytes"]
        _, out, _ = run("export", model, "-o", tmp_path / goal, "--name", "m", "--optimize", goal, "--json")
        assert json.loads(out)["code_bytes"] == code[goal]
    assert code["size"] < code["balanced"]


def test_all_parts_in_one_table(run, tmp_path):
    model = dense_model(tmp_path / "m.tflite", 40, 3)
    status, out, _ = run("price", model, "--all-devices")
    assert status == 0 and all(part.name in out for part in shrinkfit.devices())
    priced = json.loads(run("price", model, "--all-devices", "--json")[1])
    assert [part["device"] for part in priced] == [part.name for part in shrinkfit.devices()]
    alone = shrinkfit.price(model, "nrf52832")
    assert next(part for part in priced if part["device"] == "nrf52832")["costs"] == alone.as_costs()


def test_no_part_is_enough(run, tmp_path, monkeypatch):
    small = Device("small", core="cortex-m0plus", clock_hz=1_000_000, ram_bytes=64, flash_bytes=256)
    monkeypatch.setattr(parts, "devices", lambda: (small,))
    status, out, _ = run("price", dense_model(tmp_path / "m.tflite", 40, 3), "--all-devices")
    assert status == 1 and "over: RAM, flash" in out


def test_a_goal_without_rewrites_is_refused(run, tmp_path):
    model = dense_model(tmp_path / "m.tflite", 40, 3)
    status, _, err = run("export", model, "-o", tmp_path / "fw", "--name", "m", "--no-optimize", "--optimize", "size")
    assert status != 0 and "leave out one" in err and not (tmp_path / "fw").exists()


def test_a_goal_that_is_none_is_named(run, tmp_path):
    status, _, err = run("price", dense_model(tmp_path / "m.tflite", 40, 3), "--optimize", "fast")
    assert status != 0 and "'fast', expected one of balanced, speed, size" in err


@pytest.mark.parametrize(
    ("flag", "rules", "layers"), [("--optimize=speed", ["drop_noop"], 1), ("--no-optimize", [], 2)]
)
def test_no_optimize_keeps_the_graph_as_it_came(run, tmp_path, flag, rules, layers):
    from shrinkfit.write.tflite import write_tflite

    x, z = (ir.Tensor(name, (1, 8), **EXAMPLE_TENSORS) for name in "xz")
    p = ir.Tensor("p", (1, 8), 1 / 256, -128)
    ops = (
        ir.Requantize(name="same", inputs=("x",), outputs=("z",)),
        ir.Softmax(name="soft", inputs=("z",), outputs=("p",)),
    )
    model = tmp_path / "m.tflite"
    model.write_bytes(write_tflite(ir.Graph("g", {t.name: t for t in (x, z, p)}, ops, ("x",), ("p",))))
    status, out, _ = run("export", model, "-o", tmp_path / "out", "--name", "m", flag, "--json")
    report = json.loads(out)
    assert (status, len(report["layers"]), [r["rule"] for r in report["rewrites"]]) == (0, layers, rules)


def test_export_over_the_limits_is_status_1(run, tmp_path):
    model = dense_model(tmp_path / "m.tflite", 1500, 1000)
    status, out, _ = run("export", model, "-o", tmp_path / "out", "--name", "big", "--json")
    assert status == 1 and json.loads(out)["flops"] == 3_000_000


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("given", [False, True], ids=["random inputs", "own inputs"])
def test_check_on_the_host(run, exported, tmp_path, given):
    np.save(tmp_path / "x.npy", np.zeros((5, 40), np.int8))
    status, out, _ = run("check", exported, *(["--inputs", tmp_path / "x.npy"] if given else []), "--json")
    result = json.loads(out)
    assert (status, result["exact"], result["differences"]) == (0, True, 0)
    assert result["clips"] == 5 if given else result["clips"] > 5


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_check_finds_changed_weights(run, exported):
    weights = exported / "tiny_weights.h"
    text = weights.read_text()
    start = text.index("{", text.index("_stream["))
    number = text[start + 1 :].split(",")[3].strip()  # behind the shared record: a bias
    weights.write_text(text[:start] + "{" + text[start + 1 :].replace(number, str(int(number) + 256 * 3000), 1))
    status, out, _ = run("check", exported)
    assert status == 1 and "bytes differ" in out


needs_firmware = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")


@needs_firmware
def test_profile_as_tables_json_and_plot(run, exported, tmp_path):
    status, out, err = run("profile", exported, "--plot", tmp_path / "p.png")
    assert (status, err) == (0, "") and (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    for wanted in ("per MAC", "sf_dense", "parameters", "computed bound", "at 40 MHz", "µJ"):
        assert wanted in out
    status, out, _ = run("profile", exported, "--json")
    record = json.loads(out)
    assert (status, record["macs"], record["held"]) == (0, 120, True)
    assert f"{record['cycles']:,}" in run("profile", exported)[1]


@needs_firmware
def test_profile_over_its_stack_bound_is_status_1(run, exported):
    report = json.loads((exported / "report.json").read_text())
    (exported / "report.json").write_text(json.dumps(report | {"run_stack_bytes": 8}))
    status, out, _ = run("profile", exported)
    assert status == 1 and "OVER" in out


@pytest.mark.parametrize("on", ["mars", "Host"])
def test_check_on_an_unknown_place_is_status_2(run, exported, on):
    status, _, err = run("check", exported, "--on", on)
    assert status == 2 and "expected one of host, cortex-m4, qemu" in err


def test_failed_build_is_status_1(run, tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise CheckError("m.c does not compile: line 3")

    monkeypatch.setattr("shrinkfit.check.compare.check", broken)
    assert run("check", tmp_path) == (1, "", "shrinkfit: m.c does not compile: line 3\n")


def started(*command):
    """(processor seconds, result) of Python with these arguments: unlike a clock's, these do not count other work."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result


@pytest.mark.parametrize("arguments", [["--help"], ["devices"], ["price", "--help"]])
def test_start_is_quick_and_light(arguments):
    # Half a second, where typer and rich alone take an eighth of one: machines differ by more than programs do.
    libraries = min(started("-c", "import typer, rich.table, rich.console")[0] for _ in range(3))
    runs = [started(*options, "-m", "shrinkfit.cli", *arguments) for options in ([], [], ["-X", "importtime"])]
    seconds, result = [taken for taken, _ in runs], runs[-1][1]
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"tensorflow", "keras", "matplotlib", "unicorn", "numpy"}
    assert min(seconds) < max(0.5, 4 * libraries)
