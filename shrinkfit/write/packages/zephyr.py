# SPDX-License-Identifier: Apache-2.0
"""The files of a Zephyr module: zephyr/module.yml, CMakeLists.txt, Kconfig, and a sample around examples/main.

Source: docs.zephyrproject.org, "Modules (External projects)"; the schema is that of Zephyr's scripts/zephyr_module.py.
"""

from __future__ import annotations

from shrinkfit.write.build_files import MAIN
from shrinkfit.write.packages.cmake import listed
from shrinkfit.write.packages.package import Package

SAMPLE = "zephyr/sample"
# What main and printf may take beside a run.
PRINTING_STACK_BYTES = 2048


def files(package: Package) -> dict[str, str]:
    """Relative path -> text."""
    return {
        "zephyr/module.yml": _module(package),
        "zephyr/Kconfig": _kconfig(package),
        "zephyr/CMakeLists.txt": _cmake_lists(package),
        f"{SAMPLE}/CMakeLists.txt": _sample_cmake_lists(package),
        f"{SAMPLE}/prj.conf": _sample_config(package),
        f"{SAMPLE}/sample.yaml": _sample_yaml(package),
    }


def option(package: Package) -> str:
    """The Kconfig symbol that compiles the model, without CONFIG_."""
    return f"SHRINKFIT_{package.model.prefix}"


def _module(package: Package) -> str:
    return f"""name: {package.name}
build:
  cmake: zephyr
  kconfig: zephyr/Kconfig
samples:
  - {SAMPLE}
"""


def _kconfig(package: Package) -> str:
    return f"""config {option(package)}
\tbool "{package.name}, a neural network"
\thelp
\t  {package.sentence}
"""


def _cmake_lists(package: Package) -> str:
    own = [source for source in package.sources if not source.startswith("sf_")]
    runtime = [source for source in package.sources if source.startswith("sf_")]
    return f"""# Written by shrinkfit. In prj.conf: CONFIG_{option(package)}=y
if(CONFIG_{option(package)})
  zephyr_library_named(shrinkfit_{package.name})
  zephyr_include_directories(${{CMAKE_CURRENT_SOURCE_DIR}}/..)
  zephyr_library_compile_options(-O2)
  zephyr_library_sources(
{listed(own, "    ../")}
  )
  # Zephyr links whole libraries, so of files that several models share only the first model's are compiled.
  foreach(file
{listed(runtime, "    ")}
  )
    file(SHA256 ${{CMAKE_CURRENT_SOURCE_DIR}}/../${{file}} hash)
    get_property(known GLOBAL PROPERTY shrinkfit_${{file}})
    if(NOT known)
      set_property(GLOBAL PROPERTY shrinkfit_${{file}} ${{hash}})
      zephyr_library_sources(../${{file}})
    elseif(NOT known STREQUAL hash)
      message(FATAL_ERROR "{package.name} has another ${{file}} than a model before it; export both again")
    endif()
  endforeach()
endif()
"""


def _sample_cmake_lists(package: Package) -> str:
    return f"""# Written by shrinkfit. west build -b BOARD {SAMPLE}
cmake_minimum_required(VERSION 3.20.0)
get_filename_component(folder ${{CMAKE_CURRENT_LIST_DIR}}/../.. ABSOLUTE)
list(APPEND ZEPHYR_EXTRA_MODULES ${{folder}})
find_package(Zephyr REQUIRED HINTS $ENV{{ZEPHYR_BASE}})
project({package.name}_sample LANGUAGES C)
target_sources(app PRIVATE ${{folder}}/{MAIN})
"""


def _sample_config(package: Package) -> str:
    floats = any(edge.c_type == "float" for edge in package.model.api.outputs)
    printing = "CONFIG_CBPRINTF_FP_SUPPORT=y\n" if floats else ""
    stack = package.model.stack_bytes + PRINTING_STACK_BYTES
    return f"CONFIG_{option(package)}=y\nCONFIG_MAIN_STACK_SIZE={stack}\n{printing}"


def _sample_yaml(package: Package) -> str:
    """For twister; qemu_cortex_m3 is where it runs without a board."""
    found = f"{package.name}: PASS" if package.has_selftest else f"{package.name}: done"
    return f"""sample:
  name: {package.name}
tests:
  shrinkfit.{package.name}:
    integration_platforms:
      - qemu_cortex_m3
    harness: console
    harness_config:
      type: one_line
      regex:
        - "{found}"
"""
