# SPDX-License-Identifier: Apache-2.0
"""The beginning of each message that docs/troubleshooting.md quotes -> code that provokes it, in an empty folder."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import shrinkfit
from shrinkfit.write.export import write_folder
from tests.write import nets

ROOT = Path(__file__).resolve().parents[1]
X = np.random.default_rng(0).normal(size=(24, 8, 2)).astype(np.float32)
Y = np.arange(24) % 3


# --- what is provoked with ---


def net(*between: str, last: str = "softmax", **settings):
    """Conv1D "stem", layers of these kinds, a mean and a Dense "classes"; without XLA, which takes longer."""
    import keras

    kinds = keras.layers
    made = [getattr(kinds, kind)(**settings) for kind in between]
    ends = [kinds.GlobalAveragePooling1D(), kinds.Dense(3, activation=last, name="classes")]
    model = keras.Sequential(
        [keras.Input((8, 2)), kinds.Conv1D(8, 3, name="stem"), *made, *ends],
        name="gesture",
    )
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", jit_compile=False)
    return model


def fitted(model, *callbacks, x=X, epochs=2, **settings):
    fit = shrinkfit.FitDevice("efm32", **settings)
    model.fit(x, Y, epochs=epochs, callbacks=[fit, *callbacks], verbose=0)
    return fit


def listener():
    """Goes with net(): frames of 2 values, 3 classes."""
    from shrinkfit.audio.detect import Detector
    from shrinkfit.audio.features import FeatureConfig

    detector = Detector(("computer", "unknown", "silence"), "computer")
    return shrinkfit.Listener(FeatureConfig(window_samples=200, hop_samples=120, fft_size=256, bands=2), detector)


def export(source, **settings):
    return shrinkfit.export(source, "fw", name="net", **settings)


def folder(**settings) -> str:
    """An exported folder: 6 values in, 3 out; made without TensorFlow."""
    write_folder(nets.tiny(), "fw", name="net", **settings)
    return "fw"


def own(file: str) -> None:
    """A file of the user's own where firmware goes."""
    Path("fw").mkdir(exist_ok=True)
    Path("fw", file).touch()


def spoil(file: str, old: str, new: str) -> None:
    path = Path(folder(selftest=2), file)
    text = re.sub(old, new, path.read_text(), count=1, flags=re.DOTALL)
    assert text != path.read_text()
    path.write_text(text)


def file(name: str, content: str) -> str:
    Path(name).write_text(content)
    return name


def tflite(change: str, *arguments, **settings):
    """Price a .tflite in which something was changed; change: one of the reader's tests' own."""
    from tests.read import test_tflite

    content = test_tflite.edited(getattr(test_tflite, change)(*arguments, **settings))
    Path("model.tflite").write_bytes(content)
    return shrinkfit.price("model.tflite")


