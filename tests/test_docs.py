# SPDX-License-Identifier: Apache-2.0
"""Pages that are written from the code are up to date."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_reference_pages_are_up_to_date():
    script = [sys.executable, str(ROOT / "docs" / "reference.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
