# SPDX-License-Identifier: Apache-2.0
"""The files of a CMake package: CMakeLists.txt, for add_subdirectory and find_package, and a toolchain file.

Source: cmake.org, cmake-packages(7) and cmake-toolchains(7).
"""

from __future__ import annotations

from collections.abc import Iterable

from shrinkfit.write.build_files import MAIN, cpu_flags, memory_symbols
from shrinkfit.write.packages.package import Package

TOOLCHAIN = "cmake/arm-none-eabi.cmake"
# cmake-policies(7), CMP0037: targets that CMake makes itself.
RESERVED = "all all_build help install preinstall clean edit_cache rebuild_cache zero_check test run_tests package"


def files(package: Package) -> dict[str, str]:
    """Relative path -> text."""
    return {"CMakeLists.txt": _cmake_lists(package), TOOLCHAIN: _toolchain(package)}


def listed(names: Iterable[str], indent: str) -> str:
    """One name a line."""
    return "\n".join(f"{indent}{name}" for name in names)


def target(package: Package) -> str:
    """The library's name in CMake: the model's, where CMake lets it."""
    reserved = {*RESERVED.split(), "package_source", "uninstall"}
    return f"{package.name}_model" if package.name.lower() in reserved else package.name


def _cmake_lists(package: Package) -> str:
    name, symbols = target(package), memory_symbols(package.device, package.stack_bytes)
    ports = {port: listed(_of_port(package, port), "    ") for port in ("host", "cortex_m4")}
    return f"""# Written by shrinkfit. In your project: add_subdirectory(folder), or after an install
# find_package({name}); then target_link_libraries(app {name}::{name}).
cmake_minimum_required(VERSION 3.13)
project({name} VERSION {package.version} LANGUAGES C)

add_library({name} STATIC
{listed(package.sources, "    ")}
)
add_library({name}::{name} ALIAS {name})
target_include_directories({name} PUBLIC
    $<BUILD_INTERFACE:${{CMAKE_CURRENT_SOURCE_DIR}}>
    $<INSTALL_INTERFACE:include/{name}>
)
target_compile_features({name} PRIVATE c_std_99)
target_compile_options({name} PRIVATE -O2 -ffunction-sections -fdata-sections)

# A package for find_package({name}), in the build folder and where it is installed.
include(CMakePackageConfigHelpers)
set(version_file ${{CMAKE_CURRENT_BINARY_DIR}}/{name}ConfigVersion.cmake)
write_basic_package_version_file(${{version_file}} COMPATIBILITY SameMajorVersion)
install(TARGETS {name} EXPORT {name} ARCHIVE DESTINATION lib)
install(FILES
{listed(package.public_headers, "    ")}
    DESTINATION include/{name}
)
install(FILES LICENSE DESTINATION share/licenses/{name})
install(EXPORT {name} NAMESPACE {name}:: FILE {name}Config.cmake DESTINATION lib/cmake/{name})
install(FILES ${{version_file}} DESTINATION lib/cmake/{name})
export(EXPORT {name} NAMESPACE {name}:: FILE ${{CMAKE_CURRENT_BINARY_DIR}}/{name}Config.cmake)

# Programs, where this is no part of another project.
if(NOT CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  return()
endif()
if(NOT CMAKE_CROSSCOMPILING)
  add_executable({name}_example {MAIN})
  target_link_libraries({name}_example {name}::{name})
  # Raw inputs in, raw outputs out.
  add_executable({name}_host
{ports["host"]}
  )
  target_link_libraries({name}_host {name}::{name})
  enable_testing()
  add_test(NAME {name}_example COMMAND {name}_example)
elseif(CMAKE_SYSTEM_NAME STREQUAL "Generic")
  # A whole image, which runs under QEMU; a product brings its own main, start-up and linker script.
  set(SF_MEMORY "{" ".join(symbols)}" CACHE STRING "What ports/cortex_m4/link.ld leaves open")
  separate_arguments(memory UNIX_COMMAND "${{SF_MEMORY}}")
  add_executable({name}_firmware
{ports["cortex_m4"]}
  )
  set_target_properties({name}_firmware PROPERTIES OUTPUT_NAME firmware SUFFIX .elf)
  target_compile_options({name}_firmware PRIVATE -O2 -ffunction-sections -fdata-sections)
  target_link_libraries({name}_firmware {name}::{name} -nostdlib -Wl,--gc-sections ${{memory}}
      -T${{CMAKE_CURRENT_SOURCE_DIR}}/ports/cortex_m4/link.ld -lgcc)
endif()
"""


def _of_port(package: Package, port: str) -> list[str]:
    return sorted(path for path in package.files if path.startswith(f"ports/{port}/") and path.endswith(".c"))


def _toolchain(package: Package) -> str:
    return f"""# Written by shrinkfit for {package.device.name}: cmake -S . -B build/arm --toolchain {TOOLCHAIN}
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_C_FLAGS_INIT "{cpu_flags(package.device)} -mthumb")
# CMake's own test programs have no start-up code to link with.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
"""
