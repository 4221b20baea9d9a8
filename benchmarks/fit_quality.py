# SPDX-License-Identifier: Apache-2.0
"""Log-mel clips in, a table out: what FitDevice's accuracy is worth against shrinking by hand.

    python benchmarks/fit_quality.py ../shared/kws_features/features_49x40_u8.npz --flops 2e6 --seeds 0 1 2

Methods, all with the same data, augmentation, optimizer, learning rates and number of epochs:
float: the unpruned DS-CNN; uniform: all its layers as wide as the FLOP limit allows, trained from
scratch, quantized after training; fit: FitDevice on the unpruned one; nofake: FitDevice(quantize=False),
quantized after training. Each run is a line of --results; runs that are there already are not repeated.
"""

import argparse
import inspect
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

import shrinkfit
from shrinkfit.graph import simulate

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
SILENCE, CLASSES = "_background_noise_", len(WORDS) + 2
WIDTH, BLOCKS = 64, 4
BATCH, PEAK_RATE, WARM_UP = 100, 1e-2, 0.05  # the last two of the learning rate; a share of all steps
SHIFT, NOISE = 5, 0.3  # frames; noise in standard deviations of the data, up to
CALIBRATION = 500  # clips
METHODS = ("uniform", "fit", "nofake", "float")


@dataclass(frozen=True)
class Data:
    """Standardized clips [n, 49, 40, 1] and classes [n] to train with and to judge by."""

    x: np.ndarray
    y: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    low: float
    high: float


def load(path: Path, share: float = 1.0) -> Data:
    """Words of WORDS, silence, and all others as the unknown class; a share of the training clips."""
    with np.load(path) as file:
        clips, words, split = file["x"], file["word"], file["split"]
    names = {word: number for number, word in enumerate((*WORDS, SILENCE))}
    y = np.array([names.get(word, CLASSES - 1) for word in words], np.int32)
    train = np.flatnonzero(split == "train")
    train = np.random.default_rng(0).permutation(train)[: round(share * len(train))]
    mean, deviation = clips[train].mean(), clips[train].std()
    x = ((clips.astype(np.float32) - mean) / deviation)[..., None].astype(np.float32)
    low, high = (float((end - mean) / deviation) for end in (0, 255))
    held_out = split == "val"
    return Data(x[train], y[train], x[held_out], y[held_out], low, high)


class Clips(keras.utils.PyDataset):
    """Shuffled batches, each clip moved in time by up to SHIFT frames, with noise of a random strength."""

    def __init__(self, data: Data, seed: int) -> None:
        super().__init__()
        self._data, self._rng = data, np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return len(self._data.x) // BATCH

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._order[index * BATCH : (index + 1) * BATCH]
        clips, frames = self._data.x[rows], self._data.x.shape[1]
        shift = self._rng.integers(-SHIFT, SHIFT + 1, (BATCH, 1))
        moved = np.clip(np.arange(frames) + shift, 0, frames - 1)
        clips = clips[np.arange(BATCH)[:, None], moved]
        strength = self._rng.uniform(0, NOISE, (BATCH, 1, 1, 1)).astype(np.float32)
        clips = clips + strength * self._rng.standard_normal(clips.shape, np.float32)
        return np.clip(clips, self._data.low, self._data.high), self._data.y[rows]

    def on_epoch_end(self) -> None:
        self._order = self._rng.permutation(len(self._data.x))


def ds_cnn(width: int) -> keras.Model:
    """MLPerf Tiny's keyword network, `width` channels everywhere."""
    layers = keras.layers
    x = inputs = keras.Input((49, 40, 1))
    x = layers.Conv2D(width, (10, 4), strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for _ in range(BLOCKS):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Conv2D(width, 1, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x), name="ds_cnn")


def uniform_width(flops: float) -> int:
    """The most channels with which the network is within the limit."""
    return max(w for w in range(4, WIDTH + 1) if shrinkfit.price(ds_cnn(w), "efm32").flops <= flops)


def train(model: keras.Model, data: Data, key: dict, *callbacks: keras.callbacks.Callback) -> float:
    """Train in the way that all methods share; the seconds that it took."""
    clips = Clips(data, key["seed"])
    steps = len(clips) * key["epochs"]
    warm_up = round(WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        key["rate"] / 10, steps - warm_up, alpha=0.01, warmup_target=key["rate"], warmup_steps=warm_up
    )
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    model.fit(clips, epochs=key["epochs"], callbacks=list(callbacks), verbose=2)
    return time.perf_counter() - start


# --- the methods: each returns its figures ---


def run_uniform(data: Data, key: dict, settings: dict) -> dict:
    model = ds_cnn(uniform_width(key["limit"]))
    seconds = train(model, data, key)
    return {"seconds": seconds, "widths": [model.layers[1].filters]} | after_training(model, data)


def run_float(data: Data, key: dict, settings: dict) -> dict:
    model = ds_cnn(WIDTH)
    return {"seconds": train(model, data, key), "widths": [WIDTH]} | after_training(model, data)


def run_nofake(data: Data, key: dict, settings: dict) -> dict:
    fit = shrinkfit.FitDevice("efm32", flops=key["limit"], quantize=False, **settings)
    seconds = train(ds_cnn(WIDTH), data, key, fit)
    return {"seconds": seconds, "widths": list(fit.history[-1]["widths"].values())} | after_training(fit.model, data)


def run_fit(data: Data, key: dict, settings: dict) -> dict:
    fit = shrinkfit.FitDevice("efm32", flops=key["limit"], **settings)
    seconds = train(ds_cnn(WIDTH), data, key, fit)
    classes = simulated(fit.graph, data.x_val)
    twin = fit.predict(data.x_val, batch_size=BATCH).argmax(axis=1)
    return {
        "seconds": seconds,
        "widths": list(fit.history[-1]["widths"].values()),
        "float": float_accuracy(fit.model, data),
        "int8": accuracy(classes, data),
        "int8_after_training": after_training(fit.model, data)["int8"],
        "agreement": float(np.mean(classes == twin)),
        **costs(fit.cost),
    }


