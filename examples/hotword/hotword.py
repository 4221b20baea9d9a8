# SPDX-License-Identifier: Apache-2.0
"""Train a hotword model, fit it to a microcontroller, export it as C and run that C on an emulated one.

    python hotword.py --hotwords computer                       # speaks its own data set
    python hotword.py --hotwords computer --positives mine/computer --negatives mine/other --noise mine/noise
    python hotword.py --hotwords yes,no --data speech_commands  # recordings in Speech Commands layout
    python hotword.py --evaluate computers others --noise noise --snr 10   # how well it hears recordings

Copy this folder, and change what you like.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from evaluate import evaluate
from listening import CALLS_PER_SECOND, FRAMES_PER_CALL, deploy, hear_clips, listener_of, verifier_of
from model import build_model
from outcome import of_classes, show, told
from recipe import (
    FALSE_ACCEPTS,
    ClipBatches,
    SceneBatches,
    compile_model,
    hears_words,
    listen_for_words,
    smoothed,
    without_words,
)
from rich.console import Console
from rich.table import Table
from speech import CONFIG, FRAMES, digest, from_folder, from_synthesis, with_recordings
from verifier import train_verifier

import shrinkfit
from shrinkfit.audio.embedding import embedding_installed
from shrinkfit.audio.features import as_float, features
from shrinkfit.audio.listen import profile_sound
from shrinkfit.check.build import find_tool
from shrinkfit.report.page import page
from shrinkfit.report.plots import plot_confusion
from shrinkfit.write.results import add_results

HERE = Path(__file__).parent
DEVICE = "efm32"
TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm")
STEPS = 100  # batches of an epoch
BASELINE_EPOCHS, TUNING_EPOCHS, FIT_EPOCHS = 60, 12, 32
# With a verifier, which has the last word, and takes minutes too.
VERIFIED_EPOCHS, VERIFIED_FIT_EPOCHS = 38, 20
CLIP_EPOCHS, CLIP_FIT_EPOCHS = 60, 120  # with --data, where an epoch is each clip once
DRAWS = 12_288  # scenes that the verifier learns from
QUICK = {
    "baseline": 25,
    "tuning": 5,
    "fit": 8,
    "clips": 5_000,
    "draws": 8_192,
    "stream_seconds": {"validation": 600, "test": 600},
}
STREAM_SECONDS = {"validation": 6 * 3_600, "test": 2 * 3_600}  # to choose a threshold, and to judge it
SYNTHETIC_CLIPS = 12_000
FIT_RATE, CLIP_FIT_RATE = 2e-3, 1.5e-3  # at its peak

console = Console()


def main(argv=None):
    """Run the whole path; returns 0 when every limit held, else 1."""
    args = parse_arguments(argv)
    if args.evaluate:
        return show_evaluation(args)
    keras.utils.set_random_seed(args.seed)
    for tool in TOOLS:
        find_tool(tool)  # better now than after the training
    out, began = Path(args.out), time.monotonic()
    speech, model, recorded = get_speech(args)
    out.mkdir(parents=True, exist_ok=True)
    if recorded is not None:
        speech = recorded
        tune(model, speech, args)
    float_accuracy = accuracy(without_words(model), speech.test)
    verifier = get_verifier(speech, args)
    fit = fit_to_device(model, speech, args, verifier)
    fit.model.save(out / "hotword.keras")
    console.rule("Choosing thresholds")
    seconds = QUICK["stream_seconds"] if args.quick else STREAM_SECONDS
    minutes = " and ".join(f"{length / 60:.0f}" for length in seconds.values())
    console.print(f"two streams of {minutes} minutes, by voices that were not trained on ...")
    chosen, heard = deploy(fit, out / "firmware", speech, seconds, args.max_false_accepts_per_hour, args.seed, verifier)

    report = check_firmware(fit, out, speech) | chosen
    report["accuracy"] = {"float": float_accuracy, **report["accuracy"]}
    report = {
        "hotwords": args.hotwords,
        "device": DEVICE,
        "before": fit.records()["before"],
        "demo_quality": not speech.recorded,
        "sources": speech.sources,
        **judge(fit, speech),
        **report,
        "seconds": round(time.monotonic() - began),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (out / "report.html").write_text(page(add_results(out / "firmware", told(report))))
    return show(report, fit, out, heard)


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--hotwords", default="computer", help="words or phrases to spot, with commas between (%(default)s)")
    add("--data", help="recordings in Speech Commands layout; without, speech is synthesized")
    add("--positives", help="folder of recordings of the hotword (of several: folders with their names in it)")
    add("--negatives", help="folder of recordings of other words and sounds")
    add("--noise", help="folder of recorded noise")
    add(
        "--evaluate", nargs=2, metavar=("POSITIVES", "NEGATIVES"), help="score recordings with what a run left in --out"
    )
    add("--snr", type=float, default=10.0, help="with --evaluate --noise: clip against noise in dB (%(default)s)")
    add("--out", "--output", default="build/hotword", help="where results go (%(default)s)")
    add("--cache", default="build/speech", help="where synthetic speech is kept, and what was learned from it alone")
    add("--clips", type=int, default=SYNTHETIC_CLIPS, help="how many to synthesize (%(default)s)")
    add("--max-false-accepts-per-hour", type=float, default=0.5, help="for which thresholds are chosen (%(default)s)")
    add(
        "--epochs",
        type=int,
        help=f"of the fit ({FIT_EPOCHS}; with a verifier {VERIFIED_FIT_EPOCHS}, with --data {CLIP_FIT_EPOCHS})",
    )
    add("--steps", type=int, default=STEPS, help="batches of an epoch (%(default)s)")
    add("--seed", type=int, default=0, help="of speech, training and shuffling (%(default)s)")
    add(
        "--no-verifier",
        dest="verifier",
        action="store_false",
        help="one small network alone: far less flash and RAM, but words pass for the hotword",
    )
    add("--quick", action="store_true", help="little of everything, to see that it works")
    args = parser.parse_args(argv)
    args.verifier = args.verifier and not args.data and embedding_installed()
    args.hotwords = [" ".join(word.split()) for word in args.hotwords.split(",") if word.strip()]
    epochs, fit_epochs = (VERIFIED_EPOCHS, VERIFIED_FIT_EPOCHS) if args.verifier else (BASELINE_EPOCHS, FIT_EPOCHS)
    args.baseline_epochs, args.tuning_epochs = CLIP_EPOCHS if args.data else epochs, TUNING_EPOCHS
    args.epochs = args.epochs or (CLIP_FIT_EPOCHS if args.data else fit_epochs)
    if args.quick:
        args.baseline_epochs, args.tuning_epochs = QUICK["baseline"], QUICK["tuning"]
        args.epochs, args.clips = min(args.epochs, QUICK["fit"]), min(args.clips, QUICK["clips"])
    return args


def get_speech(args):
    """What is learned from, the float baseline, and the mix with the user's recordings (None without)."""
    if args.data:
        speech = from_folder(args.data, args.hotwords, args.seed, args.quick)
        return speech, train_baseline(speech, args), None
    if not embedding_installed():
        console.print('no verifier: it takes pip install "shrinkfit[verifier]"', markup=False)
    speech, learned = from_synthesis(
        args.hotwords,
        args.cache,
        args.clips,
        args.seed,
        args.quick,
        args.noise,
        real_talk=not args.positives,  # else volunteers are trained on
        verifier=args.verifier,
    )
    recorded = None
    if args.positives or args.negatives:
        recorded = with_recordings(speech, learned, args.positives, args.negatives, args.seed)
    # What is learned from synthetic speech is the same whatever recordings come later.
    code = [(HERE / name).read_text() for name in ("model.py", "recipe.py", "speech.py")]
    seen = args.clips, args.quick, args.baseline_epochs, args.steps, args.noise
    key = digest(code, args.hotwords, args.seed, *seen, keras.__version__)
    cached = Path(args.cache) / f"baseline-{key}.keras"
    if cached.is_file():
        console.print(f"the float baseline is in the cache: {cached}", soft_wrap=True)
    else:
        part = cached.with_name(f"part-{cached.name}")
        train_baseline(speech, args).save(part)
        part.rename(cached)
    # Read again, so that what comes later is the same whether it was just trained or not: dropout, too, begins anew.
    keras.utils.set_random_seed(args.seed)
    return speech, keras.models.load_model(cached, compile=False), recorded


