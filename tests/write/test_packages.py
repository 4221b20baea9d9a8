# SPDX-License-Identifier: Apache-2.0
"""The exported folder in four build systems: by each one's own tool where it can be had, else by its specification."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import shrinkfit
from shrinkfit.device import get_device
from shrinkfit.write.export import write_folder
from shrinkfit.write.modelled import modelled
from shrinkfit.write.packages import package_files
from shrinkfit.write.tflite import write_tflite
from tests.test_docs import BLOCK, run_block
from tests.write import nets, stateful

HERE = Path(__file__).parent
PORTS = HERE.parents[1] / "runtime_c" / "ports"
PASS = "net: PASS, 2 vectors"


def needs(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


def needs_module(name):
    return pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed")


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with all that an export can have."""
    path = tmp_path_factory.mktemp("exported") / "fw"
    write_folder(nets.residual(1), path, name="net", labels=list("abcde"), selftest=2)
    return path


@pytest.fixture(scope="module")
def stateful_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "fw"
    write_folder(stateful.delays("float32"), path, name="ring")
    return path


@pytest.fixture(params=["folder", "stateful_folder"])
def each(request):
    return request.getfixturevalue(request.param)


def name_of(folder):
    return json.loads((folder / "report.json").read_text())["name"]


def root_files(folder, suffix):
    return sorted(path.name for path in folder.glob(f"*{suffix}"))


# CMake


def configure(source, build, *options):
    run("cmake", "-S", source, "-B", build, *options)
    run("cmake", "--build", build, "--parallel", "2")


@needs("cmake", "cc")
def test_cmake_on_this_computer(tmp_path, each):
    name = name_of(each)
    configure(each, tmp_path / "b")
    run("ctest", cwd=tmp_path / "b")
    said = run(tmp_path / "b" / f"{name}_example").splitlines()
    assert said[-1] == f"{name}: done" and (PASS in said) == (name == "net")
    (tmp_path / "in").write_bytes(bytes(154 if name == "net" else 26))
    run(tmp_path / "b" / f"{name}_host", tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out").stat().st_size == (5 if name == "net" else 55)


APP = """#include <stdio.h>
#include "net.h"
#include "net_selftest.h"
static int8_t arena[NET_ARENA_BYTES] SF_ALIGN(8);
static void say(const char *text) { fputs(text, stdout); }
int main(void) { return net_selftest(arena, say); }
"""
USES = {
    "add_subdirectory": "add_subdirectory({folder} net)\n",
    "installed": "find_package(net 0.1 REQUIRED PATHS {prefix} NO_DEFAULT_PATH)\n",
    "built": "find_package(net REQUIRED PATHS {build} NO_DEFAULT_PATH)\n",
}


@pytest.fixture(scope="module")
def built(folder, tmp_path_factory):
    """(build folder, prefix) of the library alone, built and installed."""
    place = tmp_path_factory.mktemp("cmake")
    configure(folder, place / "build")
    run("cmake", "--install", place / "build", "--prefix", place / "prefix")
    return place / "build", place / "prefix"


@needs("cmake", "cc")
@pytest.mark.parametrize("use", USES)
def test_cmake_from_another_project(tmp_path, folder, built, use):
    uses = USES[use].format(folder=folder, build=built[0], prefix=built[1])
    text = f"cmake_minimum_required(VERSION 3.13)\nproject(app C)\n{uses}add_executable(app app.c)\n"
    (tmp_path / "CMakeLists.txt").write_text(text + "target_link_libraries(app net::net)\n")
    (tmp_path / "app.c").write_text(APP)
    configure(tmp_path, tmp_path / "b")
    assert run(tmp_path / "b" / "app") == f"{PASS}\n"


def test_cmake_installs_public_headers_only(built):
    headers = sorted(path.name for path in (built[1] / "include" / "net").iterdir())
    assert headers == ["net.h", "net_selftest.h", "sf_model.h", "sf_selftest.h", "shrinkfit.h"]
    assert (built[1] / "share" / "licenses" / "net" / "LICENSE").is_file()


@needs("cmake", "arm-none-eabi-gcc", "make")
@pytest.mark.parametrize("device", ["efm32", "rp2040"])
def test_cmake_for_the_device_gives_the_image_of_make(tmp_path, device):
    write_folder(nets.tiny(), tmp_path / "fw", name="net", device=device)
    configure(tmp_path / "fw", tmp_path / "b", "--toolchain", tmp_path / "fw" / "cmake" / "arm-none-eabi.cmake")
    run("make", "-s", "-C", tmp_path / "fw", "firmware")
    images = (tmp_path / "b" / "firmware.elf", tmp_path / "fw" / "build" / "firmware.elf")
    sizes = [run("arm-none-eabi-size", image).splitlines()[1].split()[:3] for image in images]
    assert sizes[0] == sizes[1]


@needs("cmake", "cc")
@pytest.mark.parametrize("name", ["test", "install", "all"])
def test_cmake_where_a_name_is_its_own(tmp_path, name):
    write_folder(nets.tiny(), tmp_path / "fw", name=name)
    configure(tmp_path / "fw", tmp_path / "b")
    assert (tmp_path / "b" / f"lib{name}_model.a").is_file()


# Arduino: the library specification 1.5, rev. 2.2.

FIELDS = ["name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"]
SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
CATEGORIES = (
    "Display|Communication|Signal Input/Output|Sensors|Device Control|Timing|Data Storage|Data Processing|Other"
)


def test_arduino_properties(each):
    lines = (each / "library.properties").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines)
    assert list(fields) == [*FIELDS, "includes"] and all(fields.values())
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", fields["name"]) and fields["name"] == name_of(each)
    assert re.fullmatch(SEMVER, fields["version"]) and re.fullmatch(CATEGORIES, fields["category"])
    # arduino-lint takes any URI, and warns where it does not answer; none is made up.
    assert fields["url"] == "https://www.apache.org/licenses/LICENSE-2.0" and fields["architectures"] == "*"
    assert fields["author"] == fields["maintainer"] == f"shrinkfit {shrinkfit.__version__} (generated code)"
    assert all((each / header).is_file() for header in fields["includes"].split(","))


