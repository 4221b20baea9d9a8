# SPDX-License-Identifier: Apache-2.0
"""Exported folders: they build by themselves, give the simulator's bytes, and appear whole or not at all."""

import filecmp
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shrinkfit.check.build import Target
from shrinkfit.device import Device, devices, get_device
from shrinkfit.errors import ExportError, ShrinkfitError
from shrinkfit.graph import simulate
from shrinkfit.write.build_files import cpu_flags
from shrinkfit.write.export import export, to_graph, write_folder
from tests.runtime_c import graphs
from tests.write import nets

GOLDEN = Path(__file__).parent / "golden"
NETS = [nets.residual(1), nets.residual(2, (8, 8), 5), nets.chain(3), nets.chain(4, 9, 3, 7), nets.tiny()]
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


def make(folder, *arguments):
    done = subprocess.run(["make", "-s", "-C", str(folder), *arguments], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def run_host(folder, graph, inputs):
    (folder.parent / "in").write_bytes(inputs.tobytes())
    subprocess.run([str(folder / "build" / "net"), str(folder.parent / "in"), str(folder.parent / "out")], check=True)
    shape = graph.tensors[graph.outputs[0]].shape[1:]
    return np.frombuffer((folder.parent / "out").read_bytes(), np.int8).reshape(len(inputs), *shape)


@pytest.mark.parametrize("dsp", [0, 1])
@pytest.mark.parametrize("graph", NETS, ids=lambda g: g.name)
def test_host_program_equals_simulator(tmp_path, graph, dsp):
    write_folder(graph, tmp_path / "fw", name="net")
    flags = (
        f"CFLAGS=-std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover -DSF_USE_DSP={dsp} -Wall -Werror"
    )
    make(tmp_path / "fw", "host", flags)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    inputs = np.random.default_rng(0).integers(-128, 128, (20, *shape), np.int8)
    np.testing.assert_array_equal(run_host(tmp_path / "fw", graph, inputs), simulate.run(graph, inputs))


@needs_arm
@pytest.mark.parametrize("part", ["efm32", "rp2040", "stm32h743"])
@pytest.mark.parametrize("graph", NETS[:3], ids=lambda g: g.name)
def test_printed_sizes_equal_the_linked_image(tmp_path, graph, part):
    cost = write_folder(graph, tmp_path / "fw", name="net", device=part).cost
    make(tmp_path / "fw", "firmware")
    elf = str(tmp_path / "fw" / "build" / "firmware.elf")
    sizes = subprocess.run(["arm-none-eabi-size", elf], capture_output=True, text=True, check=True).stdout
    text, data, bss = map(int, sizes.splitlines()[1].split()[:3])
    assert cost.ram_bytes == data + bss
    assert cost.flash_bytes == pytest.approx(text + data, rel=0.005)


def test_same_graph_same_bytes(tmp_path):
    for folder in ("a", "b"):
        write_folder(nets.residual(5), tmp_path / folder, name="net", labels=list("abcde"))
    files = sorted(p.relative_to(tmp_path / "a").as_posix() for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files == json.loads((tmp_path / "a" / "report.json").read_text())["files"]
    assert filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", files, shallow=False) == (files, [], [])


@pytest.mark.parametrize("file", ["tiny.h", "tiny_weights.h", "tiny.c", "sf_model.h"])
def test_golden_files(tmp_path, file):
    """SHRINKFIT_REWRITE_GOLDEN=1 rewrites them."""
    write_folder(nets.tiny(), tmp_path / "fw", name="tiny", labels=["yes", 'n"o', "naïve?"])
    if os.environ.get("SHRINKFIT_REWRITE_GOLDEN") == "1":
        GOLDEN.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "fw" / file, GOLDEN / file)
    assert (tmp_path / "fw" / file).read_text() == (GOLDEN / file).read_text()


@pytest.mark.parametrize("compiler", [["gcc", "-xc", "-std=c99"], ["g++", "-xc++", "-std=c++11"]], ids=["c", "c++"])
def test_header_compiles_alone(tmp_path, compiler):
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    write_folder(nets.tiny(), tmp_path / "fw", name="net", labels=list("abc"))
    command = [*compiler, "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{tmp_path / 'fw'}", "-"]
    source = '#include "net.h"\n#include "sf_model.h"\n'
    source += "const char *label(int i);\nconst char *label(int i) { return sf_model_labels[i]; }\n"
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_cmake_builds_the_library(tmp_path):
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    write_folder(nets.tiny(), tmp_path / "fw", name="net")
    subprocess.run(["cmake", "-S", tmp_path / "fw", "-B", tmp_path / "b"], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", tmp_path / "b"], check=True, capture_output=True)
    assert (tmp_path / "b" / "libnet.a").is_file()


def test_wrong_runtime_version_is_refused(tmp_path):
    write_folder(nets.tiny(), tmp_path / "fw", name="net")
    header = tmp_path / "fw" / "shrinkfit.h"
    header.write_text(header.read_text().replace("SF_FORMAT_VERSION 2", "SF_FORMAT_VERSION 99"))
    command = ["gcc", "-fsyntax-only", str(tmp_path / "fw" / "net.c")]
    assert "export the model again" in subprocess.run(command, capture_output=True, text=True).stderr


def test_run_reports_a_bad_arena(tmp_path):
    write_folder(nets.tiny(), tmp_path / "fw", name="net")
    (tmp_path / "main.c").write_text(
        '#include "net.h"\nstatic int8_t arena[NET_ARENA_BYTES + 8] SF_ALIGN(8);\n'
        "int main(void) { return net_run(0) == SF_ERROR_NULL && net_run(arena + 1) == SF_ERROR_ALIGNMENT && "
        "net_run(arena) == SF_OK ? 0 : 1; }\n"
    )
    sources = [str(p) for p in (tmp_path / "fw").glob("*.c")]
    command = ["gcc", f"-I{tmp_path / 'fw'}", str(tmp_path / "main.c"), *sources, "-o", str(tmp_path / "main")]
    subprocess.run(command, check=True)
    assert subprocess.run([str(tmp_path / "main")]).returncode == 0


BAD_NAMES = {
    "": "no C identifier",
    "9lives": "no C identifier",
    "hot-word": "no C identifier",
    "a b": "no C identifier",
    "größe": "no C identifier",
    "a\n": "no C identifier",
    "while": "keyword",
    "class": "keyword",
    "string": "standard header",
    "features": "standard header",
    "alloca": "standard header",
    "_Net": "underscore",
    "sf_conv2d": "runtime's own",
    "sf": "runtime's own",
    "shrinkfit": "runtime's own",
    "n" * 49: "at most 48",
}


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda n: repr(n)[:12])
def test_bad_names(tmp_path, name):
    with pytest.raises(ExportError, match=BAD_NAMES[name]):
        export(nets.tiny(), tmp_path / "fw", name=name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("labels", [["a"], ["a", "b", 3], []])
def test_bad_labels(tmp_path, labels):
    with pytest.raises(ExportError, match="expected 3 strings"):
        export(nets.tiny(), tmp_path / "fw", name="net", labels=labels)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in ("file", "file/fw"):
        with pytest.raises(ExportError, match="file"):
            export(nets.tiny(), tmp_path / place, name="net")
    assert (tmp_path / "file").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_parent(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ExportError, match="cannot write"):
        export(nets.tiny(), tmp_path / "locked" / "fw", name="net")


@pytest.mark.parametrize("failing", ["write_bytes", "rename"])
def test_a_failure_leaves_the_old_folder(tmp_path, monkeypatch, failing):
    export(nets.tiny(), tmp_path / "fw", name="net")
    before = (tmp_path / "fw" / "net.c").read_bytes()

    def fail(source, target=None):
        if failing == "write_bytes" or Path(target).name == "fw" and Path(source).name == "new":
            raise OSError(28, "No space left on device")
        return rename(source, target)

    rename = os.rename
    monkeypatch.setattr(Path if failing == "write_bytes" else os, failing, fail)
    with pytest.raises(ExportError, match="No space left on device; nothing was changed"):
        export(nets.residual(), tmp_path / "fw", name="net")
    assert [p.name for p in tmp_path.iterdir()] == ["fw"] and (tmp_path / "fw" / "net.c").read_bytes() == before


def test_an_exported_folder_is_replaced(tmp_path):
    export(nets.residual(), tmp_path / "fw", name="stale")
    make(tmp_path / "fw", "host")
    export(nets.tiny(), tmp_path / "fw", name="fresh")
    names = {p.name for p in (tmp_path / "fw").iterdir()}
    assert "fresh.c" in names and not names & {"stale.c", "build", "sf_conv2d.c"}
    assert [p.name for p in tmp_path.iterdir()] == ["fw"]


@pytest.mark.parametrize("exported", [False, True])
def test_foreign_files_are_not_removed(tmp_path, exported):
    if exported:
        export(nets.tiny(), tmp_path / "fw", name="net")
    (tmp_path / "fw").mkdir(exist_ok=True)
    (tmp_path / "fw" / "thesis.tex").write_text("precious")
    with pytest.raises(ExportError, match="thesis.tex" if exported else "did not write"):
        export(nets.tiny(), tmp_path / "fw", name="net")
    assert (tmp_path / "fw" / "thesis.tex").read_text() == "precious"


def test_only_what_the_model_needs(tmp_path):
    export(nets.tiny(), tmp_path / "m4", name="net")
    export(nets.tiny(), tmp_path / "m0", name="net", device="rp2040")
    files = {d: {p.name for p in (tmp_path / d).glob("sf_*.c")} for d in ("m4", "m0")}
    assert files == {"m4": {"sf_dense_pairs.c", "sf_dense_pairs_dsp.c"}, "m0": {"sf_dense.c"}}


def test_a_clamp_that_litert_lacks_costs_only_the_tflite(tmp_path):
    graph = graphs.add(None, (6,), act=(-60, 50))
    graph = replace(graph, ops=(replace(graph.ops[0], inputs=("a", "a")),), inputs=("a",), tensors=_without(graph, "b"))
    report = export(graph, tmp_path / "fw", name="net")
    assert "clamps to [-60, 50]" in report.details["no_tflite_because"]
    assert (tmp_path / "fw" / "net.c").is_file() and not (tmp_path / "fw" / "net.tflite").exists()


def _without(graph, name):
    return {key: tensor for key, tensor in graph.tensors.items() if key != name}


def test_report_says_whether_it_fits(tmp_path):
    small = Device(name="small", core="cortex-m4", fpu=True, ram_bytes=500, flash_bytes=1024)
    report = export(nets.residual(), tmp_path / "fw", name="net", device=small)
    assert not report.held and "over the limit of 500" in str(report)
    written = json.loads((tmp_path / "fw" / "report.json").read_text())
    assert written == report.as_dict() and written["limits"]["ram_bytes"] == 500
    assert str(tmp_path) not in json.dumps(written)


@pytest.mark.parametrize("source", ["missing.tflite", "net.onnx"])
def test_unreadable_sources(tmp_path, source):
    (tmp_path / "net.onnx").write_bytes(b"")
    with pytest.raises(ShrinkfitError, match=source):
        to_graph(tmp_path / source)


def test_a_fitted_source_brings_its_device(tmp_path):
    class Fitted:
        graph, device = nets.tiny(), get_device("rp2040")

    assert export(Fitted(), tmp_path / "fw", name="net").device == "rp2040"


@pytest.mark.parametrize("device", [d for d in devices() if d.core in ("cortex-m0plus", "cortex-m4", "cortex-m33")])
def test_makefile_and_check_compile_alike(device):
    assert cpu_flags(device).split() == list(Target.of(device).compiler_flags)


@pytest.mark.parametrize("folder", [".", "", "..", "../.."])
def test_the_folder_that_somebody_is_in_is_refused(tmp_path, monkeypatch, folder):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    with pytest.raises(ExportError, match="such as 'firmware'" if not folder else "current.* inside it.* go up one"):
        export(nets.tiny(), folder, name="net")
    assert list(inner.iterdir()) == [] and inner.samefile(".")
    assert export(nets.tiny(), "fw", name="net").folder == inner / "fw"


def test_a_link_is_called_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ExportError, match="link' is a symbolic link; name the folder '.*real' itself"):
        export(nets.tiny(), tmp_path / "link", name="net")


@pytest.mark.parametrize("labels", ["abc", 5])
def test_labels_are_a_list(tmp_path, labels):
    with pytest.raises(ExportError, match=f"labels are {labels!r}; expected a list of 3 strings"):
        export(nets.tiny(), tmp_path / "fw", name="net", labels=labels)


@pytest.mark.parametrize("frames", [0, -3, 1.5])
def test_frames_of_a_call_are_at_least_one(tmp_path, frames):
    with pytest.raises(ShrinkfitError, match=f"frames_per_call is {frames}, expected a whole number of at least 1"):
        export(nets.tiny(), tmp_path / "fw", name="net", frames_per_call=frames)
