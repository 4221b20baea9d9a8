# SPDX-License-Identifier: Apache-2.0
"""What came of a run: one table, plots, and what the exported page says of it."""

from recipe import FALSE_ACCEPTS
from rich.console import Console

from shrinkfit.report.det import stream_table
from shrinkfit.report.plots import plot_epochs
from shrinkfit.report.table import Figure, budget_table, limit_figures, number

LOST_AT_MOST = 0.02  # accuracy that the device may lose against the float baseline
WHAT_NEXT = """[bold yellow]Demo quality:[/] this model has heard synthetic speech only, and misses many real \
voices, more in noise. What helps most, in this order:
  1. 50 recordings of the hotword by as many people as you can find, where it will be used: --positives FOLDER
  2. ten minutes of the noise there, without the hotword: --noise FOLDER
  3. a few hundred recordings of other words and of talk, above all what it mistakes for the hotword: --negatives FOLDER
Keep some recordings apart and judge the model by them: --evaluate POSITIVES NEGATIVES"""

console = Console()


def show(report, fit, out, heard):
    """Plot the epochs, print one table; 0 when every limit held and every byte agreed, else 1."""
    plot_history(fit, out / "epochs.png")
    reached, exact, second = report["accuracy"], report["exact"], report["second_of_sound"]
    limits = fit.budget.limits()
    figures = [
        Figure("float accuracy", reached["float"], unit="%"),
        Figure("fitted accuracy", reached["fitted"], reached["float"] - LOST_AT_MOST, "%", at_least=True),
        Figure("device accuracy", reached["device"], reached["float"] - LOST_AT_MOST, "%", at_least=True),
        *limit_figures(fit.cost, limits),
        Figure("RAM of the linked image", report["linked"]["ram_bytes"], limits["ram_bytes"], "bytes"),
        Figure("flash of the linked image", report["linked"]["flash_bytes"], limits["flash_bytes"], "bytes"),
        Figure("cycles per second of sound", second["cycles"], fit.device.clock_hz),
        Figure("energy per second of sound", second["energy_uj"], unit="µJ"),
        *verifying_figures(report, limits),
    ]
    was = ", ".join(f"{name} {number(value)}" for name, value in report["before"].items())
    console.rule(f"{', '.join(report['hotwords'])} on {report['device']}, {exact['clips']} held-out clips")
    console.print(budget_table(figures))
    console.print(f"energy: the running core, without sleep; {second['energy_source']}", soft_wrap=True)
    console.print(f"score bytes that differ from Python's: {exact['differences']}")
    console.print(stream_table(heard))
    console.print(report["chosen"]["note"], soft_wrap=True)
    console.print(f"before fitting: {was}")
    alone = ", by the fitted network alone" if report["verifying"] else ""
    console.print(
        f"{report['recall']:.1%} of the hotwords in voices apart are heard at {FALSE_ACCEPTS:.1%} false accepts{alone}"
    )
    if report["demo_quality"]:
        console.print(WHAT_NEXT)
    console.print(
        f"the C: {out / 'firmware'}; these figures: {out / 'report.html'}, {out / 'report.json'}", soft_wrap=True
    )
    return int(exact["differences"] > 0 or any(figure.held is False for figure in figures))


def verifying_figures(report, limits):
    """What the verifier takes, where there is one."""
    if report["verifying"] is None:
        return []
    cost, microphone = report["verifying"], 2 * report["verifying"]["samples_meanwhile"]
    ram = report["linked"]["ram_bytes"] + microphone
    return [
        Figure("cycles to verify a hotword", cost["cycles"]),
        Figure("ms to verify a hotword", 1e3 * cost["seconds"]),
        Figure("energy to verify a hotword", cost["energy_uj"], unit="µJ"),
        Figure("others verified in an hour", report["verifier"]["verified_per_hour"]),
        Figure("RAM with the sound meanwhile", ram, limits["ram_bytes"], "bytes"),
    ]


def told(report):
    """What the page says beside the exported model's own figures."""
    stream, second = report["stream"], report["second_of_sound"]
    notes = [
        f"listening takes {second['cycles'] / 1e6:.2f} million cycles a second of sound, {second['energy_uj']:.0f} µJ",
        f"on {stream['seconds'] / 3600:.2g} h of constructed sound: {stream['false_accepts']} false accepts, "
        f"{stream['false_rejects']} of {stream['words']} hotwords missed",
        report["chosen"]["note"],
    ]
    if report["verifying"]:
        notes.append(
            "a verifier hears again what the network takes for a hotword, in an hour of talk without one "
            f"{report['verifier']['verified_per_hour']:.0f} times: "
            f"{report['verifying']['cycles'] / 1e6:.1f} million cycles each"
        )
    if report["demo_quality"]:
        notes.append("demo quality: synthetic speech only")
    (threshold,) = set(report["threshold"].values())
    det = report["det"] | {"chosen": {"threshold": f"{threshold:.3f}"}}
    return {"accuracy": report["accuracy"], "confusion": report["confusion"], "det": det, "notes": notes}


def plot_history(fit, path):
    """Accuracy and costs over the epochs of the fit, each cost against that epoch's limit."""
    names = list(fit.budget.limits())
    costs = {name: [record["costs"][name] for record in fit.history] for name in names}
    limits = {name: [record["limits"].get(name) for record in fit.history] for name in names}
    reached = {
        "training": [record["metrics"][f"{of_classes(fit)}accuracy"] for record in fit.history],
        "validation": [record["metrics"][f"val_{of_classes(fit)}accuracy"] for record in fit.history],
    }
    plot_epochs(path, [record["epoch"] + 1 for record in fit.history], costs, limits, reached)


def of_classes(fit):
    """How the logs begin the names of a metric: with two outputs, by that of its own."""
    return "classes_" if fit.auxiliary else ""