def test_the_runtime_has_its_licence(each):
    assert (each / "LICENSE").read_bytes() == (PORTS.parent / "LICENSE").read_bytes()
    assert "LICENSE" in json.loads((each / "report.json").read_text())["files"]


@pytest.mark.parametrize(
    ("author", "wanted"),
    [
        ("Ada L. <ada@mail.org>", {"name": "Ada L.", "email": "ada@mail.org"}),
        ("Ada & Söhne", {"name": "Ada & Söhne"}),
    ],
)
def test_author_and_url_are_the_users(tmp_path, author, wanted):
    url = "https://models.org/net?x=1"
    shrinkfit.export(nets.tiny(), tmp_path / "fw", name="net", author=author, url=url)
    fields = dict(line.split("=", 1) for line in (tmp_path / "fw" / "library.properties").read_text().splitlines())
    assert (fields["author"], fields["maintainer"], fields["url"]) == (author, author, url)
    manifest = json.loads((tmp_path / "fw" / "library.json").read_text())
    assert (manifest["authors"], manifest["homepage"]) == ([wanted], url)


@pytest.mark.parametrize(
    "given",
    [
        {"author": ""},
        {"author": "a\nurl=x"},
        {"author": "<a@b.c>"},
        {"author": 5},
        {"url": 5},
        {"url": "models.org"},
        {"url": "https://a b"},
    ],
)
def test_strange_authors_and_urls_are_refused(tmp_path, given):
    (what,) = given
    with pytest.raises(shrinkfit.ShrinkfitError, match=f"^{what} is .*, expected one"):
        shrinkfit.export(nets.tiny(), tmp_path / "fw", name="net", **given)
    assert not (tmp_path / "fw").exists()