def after_training(model: keras.Model, data: Data) -> dict:
    """A float model's figures, quantized with calibration clips."""
    graph = shrinkfit.read_keras(model, data.x[:CALIBRATION])
    int8 = accuracy(simulated(graph, data.x_val), data)
    return {"float": float_accuracy(model, data), "int8": int8} | costs(shrinkfit.price(graph, "efm32"))


def costs(cost) -> dict:
    return {"flops_used": cost.flops, "ram_bytes": cost.ram_bytes, "flash_bytes": cost.flash_bytes}


def simulated(graph, x: np.ndarray) -> np.ndarray:
    """The class of each clip by the integer graph, bit for bit as the C decides."""
    return simulate.run(graph, simulate.quantize(graph.tensors[graph.inputs[0]], x)).argmax(axis=1)


def float_accuracy(model: keras.Model, data: Data) -> float:
    return accuracy(model.predict(data.x_val, batch_size=BATCH, verbose=0).argmax(axis=1), data)


def accuracy(classes: np.ndarray, data: Data) -> float:
    return float(np.mean(classes == data.y_val))


# --- runs and their records ---


def main() -> int:
    args = arguments()
    done = [json.loads(line) for line in args.results.read_text().splitlines()] if args.results.exists() else []
    data, records = None, []
    for key in runs(args):
        record = next((r for r in done if {name: r.get(name) for name in key} == key), None)
        if record is None:
            data = data or load(args.data, args.share)
            record = key | one_run(data, key)
            append(args.results, record)
            Console(stderr=True).print(record)
        records.append(record)
    Console(width=150).print(table(records))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="features_49x40_u8.npz")
    parser.add_argument("--flops", type=float, nargs="+", default=[2e6], help="limits (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="(%(default)s)")
    parser.add_argument("--epochs", type=int, default=15, help="in all, for every method (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=METHODS, default=METHODS, help="methods (all)")
    parser.add_argument("--fit", type=json.loads, default={}, help="settings of FitDevice that differ, as JSON")
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="peak learning rate of all methods (%(default)s)")
    parser.add_argument("--share", type=float, default=1.0, help="of the training clips (%(default)s)")
    parser.add_argument("--results", type=Path, default=Path("build/fit_quality.jsonl"), help="(%(default)s)")
    return parser.parse_args()


def runs(args: argparse.Namespace) -> list[dict]:
    """What names each run: two runs of one name would be the same."""
    keys = []
    for method in args.only:
        for flops in args.flops if method != "float" else [None]:
            for seed in args.seeds if method != "float" else args.seeds[:1]:
                own = fit_settings(args.fit) if method in ("fit", "nofake") else {}
                keys.append({"method": method, "limit": flops, "seed": seed, "epochs": args.epochs})
                keys[-1] |= {"share": args.share, "rate": args.rate, "settings": own}
    return keys


def fit_settings(changed: dict) -> dict:
    """FitDevice's own defaults, and what was changed."""
    parameters = inspect.signature(shrinkfit.FitDevice.__init__).parameters.values()
    plain = {p.name: p.default for p in parameters if isinstance(p.default, (bool, int, float, str, tuple))}
    return json.loads(json.dumps(plain | changed))


def one_run(data: Data, key: dict) -> dict:
    keras.utils.clear_session()
    keras.utils.set_random_seed(key["seed"])
    plain = fit_settings({})
    changed = {name: value for name, value in key["settings"].items() if value != plain[name]}
    figures = globals()[f"run_{key['method']}"](data, key, changed)
    return {name: round(v, 5) if isinstance(v, float) else v for name, v in figures.items()}


def append(path: Path, record: dict) -> None:
    """One whole line in one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")
        file.flush()
        os.fsync(file.fileno())


TITLES = {
    "float": "unpruned, PTQ",
    "uniform": "uniform scaling, PTQ",
    "fit": "FitDevice",
    "nofake": "FitDevice(quantize=False), PTQ",
}


def table(records: list[dict]) -> Table:
    """One row for the runs that differ in nothing but their seed."""
    result = Table(title="Validation accuracy in percent: mean (smallest to largest of the seeds)")
    for column in ("method", "limit", "seeds", "float", "int8", "its PTQ", "agreement", "FLOPs", "RAM", "flash", "s"):
        result.add_column(column, justify="left" if column == "method" else "right")
    names = {json.dumps([r[k] for k in ("method", "limit", "epochs", "share", "rate", "settings")]) for r in records}
    rows = {name: [] for name in sorted(names)}
    for record in records:
        name = json.dumps([record[k] for k in ("method", "limit", "epochs", "share", "rate", "settings")])
        rows[name].append(record)
    for group in rows.values():
        limit = f"{group[0]['limit']:,.0f}" if group[0]["limit"] else "-"
        shares = [spread(group, name) for name in ("float", "int8", "int8_after_training", "agreement")]
        figures = [f"{np.mean([r[k] for r in group]):,.0f}" for k in ("flops_used", "ram_bytes", "flash_bytes")]
        seconds = f"{np.mean([r['seconds'] for r in group]):,.0f}"
        result.add_row(TITLES[group[0]["method"]], limit, str(len(group)), *shares, *figures, seconds)
    return result


def spread(group: list[dict], name: str) -> str:
    """Mean and range of a share over the seeds, in percent."""
    values = [100 * record[name] for record in group if name in record]
    if not values:
        return "-"
    return f"{np.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else f"{values[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
