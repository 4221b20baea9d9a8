# SPDX-License-Identifier: Apache-2.0
"""Train a hotword model, fit it to a microcontroller, export it as C and run that C on an emulated one.

    python hotword.py --hotwords computer                       # speaks its own data set
    python hotword.py --hotwords yes,no --data speech_commands  # recordings in Speech Commands layout

Copy this file with recipe.py and model.py beside it, and change what you like.
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from model import build_model
from recipe import TrainingBatches, compile_model
from rich.console import Console

import shrinkfit
from shrinkfit.audio.copies import augmented_features
from shrinkfit.audio.dataset import load
from shrinkfit.audio.features import as_float, features
from shrinkfit.audio.synth import synthesize
from shrinkfit.check.build import find_tool
from shrinkfit.graph.simulate import quantize, run
from shrinkfit.report.plots import plot_confusion, plot_epochs
from shrinkfit.report.table import Figure, budget_table, limit_figures, number

DEVICE = "efm32"
TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm")
BASELINE_EPOCHS, FIT_EPOCHS = 50, 60
COPIES = 30  # augmented copies of each clip; epochs draw from them
SYNTHETIC_CLIPS = 2_400
LOST_AT_MOST = 0.02  # accuracy that the device may lose against the float baseline
CYCLE_CLIPS = 4  # cycles hardly depend on what was said

console = Console()


def main(argv=None):
    """Run the whole path; returns 0 when every limit held, else 1."""
    args = parse_arguments(argv)
    keras.utils.set_random_seed(args.seed)
    for tool in TOOLS:
        find_tool(tool)  # better now than after the training
    data = get_data(args)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)

    train = augmented_features(data.train.samples, data.noise, 4 if args.quick else COPIES, seed=args.seed)
    validation, test = ((as_float(features(part.samples)), part.labels) for part in (data.validation, data.test))

    model = build_model(*train.shape[2:], len(data.labels))
    train_baseline(model, train, data, validation, args)
    before, float_accuracy = shrinkfit.price(model, DEVICE), accuracy(model.predict(test[0], verbose=0), test[1])

    fit = fit_to_device(model, train, data, validation, args)
    fit.model.save(out / "hotword.keras")
    shrinkfit.export(fit, out / "firmware", name="hotword", device=DEVICE, labels=list(data.labels))

    report = check_firmware(fit, out, test, data.labels)
    report["accuracy"] = {"float": float_accuracy, **report["accuracy"]}
    report = {"hotwords": args.hotwords, "device": DEVICE, "before": before.as_costs(), **report}
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    return show(report, fit, out)


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hotwords", default="computer", help="words to spot, with commas between (%(default)s)")
    parser.add_argument("--data", help="recordings in Speech Commands layout; without, speech is synthesized")
    parser.add_argument("--out", "--output", default="build/hotword", help="where results go (%(default)s)")
    parser.add_argument("--cache", default="build/speech", help="where synthesized speech is kept (%(default)s)")
    parser.add_argument("--clips", type=int, default=SYNTHETIC_CLIPS, help="how many to synthesize (%(default)s)")
    parser.add_argument("--epochs", type=int, default=FIT_EPOCHS, help="of the fit (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of speech, training and shuffling (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a few epochs, to see that everything works")
    args = parser.parse_args(argv)
    args.hotwords = [word.strip() for word in args.hotwords.split(",") if word.strip()]
    args.baseline_epochs = BASELINE_EPOCHS
    if args.quick:
        args.baseline_epochs, args.epochs = 4, min(args.epochs, 8)
    return args


def get_data(args):
    """The recordings in --data, or spoken ones; the splits share no speaker."""
    folder = args.data or synthesize(args.hotwords, args.cache, clips=args.clips, seed=args.seed)
    data = load(folder, args.hotwords)
    sizes = ", ".join(f"{name} {len(getattr(data, name)):,}" for name in ("train", "validation", "test"))
    console.print(f"{folder}: {len(data.labels)} classes ({', '.join(data.labels)}); clips: {sizes}", soft_wrap=True)
    return data


def train_baseline(model, train, data, validation, args):
    """Train the float model until its accuracy is right; what it costs does not matter yet."""
    console.rule("The float baseline")
    batches = TrainingBatches(train, data.train.labels, len(data.labels), seed=args.seed)
    compile_model(model, steps=len(batches) * args.baseline_epochs, learning_rate=3e-3)
    model.fit(batches, epochs=args.baseline_epochs, validation_data=one_hot(validation, data.labels), verbose=2)


def fit_to_device(model, train, data, validation, args):
    """Shrink it while it goes on training, with its former self as the teacher."""
    console.rule(f"Fitting it to {DEVICE}")
    teacher = keras.models.clone_model(model)
    teacher.set_weights(model.get_weights())
    batches = TrainingBatches(train, data.train.labels, len(data.labels), seed=args.seed + 1, teacher=teacher)
    compile_model(model, steps=len(batches) * args.epochs, learning_rate=1.5e-3)
    fit = shrinkfit.FitDevice(DEVICE)
    valid = one_hot(validation, data.labels)
    model.fit(batches, epochs=args.epochs, validation_data=valid, callbacks=[fit], verbose=2)
    return fit


def check_firmware(fit, out, test, labels):
    """Run the exported C on held-out clips: a whole firmware image in QEMU, and a few clips with cycles counted."""
    console.rule("Checking the firmware")
    sounds, classes = test
    np.save(out / "held_out_features.npy", sounds)
    np.save(out / "held_out_labels.npy", classes)
    console.print(f"{len(classes)} held-out clips on an emulated Cortex-M4 (QEMU) ...")
    ran = shrinkfit.check(out / "firmware", inputs=sounds, on="qemu")
    counted = shrinkfit.check(out / "firmware", inputs=sounds[:CYCLE_CLIPS], on="cortex-m4")
    fitted = fit.predict(sounds).argmax(axis=1)
    simulated = run(fit.graph, quantize(fit.graph.tensors[fit.graph.inputs[0]], sounds)).argmax(axis=1)
    heard = ran.outputs.reshape(len(classes), -1).argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (classes, heard), 1)
    plot_confusion(out / "confusion.png", confusion, labels, "int8 on the emulated device")
    return {
        "accuracy": {"fitted": float(np.mean(fitted == classes)), "device": float(np.mean(heard == classes))},
        "costs": {**fit.cost.as_costs(), "cycles": counted.cycles},
        "limits": fit.budget.limits(),
        "linked": {"ram_bytes": ran.ram_bytes, "flash_bytes": ran.flash_bytes, "stack_bytes": counted.stack_bytes},
        "exact": {"clips": ran.clips, "differences": ran.differences + counted.differences},
        "class_agreement": float(np.mean(fitted == simulated)),
        "confusion": {"labels": list(labels), "counts": confusion.tolist()},
        "epochs": [{key: record[key] for key in ("epoch", "phase", "costs", "limits")} for record in fit.history],
    }


def show(report, fit, out):
    """Plot the epochs, print one table; 0 when every limit held and every byte agreed, else 1."""
    plot_history(fit, out / "epochs.png")
    reached, exact = report["accuracy"], report["exact"]
    figures = [
        Figure("float accuracy", reached["float"], unit="%"),
        Figure("fitted accuracy", reached["fitted"], reached["float"] - LOST_AT_MOST, "%", at_least=True),
        Figure("device accuracy", reached["device"], reached["float"] - LOST_AT_MOST, "%", at_least=True),
        *limit_figures(fit.cost, fit.budget),
        Figure("cycles per inference", report["costs"]["cycles"]),
    ]
    was = ", ".join(f"{name} {number(value)}" for name, value in report["before"].items())
    console.rule(f"{', '.join(report['hotwords'])} on {DEVICE}, {exact['clips']} held-out clips")
    console.print(budget_table(figures))
    console.print(f"output bytes that differ from the simulator's: {exact['differences']}")
    console.print(f"before fitting: {was}")
    console.print(
        f"the C: {out / 'firmware'}; these figures: {out / 'report.json'}; plots: {out}/*.png", soft_wrap=True
    )
    return int(exact["differences"] > 0 or any(figure.held is False for figure in figures))


def plot_history(fit, path):
    """Accuracy and costs over the epochs of the fit, each cost against that epoch's limit."""
    names = list(fit.budget.limits())
    costs = {name: [record["costs"][name] for record in fit.history] for name in names}
    limits = {name: [record["limits"].get(name) for record in fit.history] for name in names}
    reached = {
        "training": [record["metrics"]["accuracy"] for record in fit.history],
        "validation": [record["metrics"]["val_accuracy"] for record in fit.history],
    }
    plot_epochs(path, [record["epoch"] + 1 for record in fit.history], costs, limits, reached)


def one_hot(part, labels):
    return part[0], np.eye(len(labels), dtype="float32")[part[1]]


def accuracy(probabilities, classes):
    return float(np.mean(probabilities.argmax(axis=1) == classes))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except shrinkfit.ShrinkfitError as error:
        console.print(f"[bold red]error:[/] {error}")
        sys.exit(2)
