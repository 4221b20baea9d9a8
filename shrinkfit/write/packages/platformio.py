# SPDX-License-Identifier: Apache-2.0
"""The manifest of a PlatformIO library: library.json.

It says nothing of a licence: that of the weights is for their owner to say.
Source: docs.platformio.org, "library.json".
"""

from __future__ import annotations

import json
from typing import Any

from shrinkfit.write.build_files import MAIN
from shrinkfit.write.packages.examples import sketch_path
from shrinkfit.write.packages.package import Package


def files(package: Package) -> dict[str, str]:
    """Relative path -> text."""
    manifest: dict[str, Any] = {
        "name": package.name,
        "version": package.version,
        "description": f"{package.sentence} {package.details}",
        "keywords": ["neural network", "inference", "int8"],
        "frameworks": "*",
        "platforms": "*",
        "headers": list(package.own_headers),
        "examples": [_example("main", MAIN), _example(package.name, sketch_path(package))],
        # Frameworks ask for -Os, at which the kernels take a quarter more cycles.
        "build": {"srcDir": ".", "includeDir": ".", "srcFilter": ["+<*.c>"], "flags": ["-O2"], "unflags": ["-Os"]},
    }
    if package.origin.authors:
        manifest["authors"] = package.origin.authors
    if package.origin.url is not None:
        manifest["homepage"] = package.origin.url
    return {"library.json": json.dumps(manifest, indent=2) + "\n"}


def _example(name: str, path: str) -> dict[str, Any]:
    base, _, file = path.rpartition("/")
    return {"name": name, "base": base, "files": [file]}