def command(*arguments: str) -> str:
    """What the console script says to stderr."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    script = [sys.executable, "-m", "shrinkfit.cli", *arguments]
    return subprocess.run(script, capture_output=True, text=True, env=env).stderr


def gcc(*arguments: str) -> str:
    env = os.environ | {"LC_ALL": "C"}
    return subprocess.run(["gcc", *arguments], capture_output=True, text=True, env=env).stderr


# --- those that take more than an expression ---


def subclassed():
    import keras

    class Net(keras.Model):
        pass

    return shrinkfit.price(Net(name="gesture"))


def stem_of(shape: tuple, **settings):
    import keras

    inputs = keras.Input(shape, name="samples")
    return shrinkfit.price(keras.Model(inputs, keras.layers.Conv1D(8, 3, name="stem", **settings)(inputs)))


def saved_lambda():
    net("Lambda", function=lambda x: x * x, name="square").save("model.keras")
    return shrinkfit.price("model.keras")


def stopped_too_early():
    import keras

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    model = net()
    return fitted(model, Stop(), epochs=10, flops=shrinkfit.price(model).flops // 2)


def exported_before():
    folder()
    own("main.c")
    return folder()


def of_another_version():
    report = Path(folder(), "report.json")
    report.write_text(json.dumps(json.loads(report.read_text()) | {"shrinkfit_report": 0}))
    return shrinkfit.check("fw")


def check_of_changed_c():
    spoil("net.c", "return SF_OK", "((int8_t *)net_output(arena))[0] ^= 1;\n    return SF_OK")
    return str(shrinkfit.check("fw"))


def compiled_with_another_runtime():
    spoil("shrinkfit.h", "#define SF_FORMAT_VERSION ", "#define SF_FORMAT_VERSION 9")
    return gcc("-c", "fw/net.c")


def selftest(arena: str, vectors: str = "") -> str:
    """What a self-test prints that is given this as arena; vectors: what its first output becomes."""
    folder(selftest=2)
    if vectors:
        spoil("net_selftest.c", r"(outputs\[\d+\].*?\{\s*)-?\d+", rf"\g<1>{vectors}")
    file(
        "main.c",
        '#include <stdio.h>\n#include "net_selftest.h"\nstatic int8_t arena[NET_ARENA_BYTES + 8] SF_ALIGN(8);\n'
        "static void print(const char *text) { fputs(text, stdout); }\n"
        f"int main(void) {{ return net_selftest({arena}, print); }}\n",
    )
    assert not gcc("-Ifw", "main.c", *map(str, Path("fw").glob("*.c")), "-o", "main")
    return subprocess.run(["./main"], capture_output=True, text=True).stdout


IGNORED = '#include "net.h"\nvoid f(void *arena) { net_run(arena); }\n'
GIT_LFS = "version https://git-lfs.github.com/spec/v1"

# "without: " in front: it runs where no tool is installed.
CASES: dict[str, Callable] = {
    "unknown device": lambda: shrinkfit.get_device("emf32"),
    "no such model file": lambda: shrinkfit.price("hotwrd.keras"),
    "'model.onnx' ends in": lambda: shrinkfit.price(file("model.onnx", "")),
    "'x.npy' cannot be read": lambda: command(
        *("export", "m.keras", "-o", "fw", "--name", "m", "--calibration", file("x.npy", "1, 2, 3"))
    ),
    "layer 'gru' (GRU)": lambda: fitted(net("GRU", units=4, return_sequences=True, name="gru")),
    "layer 'classes': activation": lambda: fitted(net(last="log_softmax")),
    "model 'gesture' is a subclassed": subclassed,
    "layer 'samples': output shape": lambda: stem_of((None, 2)),
    "layer 'stem': data_format": lambda: stem_of((2, 8), data_format="channels_first"),
    "'model.keras': layer 'square'": saved_lambda,
    "this is no .tflite file": lambda: shrinkfit.price(file("model.tflite", GIT_LFS)),
    "operator 0 (CONV_2D) reads FLOAT32 'x'; this": lambda: tflite("every_type", "FLOAT32"),
    "operator 0 (CONV_2D) reads FLOAT32 'x'; the model": lambda: tflite("set_types", x="FLOAT32", y="FLOAT32"),
    "operator 0 (CONV_2D): its output 'y' is INT16": lambda: tflite("set_types", y="INT16"),
    "the model needs operator": lambda: tflite("set_code", 3, "ELU"),
    "model 'gesture' is a float model": lambda: export(net()),
    "calibration has shape": lambda: export(net(), calibration=X[0]),
    "calibration holds NaN": lambda: export(net(), calibration=X * np.nan),
    "budget ram_bytes is": lambda: shrinkfit.FitDevice("efm32", ram_bytes=300_000),
    "budget latency_ms is": lambda: shrinkfit.FitDevice("efm32", latency_ms=200, inferences_per_second=10),
    "a limit on latency_ms": lambda: shrinkfit.FitDevice(shrinkfit.Device("board", core="cortex-m4"), latency_ms=20),
    "core 'cortex-m55'": lambda: shrinkfit.price(nets.tiny(), device=shrinkfit.Device("board", core="cortex-m55")),
    "model 'gesture' cannot fit efm32: with every": lambda: fitted(net(), flops=100),
    "model 'gesture' cannot fit efm32: with prune=False": lambda: fitted(
        net(), prune=False, ram_bytes=2_000, listener=listener()
    ),
    "listener is a Detector": lambda: shrinkfit.FitDevice("efm32", listener=listener().detector),
    "exclude: 'stm'": lambda: fitted(net(), exclude=["stm"]),
    "two FitDevice callbacks": lambda: fitted(net(), shrinkfit.FitDevice("efm32")),
    "training ended before": stopped_too_early,
    "the loss is nan": lambda: fitted(net(), x=X * np.nan),
    "this FitDevice has no integer graph: pass": lambda: export(shrinkfit.FitDevice("efm32")),
    "this FitDevice has no integer graph: it ran": lambda: export(fitted(net(), quantize=False, epochs=1)),
    "model name 'my-net'": lambda: shrinkfit.export(nets.tiny(), "fw", name="my-net"),
    "labels are": lambda: export(nets.tiny(), labels=["yes", "no"]),
    "'/…/fw' holds files": lambda: (own("main.c"), folder()),
    "'/…/fw' was exported before": exported_before,
    "layer 'wider' is": lambda: export(net("UpSampling1D", size=2, name="wider"), calibration=X, streaming=True),
    "'fw' has no report.json": lambda: (own("main.c"), shrinkfit.check("fw")),
    "'fw/report.json' was written by another": of_another_version,
    "inputs have shape": lambda: shrinkfit.check(folder(), inputs=np.zeros((3, 10), np.float32)),
    "without: arm-none-eabi-gcc is not": lambda: shrinkfit.check(folder(), on="cortex-m4"),
    "without: no C compiler was": lambda: shrinkfit.load(folder()),
    "net on host": check_of_changed_c,
    "'fw' has no listener": lambda: command("detect", folder(), "--wav", "sound.wav"),
    '#error "net.c was': compiled_with_another_runtime,
    "#error \"shrinkfit's kernels need an int": lambda: gcc(
        *("-U__SIZEOF_INT__", "-D__SIZEOF_INT__=2", "-fsyntax-only", f"{folder()}/net.c")
    ),
    "warning: ignoring return value": lambda: gcc("-c", f"-I{folder()}", file("main.c", IGNORED)),
    "net: FAIL, the arena": lambda: selftest("arena + 1"),
    "net: vector 0": lambda: selftest("arena", vectors="99"),
}
