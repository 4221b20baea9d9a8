# SPDX-License-Identifier: Apache-2.0
"""Real models, exported and compiled, give the simulator's bytes; those with state over 100 runs."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from shrinkfit.graph import simulate
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.export import write_folder
from tests.runtime_c import graphs_arithmetic

SHARED = Path(os.environ.get("SHRINKFIT_SHARED", Path(__file__).resolve().parents[2] / "../shared"))
# Name -> runs. People and pictures are slow in NumPy and under sanitizers.
MODELS = {
    "hello_world_int8": 100,
    "micro_speech_quantized": 100,
    "mnist_resnet_q": 20,
    "trained_lstm_int8": 100,
    "person_detect": 5,
    "okay_nabu": 100,
    "alexa": 100,
}
FLAGS = "-std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover -Wall -Wextra -Wconversion -Werror"


@pytest.mark.parametrize("dsp", [0, 1])
@pytest.mark.parametrize("name", MODELS)
def test_host_program_equals_simulator(tmp_path, name, dsp):
    path = SHARED / "models" / "wild" / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    graph = read_tflite(path)
    write_folder(graph, tmp_path / "fw", name="net")
    command = ["make", "-s", "-C", str(tmp_path / "fw"), "host", f"CFLAGS={FLAGS} -DSF_USE_DSP={dsp}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    rng, session = np.random.default_rng(0), simulate.Session(graph)
    steps = [graphs_arithmetic.inputs_for(graph, rng) for _ in range(MODELS[name])]
    (tmp_path / "in").write_bytes(b"".join(step[n].tobytes() for step in steps for n in graph.inputs))
    program = [str(tmp_path / "fw" / "build" / "net"), str(tmp_path / "in"), str(tmp_path / "out")]
    subprocess.run(program, check=True)
    results = (session.step(step) for step in steps)
    expected = b"".join(result[n].tobytes() for result in results for n in graph.outputs)
    assert (tmp_path / "out").read_bytes() == expected
