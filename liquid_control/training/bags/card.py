"""What a model card says of the bags that the model learned from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from liquid_control.training.bags.settings import BagLabel, BagSettings

LABELS = {
    BagLabel.POLICY_COMMAND: "what the recorded pilot asked for",
    BagLabel.COMMAND: "what the recorded vehicle was told",
    BagLabel.ODOMETRY: "the measured velocity and yaw rate",
}


def bag_lines(settings: BagSettings, bags: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return lines of Markdown.

    Args:
        settings: of the reading.
        bags: their summaries, as `provenance` has them.
    """
    ahead = f", {settings.lookahead_s:g} s ahead" if settings.lookahead_s else ""
    rate = (
        "as irregular as they were recorded"
        if settings.rate_hz is None
        else f"resampled to {settings.rate_hz:g} Hz: the nearest frame, the label interpolated"
    )
    frames = sum(bag["frames"] for bag in bags)
    minutes = sum(bag.get("duration_s", 0.0) for bag in bags) / 60.0
    return [
        f"{frames:,} frames, {minutes:.1f} min, of {len(bags)} bags; labels are "
        f"{LABELS[settings.label]}{ahead}; frames are {rate}. Whole flights were kept out to "
        f"measure the offline loss. {_left_out(bags)}",
        "",
        "| bag | recorded by | scenario | frames | left out | SHA-256 |",
        "|---|---|---|---|---|---|",
        *(_row(bag) for bag in bags),
    ]


def _left_out(bags: Sequence[Mapping[str, Any]]) -> str:
    total: Counter[str] = Counter()
    for bag in bags:
        total.update(bag.get("dropped", {}))
    beyond = sum(bag.get("beyond_motors", 0) for bag in bags)
    parts = [f"{count:,} frames {reason}" for reason, count in sorted(total.items())]
    told = f"Left out: {', '.join(parts)}." if parts else "No frame was left out."
    return f"{told} {beyond:,} labels were held to the motors' range." if beyond else told


def _row(bag: Mapping[str, Any]) -> str:
    recorder = bag.get("recorder", {})
    pilot = recorder.get("model", {}).get("name", "unknown")
    flight = recorder.get("flight") or recorder.get("parameters/simulator_node", {})
    scenario = flight.get("scenario", "unknown")
    where = f"{scenario}, seed {flight['seed']}" if "seed" in flight else scenario
    dropped = sum(bag.get("dropped", {}).values())
    told = bag.get("error") or f"{dropped}"
    return (
        f"| {bag['name']} | {pilot} | {where} | {bag['frames']:,} | {told} "
        f"| {bag['sha256'][:12]}… |"
    )