def get_verifier(speech, args):
    """The second network, which hears again what the first takes for a hotword; None where there is to be none."""
    if speech.verified is None:
        return None
    console.rule("The verifier")
    console.print("a head for Google's pretrained speech embedding, which knows real voices ...")
    draws = QUICK["draws"] if args.quick else DRAWS
    network = train_verifier(speech.verified, len(speech.labels), speech.words, args.seed, draws=draws)
    return verifier_of(network, speech, args.seed)


def train_baseline(speech, args):
    """Train the float model until it hears well; what it costs does not matter yet."""
    console.rule("The float baseline")
    console.print(speech.sources, soft_wrap=True)
    model = build_model(FRAMES, CONFIG.bands, len(speech.labels))
    model = listen_for_words(model, speech.words) if speech.words else model
    console.print(f"{args.baseline_epochs} epochs; recall at {FALSE_ACCEPTS:.1%} false accepts")
    learn(model, speech, args, args.baseline_epochs, 3e-3)
    return model


def tune(model, speech, args):
    """Go on with recordings mixed in, for what synthetic speech cannot teach."""
    console.rule("Tuning on the recordings")
    console.print(speech.sources, soft_wrap=True)
    learn(model, speech, args, args.tuning_epochs, 3e-3)


def learn(model, speech, args, epochs, learning_rate):
    batches = batches_of(speech, args, args.seed, words=hears_words(model))
    compile_model(model, len(batches) * epochs, learning_rate, len(args.hotwords), average=True)
    model.fit(batches, epochs=epochs, verbose=2)