def test_arduino_layout_is_the_flat_one(each):
    assert not (each / "src").exists() and not (each / "utility").exists()
    sketch = each / "examples" / name_of(each) / f"{name_of(each)}.ino"
    assert "void setup() {" in sketch.read_text() and "void loop() {" in sketch.read_text()


def test_arduino_keywords(folder):
    rows = [line.split("\t") for line in (folder / "keywords.txt").read_text().splitlines()]
    words = {kind: [word for word, k in rows if k == kind] for kind in ("KEYWORD2", "LITERAL1")}
    assert words["KEYWORD2"] == ["net_input", "net_output", "net_run", "net_selftest"]
    defined = re.findall(
        r"#define (NET_\w+) ", (folder / "net.h").read_text() + (folder / "net_selftest.h").read_text()
    )
    assert words["LITERAL1"] == sorted(defined) and len(rows) == 4 + len(defined)


def test_arduino_names_of_its_own_are_left_to_it(tmp_path):
    write_folder(nets.tiny(), tmp_path / "fw", name="arduino_net")
    assert "name=model_arduino_net\n" in (tmp_path / "fw" / "library.properties").read_text()


@needs("arduino-builder", "arm-none-eabi-g++", "qemu-system-arm")
def test_arduino_builds_the_sketch_and_a_board_runs_it(tmp_path, folder):
    platform = tmp_path / "hardware" / "test" / "arm"
    shutil.copytree(HERE / "arduino", platform)
    for file in ("startup.c", "memory.c"):
        shutil.copy(PORTS / "cortex_m4" / file, platform / "cores" / "semihosted")
    shutil.copy(PORTS / "cortex_m4" / "link.ld", platform)
    shutil.copytree(folder, tmp_path / "libraries" / "net")
    (tmp_path / "build").mkdir()
    options = ["-hardware", tmp_path / "hardware", "-hardware", "/usr/share/arduino-builder", "-tools", "/usr/bin"]
    options += ["-libraries", tmp_path / "libraries", "-fqbn", "test:arm:semihosted", "-build-path", tmp_path / "build"]
    run("arduino-builder", "-compile", *options, tmp_path / "libraries" / "net" / "examples" / "net" / "net.ino")
    board = "qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none"
    semihosting = ["-semihosting-config", "enable=on,target=native", "-kernel", tmp_path / "build" / "net.ino.elf"]
    said = run(*board.split(), *semihosting, timeout=60, stdin=subprocess.DEVNULL).splitlines()
    assert said[0] == PASS and [line.split(":")[0] for line in said[2:]] == list("abcde")


# Zephyr: the schema that its scripts/zephyr_module.py holds a module.yml against, as far as folders like ours go.

MODULE_SCHEMA = {"name": str, "build": {"cmake": str, "kconfig": str, "depends": list}, "samples": list, "tests": list}


def strange(values, schema):
    """Keys that the schema does not know, or whose values have another type."""
    for key, value in values.items():
        kind = schema.get(key)
        if isinstance(kind, dict) and isinstance(value, dict):
            yield from strange(value, kind)
        elif kind is None or isinstance(kind, dict) or not isinstance(value, kind):
            yield key


