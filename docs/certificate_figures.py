"""Figures of docs/certificates.md, from the certificates and the weights of the shipped models.

Run `python docs/certificate_figures.py` in the checkout.
"""

import json
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from liquid_control.certification import CERTIFICATE, CLOSED_LOOP
from liquid_control.liquid import FlightCfC
from liquid_control.policy import Model, load_model

OUT = Path("docs/certificates")
MODEL = "trail_cfc19"
BOUND, FOUND, SECOND = "#9fb8cf", "#1f6fb4", "#d1495b"
PAST, STEPS = 50, 450


def commands_figure(content: dict) -> plt.Figure:
    """Bound and found range of each command, in the units of its range."""
    figure, axes = plt.subplots(figsize=(7.0, 3.0), layout="constrained")
    claims, found = content["claims"]["commands"], content["found"]["commands"]
    motors = content["constants"]["commands"]
    for row, name in enumerate(reversed(claims)):
        offset, scale = motors[name]["offset"], motors[name]["scale"]
        bars = (claims[name], 0.62, BOUND), (found[name], 0.3, FOUND)
        for (low, high), height, colour in bars:
            ends = (low - offset) / scale, (high - offset) / scale
            axes.barh(row, ends[1] - ends[0], left=ends[0], height=height, color=colour)
    axes.set_yticks(range(len(claims)), list(reversed(claims)))
    axes.set_xlabel("motor neuron: -1 and 1 are the ends of a command's range")
    axes.set_xlim(-1.0, 1.0)
    figure.legend(["proven bound", "found by search"], loc="outside upper center", ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def rates_figure(content: dict) -> plt.Figure:
    """Rate of each layer by the largest elapsed time."""
    figure, axes = plt.subplots(figsize=(7.0, 3.0), layout="constrained")
    regions = content["claims"]["regions"]
    times = [1e3 * region["longest_s"] for region in regions]
    colours = {"inter": "#2f3b45", "command": FOUND, "motor": SECOND}
    for index, (name, colour) in enumerate(colours.items()):
        rates = [region["layers"][index]["rate"] for region in regions]
        axes.plot(times, rates, marker="o", color=colour, label=f"{name} neurons")
    axes.axhline(1.0, color="#8a949c", linewidth=1.0)
    axes.set(xscale="log", yscale="log", xlabel="largest elapsed time of a step, ms")
    axes.set_ylabel("bound of the rate of a step")
    axes.set_xticks(times, [f"{time:g}" for time in times])
    axes.minorticks_off()
    axes.set_yticks([0.7, 1.0, 2.0, 4.0, 8.0], ["0.7", "1", "2", "4", "8"])
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def trap_figure(model: Model, content: dict) -> plt.Figure:
    """Yaw rate after two pasts from rest that end in the two boxes of the trap."""
    trap = content["claims"]["trap"]
    held = np.array(trap["features"], np.float32)
    limits = np.array(content["constants"]["feature_limits"], np.float32)
    rng = np.random.default_rng(0)
    figure, axes = plt.subplots(figsize=(7.0, 2.8), layout="constrained")
    time_s = np.arange(PAST + STEPS) * trap["dt_s"]
    for box, colour, name in zip(trap["boxes"], (FOUND, SECOND), ("one", "another"), strict=True):
        inside = False
        while not inside:
            past = rng.choice([-1.0, 1.0], len(limits)).astype(np.float32) * limits
            state, rates = run(model, [past] * PAST + [held] * STEPS, trap["dt_s"])
            inside = bool(np.all(state >= box["lower"]) and np.all(state <= box["upper"]))
        axes.plot(time_s, rates, color=colour, label=f"{name} past")
    axes.axvspan(0.0, PAST * trap["dt_s"], color="#e6e9ec")
    axes.text(0.5 * PAST * trap["dt_s"], 1.45, "different\nfeatures", ha="center", fontsize=8)
    axes.text(5.0, 1.55, "the same constant features", ha="center", fontsize=9)
    axes.set(xlabel="time from rest, s", ylabel="yaw rate, rad/s", ylim=(-1.8, 1.8))
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def tube_figure(content: dict) -> plt.Figure:
    """Offset of each tube over frames, with the range that rollouts attained."""
    tubes, attained = content["claims"]["tubes"], content["found"]
    figure, axes = plt.subplots(
        1, len(tubes), figsize=(2.3 * len(tubes), 2.9), layout="constrained"
    )
    for axis, claim, found in zip(axes, tubes, attained, strict=True):
        lower, upper = (np.array(claim[key])[:, 0] for key in ("lower", "upper"))
        least, most = (np.array(found[key])[:, 0] for key in ("lower", "upper"))
        frames = np.arange(len(lower))
        axis.fill_between(frames, lower, upper, color=BOUND, label="tube")
        axis.fill_between(frames, least, most, color=FOUND, label="rollouts")
        reach = 4.0 * max(-least.min(), most.max())
        axis.set(ylim=(-reach, reach), xlabel="frames", xlim=(0, frames[-1]))
        low, high = (1e3 * value for value in claim["dt_s"])
        name = claim["name"].replace("_", " ")
        title = f"{name}: {claim['perception']:g} of the sets\nframes {low:g} to {high:g} ms apart"
        axis.set_title(title, fontsize=9)
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("offset from the trail, m")
    axes[0].legend(frameon=False, fontsize=8, loc="lower left")
    return figure


def run(model: Model, inputs: list, dt_s: float) -> tuple[np.ndarray, list[float]]:
    """Return the last state and all yaw rates of a sequence from rest."""
    cell, motors, rates = FlightCfC(model.weights), model.settings.motors, []
    state = cell.init_state()
    for features in inputs:
        state, _ = cell.step(features, state, dt_s)
        rates.append(motors.command(state[-4:]).yaw_rate_radps)
    return state, rates


def main() -> None:
    """Draw all figures."""
    model = load_model(MODEL)
    content = json.loads((model.path / CERTIFICATE).read_text(encoding="utf-8"))
    closed = json.loads((model.path / CLOSED_LOOP).read_text(encoding="utf-8"))
    OUT.mkdir(exist_ok=True)
    for name, figure in (
        ("commands", commands_figure(content)),
        ("rates", rates_figure(content)),
        ("trap", trap_figure(model, content)),
        ("tubes", tube_figure(closed)),
    ):
        figure.savefig(OUT / f"{name}.png", dpi=110)


if __name__ == "__main__":
    main()