def batches_of(speech, args, seed, **options):
    """Clips as they are, or scenes with them in it."""
    if speech.copies is None:
        return SceneBatches(speech.scenes, len(speech.labels), args.steps, seed=seed, **options)
    options.pop("words", None)
    return ClipBatches(*speech.copies, len(speech.labels), seed=seed, **options)


def fit_to_device(model, speech, args, verifier=None):
    """Shrink it while it goes on training, with its former self as the teacher.

    The mean of the epochs that fit is kept; of recordings alone, which judge like those to come, the most accurate one.
    """
    console.rule(f"Fitting it to {DEVICE}")
    teacher = keras.models.clone_model(without_words(model))
    teacher.set_weights(without_words(model).get_weights())
    words = hears_words(model)
    batches = batches_of(speech, args, args.seed + 1, words=words, teacher=teacher)
    scenes = speech.copies is None
    rate = FIT_RATE if scenes else CLIP_FIT_RATE
    compile_model(model, len(batches) * args.epochs, rate, len(args.hotwords))
    # Of each call only what is new is computed, so a second's operations are shared by all its calls. RAM and flash
    # are held to their limits with all that the sound takes around the network.
    fit = shrinkfit.FitDevice(
        DEVICE,
        streaming=True,
        frames_per_call=FRAMES_PER_CALL,
        inferences_per_second=CALLS_PER_SECOND,
        listener=listener_of(speech.labels, verifier=verifier),
        auxiliary=("words",) if words else (),
        average=scenes,
    )
    callbacks = [fit]
    if not scenes:
        by = f"val_{of_classes(fit)}accuracy"
        best = keras.callbacks.EarlyStopping(by, mode="max", patience=args.epochs, restore_best_weights=True)
        callbacks.append(best)
    x, labels = speech.validation
    targets = smoothed(labels, len(speech.labels))
    valid = (x, {"classes": targets, "words": np.full(len(x), -1)} if words else targets)
    model.fit(batches, epochs=args.epochs, validation_data=valid, callbacks=callbacks, verbose=2)
    return fit


def judge(fit, speech):
    """The threshold for FALSE_ACCEPTS on clips that were not trained on, and how many hotwords are above it."""
    hotwords = len(speech.labels) - 2
    x, labels = speech.validation
    scores = fit.predict(x)[:, :hotwords].max(axis=1)
    spoken = labels < hotwords
    threshold = float(np.quantile(scores[~spoken], 1 - FALSE_ACCEPTS, method="higher"))
    return {"recall": float(np.mean(scores[spoken] > threshold))}


def show_evaluation(args):
    rows = evaluate(args.out, *args.evaluate, args.noise, args.snr, args.seed)
    table = Table(title=f"{' '.join(args.evaluate)}, {f'{args.snr:g} dB {args.noise}' if args.noise else 'clean'}")
    for column in ("at", "threshold", "false rejects", "false accepts"):
        table.add_column(column, justify="left" if column == "at" else "right")
    for at, threshold, rejects, accepts in rows:
        table.add_row(at, threshold, f"{rejects:.1%}", f"{accepts:.2%}")
    console.print(table)
    return 0


def check_firmware(fit, out, speech):
    """Let the exported firmware hear held-out clips, samples in and scores out, and count a second of sound."""
    console.rule("Checking the firmware")
    clips, classes = speech.clips
    labels = speech.labels
    console.print(f"{len(classes)} held-out clips, as sound, on an emulated Cortex-M4 (QEMU) ...")
    scores, differences, ran = hear_clips(out / "firmware", clips)
    counted = profile_sound(out / "firmware")
    inputs = as_float(features(clips, CONFIG))
    fitted, heard = fit.predict(inputs).argmax(axis=1), scores.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (classes, heard), 1)
    plot_confusion(out / "confusion.png", confusion, labels, "int8 on the emulated device")
    return {
        "accuracy": {"fitted": float(np.mean(fitted == classes)), "device": float(np.mean(heard == classes))},
        "costs": fit.cost.as_costs(),
        "limits": fit.budget.limits(),
        "second_of_sound": asdict(counted.cost) | {"cycles": counted.cost.cycles},
        "linked": {"ram_bytes": ran.ram_bytes, "flash_bytes": ran.flash_bytes, "stack_bytes": counted.stack_bytes},
        "exact": {"clips": len(clips), "differences": differences},
        "verifying": json.loads((out / "firmware" / "report.json").read_text())["listener"]["cost"]["verifier"],
        "class_agreement": float(np.mean(fitted == heard)),
        "confusion": {"labels": list(labels), "counts": confusion.tolist()},
        "epochs": [{key: record[key] for key in ("epoch", "phase", "costs", "limits")} for record in fit.history],
    }


def accuracy(model, part):
    return float(np.mean(model.predict(part[0], verbose=0).argmax(axis=1) == part[1]))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except shrinkfit.ShrinkfitError as error:
        console.print(f"[bold red]error:[/] {error}")
        sys.exit(2)