@needs_module("yaml")
def test_zephyr_module(each):
    import yaml

    module = yaml.safe_load((each / "zephyr" / "module.yml").read_text())
    assert module["name"] == name_of(each) and not list(strange(module, MODULE_SCHEMA))
    assert list(strange({"build": {"cmake": 3}, "sample": []}, MODULE_SCHEMA)) == ["cmake", "sample"]
    assert (each / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (each / module["build"]["kconfig"]).is_file()
    for sample in module["samples"]:
        tests = yaml.safe_load((each / sample / "sample.yaml").read_text())
        assert set(tests) == {"sample", "tests"} and list(tests["tests"]) == [f"shrinkfit.{name_of(each)}"]


@needs_module("kconfiglib")
def test_zephyr_options(each, monkeypatch):
    import kconfiglib

    # Zephyr's own, as far as the sample's prj.conf sets them.
    own = 'config MAIN_STACK_SIZE\n\tint\n\tprompt "stack"\nconfig CBPRINTF_FP_SUPPORT\n\tbool "floats"\n'
    (each.parent / "Kconfig").write_text(f'{own}source "{each}/zephyr/Kconfig"\n')
    options = kconfiglib.Kconfig(str(each.parent / "Kconfig"), warn_to_stderr=False)
    symbol = options.syms[f"SHRINKFIT_{name_of(each).upper()}"]
    assert (symbol.type, symbol.str_value) == (kconfiglib.BOOL, "n") and symbol.nodes[0].help
    options.load_config(str(each / "zephyr" / "sample" / "prj.conf"))
    assert symbol.str_value == "y" and not options.warnings
    assert int(options.syms["MAIN_STACK_SIZE"].str_value) > 2048


@needs("cmake", "cc")
def test_zephyr_sample_with_two_models(tmp_path, folder, stateful_folder):
    """Zephyr itself is no package of a registry; tests/write/zephyr stands for its build system."""
    options = [f"-DZephyr_DIR={HERE / 'zephyr'}", f"-DZEPHYR_EXTRA_MODULES={stateful_folder}"]
    options.append("-DMORE_OPTIONS=CONFIG_SHRINKFIT_RING=y")
    configure(folder / "zephyr" / "sample", tmp_path / "b", *options)
    assert run(tmp_path / "b" / "app").splitlines()[0] == PASS
    parts = run("ar", "t", tmp_path / "b" / "modules" / "ring" / "libshrinkfit_ring.a").split()
    assert "ring.c.o" in parts and "sf_layout.c.o" in parts


@needs("cmake", "cc")
def test_zephyr_refuses_two_models_with_other_runtimes(tmp_path, folder, stateful_folder):
    shutil.copytree(stateful_folder, tmp_path / "ring")
    with (tmp_path / "ring" / "sf_layout.c").open("a") as file:
        file.write("/* another version */\n")
    options = [f"-DZephyr_DIR={HERE / 'zephyr'}", f"-DZEPHYR_EXTRA_MODULES={tmp_path / 'ring'}"]
    options.append("-DMORE_OPTIONS=CONFIG_SHRINKFIT_RING=y")
    with pytest.raises(AssertionError, match="net has another sf_layout.c than a model before it"):
        configure(folder / "zephyr" / "sample", tmp_path / "b", *options)


# PlatformIO


def pio(place, *arguments, **options):
    settings = {"PLATFORMIO_CORE_DIR": str(place / "pio"), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    return run(sys.executable, "-m", "platformio", *arguments, env=os.environ | settings, **options)


def packed(folder, place):
    pio(place, "pkg", "pack", "-o", place / "packed.tar.gz", folder)
    with tarfile.open(place / "packed.tar.gz") as archive:
        return {member.name for member in archive if member.isfile()}


@needs_module("platformio")
def test_platformio_packs_the_library(tmp_path, each):
    files = json.loads((each / "report.json").read_text())["files"]
    # A page for people, which PlatformIO leaves out of any package.
    assert packed(each, tmp_path) == set(files) - {"report.html"}


@needs_module("platformio")
def test_platformio_would_refuse_a_bad_manifest(tmp_path, folder):
    shutil.copytree(folder, tmp_path / "fw")
    manifest = json.loads((folder / "library.json").read_text())
    (tmp_path / "fw" / "library.json").write_text(json.dumps(manifest | {"version": "first"}))
    with pytest.raises(AssertionError, match="Invalid semantic versioning format"):
        packed(tmp_path / "fw", tmp_path)


@needs_module("platformio")
def test_platformio_compiles_what_is_in_the_root(each):
    from platformio.fs import match_src_files

    build = json.loads((each / "library.json").read_text())["build"]
    found = match_src_files(str(each / build["srcDir"]), build["srcFilter"], ["c", "cpp"])
    assert sorted(Path(path).name for path in found) == root_files(each, ".c")


def scons_as_a_tool(place):
    """PlatformIO takes its SCons from its registry, or where it lies already; PyPI's is the same."""
    from platformio.dependencies import get_core_dependencies

    tool, version = place / "pio" / "packages" / "tool-scons", get_core_dependencies()["tool-scons"].lstrip("~^=")
    tool.mkdir(parents=True)
    package = {"name": "tool-scons", "version": version, "description": "SCons", "system": "*"}
    spec = {"owner": "platformio", "id": None, "name": "tool-scons", "requirements": None, "uri": None}
    (tool / "package.json").write_text(json.dumps(package))
    (tool / ".piopm").write_text(json.dumps({"type": "tool", "name": "tool-scons", "version": version, "spec": spec}))
    (tool / "scons.py").write_text("import SCons.Script\n\nSCons.Script.main()\n")


@needs_module("platformio")
@needs_module("SCons")
@needs("gcc")
def test_platformio_builds_a_project_with_the_library(tmp_path, folder):
    scons_as_a_tool(tmp_path)
    project = tmp_path / "project"
    shutil.copytree(folder, project / "lib" / "net")
    (project / "src").mkdir()
    shutil.copy(folder / "examples" / "plain-c" / "main.c", project / "src")
    (project / "platformio.ini").write_text(f"[env:host]\nplatform = symlink://{HERE / 'platformio'}\n")
    said = pio(tmp_path, "run", "-v", cwd=project)
    compiled = [line for line in said.splitlines() if " lib/net/" in line and " -c " in line]
    assert len(compiled) == len(root_files(folder, ".c"))
    assert all("-O2" in line and "-Os" not in line for line in compiled)
    assert run(project / ".pio" / "build" / "host" / "program").splitlines()[0] == PASS


# docs/building.md


@needs("cmake", "gcc", "make", "arm-none-eabi-gcc")
def test_every_command_of_the_guide_runs(tmp_path):
    (tmp_path / "model.tflite").write_bytes(write_tflite(nets.chain(3)))
    blocks = BLOCK.findall((HERE.parents[1] / "docs" / "building.md").read_text())
    assert [language for language, _ in blocks].count("sh") == 6
    for language, text in blocks:
        if language != "console":
            run_block(language, text, tmp_path)


# All


def test_every_system_has_the_sources_that_are_there(each):
    """What another part of an export adds is compiled everywhere."""
    for file in ("CMakeLists.txt", "zephyr/CMakeLists.txt"):
        text = (each / file).read_text()
        assert [source for source in root_files(each, ".c") if source not in text] == []


def test_a_file_that_an_export_adds_is_compiled_and_installed(tmp_path, monkeypatch):
    write_folder(nets.tiny(), tmp_path / "fw", name="net")
    model = modelled(nets.tiny(), "net", get_device("efm32"))
    files = {"net.h": b"", "net.c": b"", "net_weights.h": b"", "sf_listen.h": b"", "sf_listen.c": b""}
    files |= {
        "net_listen.c": b"",
        "net_listen.h": b'#include "sf_listen.h"\n#define NET_LISTEN_HZ 1\nint net_listen(\n',
    }
    texts = {path: text.decode() for path, text in package_files(model, get_device("efm32"), 1024, files).items()}
    for source in ("net_listen.c", "sf_listen.c"):
        assert source in texts["CMakeLists.txt"] and source in texts["zephyr/CMakeLists.txt"]
    assert "includes=net.h,net_listen.h\n" in texts["library.properties"]
    assert "    sf_listen.h\n" in texts["CMakeLists.txt"] and "net_weights.h" not in texts["CMakeLists.txt"]
    assert texts["keywords.txt"] == "net_listen\tKEYWORD2\nNET_LISTEN_HZ\tLITERAL1\n"


@needs("g++", "clang")
def test_main_compiles_without_warnings_in_c_and_cpp(each, tmp_path):
    main = each / "examples" / "plain-c" / "main.c"
    for compiler in (["gcc", "-std=c99"], ["clang", "-std=c17"], ["g++", "-xc++", "-std=c++11"]):
        flags = ["-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{each}", "-fsyntax-only"]
        run(*compiler, *flags, main, *each.glob("*_selftest.c"))
