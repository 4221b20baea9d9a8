# SPDX-License-Identifier: Apache-2.0
"""The exported self-test: on the host, on an emulated core and a whole board; it fails where the model does."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from shrinkfit import cli
from shrinkfit.check.build import build_firmware, linked_sizes
from shrinkfit.check.compare import check
from shrinkfit.check.emulate import Api, run_unicorn
from shrinkfit.check.execute import board_target, run_qemu
from shrinkfit.check.exported import Exported
from shrinkfit.device import Device
from shrinkfit.errors import ExportError
from shrinkfit.graph import simulate
from shrinkfit.graph.inputs import graph_inputs
from shrinkfit.write.export import write_folder
from tests.write import nets, stateful

HERE = Path(__file__).parent
GRAPHS = {
    "residual": nets.residual(1),
    "streaming": stateful.streaming(),
    "delays": stateful.delays("float32"),
    "int16": stateful.delays("int16"),
}
# (FPU, DSP)
CORES = {"cortex-m0plus": (False, False), "cortex-m4": (True, True), "cortex-m33": (True, True)}
TEXT_BYTES, TEXT_API = 512, Api("sf_test_run", (), (("sf_test_said", 512),))
SANITIZED = "CFLAGS=-std=c11 -O1 -Wall -Wextra -Wconversion -Werror -fsanitize=address,undefined"
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")


def run_example(folder, *flags):
    """(status, lines) of the exported example, which runs the self-test first."""
    subprocess.run(["make", "-s", "-C", str(folder), "example", *flags], check=True)
    done = subprocess.run([str(folder / "build" / "net-example")], capture_output=True, text=True)
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("name, dsp", [*((name, 0) for name in GRAPHS), ("residual", 1)])
def test_passes_on_the_host(tmp_path, name, dsp):
    write_folder(GRAPHS[name], tmp_path / "fw", name="net", selftest=5)
    status, said = run_example(tmp_path / "fw", f"{SANITIZED} -fno-sanitize-recover=all -DSF_USE_DSP={dsp}")
    assert (status, said[0], said[-1]) == (0, "net: PASS, 5 vectors", "net: done")


def firmware(folder, place, main, target):
    """An image with a test's main in place of the port's."""
    shutil.copy(HERE / main, folder / "ports" / "cortex_m4" / "main.c")
    return build_firmware(folder, place, target, stack_bytes=4096)


def text_of(outputs):
    return outputs[0].tobytes().rstrip(b"\0").decode()


@needs_arm
@pytest.mark.parametrize("name, core", [*((name, "cortex-m4") for name in GRAPHS), ("delays", "cortex-m0plus")])
def test_passes_on_an_emulated_core(tmp_path, name, core):
    fpu, dsp = CORES[core]
    write_folder(GRAPHS[name], tmp_path / "fw", name="net", device=Device("part", core, fpu=fpu, dsp=dsp), selftest=6)
    target = Exported.read(tmp_path / "fw").target
    elf = firmware(tmp_path / "fw", tmp_path, "selftest_main.c", target)
    outputs = run_unicorn(elf, np.zeros((1, 0), np.int8), TEXT_API, target).outputs
    assert text_of(outputs) == "net: PASS, 6 vectors\n"


@needs_arm
@needs_qemu
@pytest.mark.parametrize("core", CORES)
def test_passes_on_a_whole_board(tmp_path, core):
    fpu, dsp = CORES[core]
    device = Device("part", core, fpu=fpu, dsp=dsp)
    write_folder(GRAPHS["streaming"], tmp_path / "fw", name="net", device=device, selftest=6)
    target = Exported.read(tmp_path / "fw").target
    elf = firmware(tmp_path / "fw", tmp_path, "selftest_main.c", board_target(target))
    outputs = run_qemu(elf, np.zeros((1, 1), np.int8), TEXT_BYTES, target)
    # QEMU has no DWT.
    assert text_of(outputs) == "net: PASS, 6 vectors\n"


COUNTED = {core: ", 7 to 4000000003 cycles a run" for core in CORES} | {"cortex-m0plus": ""}


@needs_arm
@pytest.mark.parametrize("core, cycles", COUNTED.items(), ids=COUNTED)
def test_counts_cycles_where_the_core_can(tmp_path, core, cycles):
    """unicorn's system registers are plain memory, so that the test's model moves the counter itself."""
    fpu, dsp = CORES[core]
    device = Device("part", core, fpu=fpu, dsp=dsp)
    write_folder(nets.tiny(), tmp_path / "fw", name="net", device=device, selftest=1)
    target = Exported.read(tmp_path / "fw").target
    elf = firmware(tmp_path / "fw", tmp_path, "counting_main.c", target)
    outputs = run_unicorn(elf, np.zeros((1, 0), np.int8), TEXT_API, target).outputs
    assert text_of(outputs) == f"counting: PASS, 4 vectors{cycles}\n"


def test_finds_a_wrong_output(tmp_path):
    write_folder(GRAPHS["delays"], tmp_path / "fw", name="net", selftest=5)
    source = tmp_path / "fw" / "net_selftest.c"
    text = source.read_text()
    # Bytes 17 and 33 of vector 2's and of vector 4's 55 bytes of outputs.
    text = text.replace("expected = outputs", "expected = (vector & 1) ? outputs + (size_t)vector * 55 : wrong")
    text = text.replace("static int32_t compare", "static const int8_t wrong[55];\nstatic int32_t compare")
    source.write_text(text.replace(": wrong + (size_t)vector * 55;", ": wrong;"))
    status, said = run_example(tmp_path / "fw")
    assert status == 1 and said[-1] == "net: FAIL, 3 of 5 vectors"
    assert [line.split(":")[1] for line in said[:-1]] == [" vector 0", " vector 2", " vector 4"]


@pytest.mark.parametrize("byte", [0, 14, 15, 54])
def test_names_the_first_byte_that_differs(tmp_path, byte):
    """The outputs of a run have 15, 20 and 20 bytes."""
    write_folder(GRAPHS["delays"], tmp_path / "fw", name="net", selftest=2)
    source = tmp_path / "fw" / "net_selftest.c"
    text, begin = source.read_text(), "outputs[110] = {\n"
    start = text.index(begin) + len(begin)
    values = text[start : text.index("}", start)].replace("\n", " ").split(",")
    values[55 + byte] = str(int(values[55 + byte]) ^ 1)
    source.write_text(text[:start] + ",".join(values) + text[text.index("}", start) :])
    status, said = run_example(tmp_path / "fw")
    assert status == 1
    assert said == [f"net: vector 1: output byte {byte} is not what was exported", "net: FAIL, 1 of 2 vectors"]


def test_reports_the_status_of_a_run(tmp_path):
    write_folder(nets.tiny(), tmp_path / "fw", name="net", selftest=2)
    source = tmp_path / "fw" / "net.c"
    source.write_text(source.read_text().replace("return SF_OK;", "return SF_ERROR_ALIGNMENT;"))
    status, said = run_example(tmp_path / "fw")
    lines = [f"net: vector {i}: the run returns status 2" for i in (0, 1)]
    assert (status, said) == (1, [*lines, "net: FAIL, 2 of 2 vectors"])


MAIN = """#include <stdio.h>
#include "net_selftest.h"
static int8_t arena[NET_ARENA_BYTES + 8] SF_ALIGN(8);
static void say(const char *text) { fputs(text, stdout); }
int main(void) {
    printf("%d %d ", net_selftest(arena, 0), net_selftest(arena, 0));
    printf("%d ", net_selftest(0, say));
    printf("%d\\n", net_selftest(arena + 4, say));
    return 0;
}
"""


@pytest.mark.parametrize("name", ["residual", "streaming"])
def test_needs_no_print_starts_anew_and_refuses_a_bad_arena(tmp_path, name):
    write_folder(GRAPHS[name], tmp_path / "fw", name="net", selftest=7)
    (tmp_path / "main.c").write_text(MAIN)
    sources = [str(path) for path in (tmp_path / "fw").glob("*.c")]
    command = ["gcc", "-fsanitize=address,undefined", f"-I{tmp_path / 'fw'}", str(tmp_path / "main.c"), *sources]
    subprocess.run([*command, "-o", str(tmp_path / "main")], check=True)
    said = subprocess.run([str(tmp_path / "main")], check=True, capture_output=True, text=True).stdout
    refused = "net: FAIL, the arena is a null pointer or not aligned to 8\n"
    assert said == f"0 0 {refused}7 {refused}7\n"


@needs_arm
def test_costs_nothing_until_it_is_called(tmp_path):
    sizes = []
    for selftest in (None, 50):
        report = write_folder(nets.tiny(), tmp_path / "fw", name="net", selftest=selftest)
        exported = Exported.read(tmp_path / "fw")
        elf = build_firmware(exported.folder, tmp_path, exported.target, stack_bytes=exported.stack_bytes)
        sizes.append((report.cost.flash_bytes, report.cost.ram_bytes, linked_sizes(elf).flash_bytes))
    assert sizes[0] == sizes[1]
    assert (tmp_path / "fw" / "net_selftest.c").stat().st_size > 50 * 6
    assert check(tmp_path / "fw").exact


def test_takes_inputs_of_the_users_own(tmp_path):
    graph = nets.tiny()
    real = np.random.default_rng(3).normal(0, 2, (4, 6)).astype(np.float32)
    inputs = simulate.quantize(graph.tensors[graph.inputs[0]], real)
    np.save(tmp_path / "x.npy", inputs)
    texts = set()
    for given in (real, inputs, tmp_path / "x.npy", str(tmp_path / "x.npy")):
        write_folder(graph, tmp_path / "fw", name="net", selftest=given)
        texts.add((tmp_path / "fw" / "net_selftest.c").read_text())
    (text,) = texts
    for values in (inputs, simulate.run(graph, inputs)):
        assert ", ".join(map(str, values.reshape(-1)[:8])) in text
    assert "#define NET_SELFTEST_VECTORS 4" in (tmp_path / "fw" / "net_selftest.h").read_text()


def test_same_vectors_each_time(tmp_path):
    for folder in ("a", "b"):
        write_folder(GRAPHS["delays"], tmp_path / folder, name="net", selftest=3)
    first, second = ((tmp_path / folder / "net_selftest.c").read_text() for folder in ("a", "b"))
    assert first == second
    assert len(graph_inputs(GRAPHS["delays"], clips=2)["in:0"]) == 2


BAD = {
    "0": (0, "selftest is 0, expected a number of vectors of at least 1"),
    "True": (True, "selftest is True"),
    "shape": (np.zeros((4, 7), np.int8), r"selftest: inputs have shape \[4, 7\], expected \[n, 6\]"),
    "empty": (np.zeros((0, 6), np.int8), "with n at least 1"),
    "no file": ("nowhere.npy", "selftest: inputs 'nowhere.npy' cannot be read"),
}


@pytest.mark.parametrize("given, message", BAD.values(), ids=BAD)
def test_bad_vectors_are_refused_and_nothing_is_written(tmp_path, given, message):
    with pytest.raises(ExportError, match=message):
        write_folder(nets.tiny(), tmp_path / "fw", name="net", selftest=given)
    assert not (tmp_path / "fw").exists()


@pytest.mark.parametrize("given, vectors", [("3", 3), ("x.npy", 2)])
def test_command_line(tmp_path, monkeypatch, given, vectors):
    write_folder(nets.tiny(), tmp_path / "first", name="net")
    np.save(tmp_path / "x.npy", np.zeros((2, 6), np.int8))
    monkeypatch.chdir(tmp_path)
    command = ["shrinkfit", "export", "first/net.tflite", "-o", "fw", "--name", "net", "--selftest", given, "--json"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert not stopped.value.code
    assert f"NET_SELFTEST_VECTORS {vectors}\n" in (tmp_path / "fw" / "net_selftest.h").read_text()
    assert "net_selftest.c" in json.loads((tmp_path / "fw" / "report.json").read_text())["files"]
