"""The bags of a run: jobs that read them, their summaries and pieces, and texts about them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from liquid_control.errors import BagError
from liquid_control.perception import CameraView
from liquid_control.training.bags.job import BagJob, BagSummary, piece_path, read_summary
from liquid_control.training.bags.sources import BagData
from liquid_control.training.run_folder import RunFolder
from liquid_control.training.training_settings import BagLabel, BagSettings, TrainingSettings


def bag_jobs(settings: TrainingSettings, folder: RunFolder, data: BagData) -> list[BagJob]:
    """Return the jobs that read a run's bags for the view of its camera."""
    camera, motors = settings.base_scenario().camera, settings.network.motors
    view = CameraView(
        camera.width, camera.height, camera.horizontal_fov_deg, camera.pitch_down_deg
    )
    return [
        BagJob(source, data, settings.bags, view, motors, folder.bag(source.key))
        for source in data.sources
    ]


def bag_summaries(folder: RunFolder, data: BagData | None) -> list[BagSummary]:
    """Return the summary of each bag.

    Raises:
        OutputError: a summary is damaged.
    """
    return [read_summary(folder.bag(source.key)) for source in (data.sources if data else ())]


def bag_pieces(folder: RunFolder, data: BagData | None) -> list[tuple[Path, int]]:
    """Return the file of every piece with the index of its bag.

    Raises:
        OutputError: a summary is damaged.
    """
    return [
        (piece_path(folder.bag(source.key), index), number)
        for number, source in enumerate(data.sources if data else ())
        for index in range(len(read_summary(folder.bag(source.key)).pieces))
    ]


def summary_lines(summaries: Sequence[BagSummary]) -> list[str]:
    """Return lines about the frames to learn from and the frames left out.

    Raises:
        BagError: there is no frame to learn from.
    """
    errors = [summary.error for summary in summaries if summary.error]
    frames = sum(summary.frames for summary in summaries)
    if not frames:
        left_out = _left_out(summaries) or ["no frame in any of them"]
        reason = errors[0] if errors else "; ".join(left_out)
        raise BagError(f"--data: nothing to learn from in {len(summaries)} bag(s): {reason}")
    used = [summary for summary in summaries if summary.frames]
    seconds = sum(summary.duration_s for summary in used)
    lines = [f"bags: {frames} frames of {len(used)} flights, {seconds / 60:.1f} min"]
    lines += [f"  left out: {line}" for line in _left_out(summaries)]
    lines += [f"  not usable: {error}" for error in errors]
    lines += [f"  {s.name}: {line}" for s in summaries for line in s.losses]
    beyond = sum(summary.beyond_motors for summary in summaries)
    if beyond:
        lines.append(f"  clipped to the motors' range: {beyond} labels")
    return lines


def _left_out(summaries: Sequence[BagSummary]) -> list[str]:
    return [f"{count} frames {reason}" for reason, count in total_dropped(summaries).items()]


def total_dropped(summaries: Sequence[BagSummary]) -> dict[str, int]:
    """Return the number of frames left out of all bags, by reason."""
    total: Counter[str] = Counter()
    for summary in summaries:
        total.update(summary.dropped)
    return dict(sorted(total.items()))


LABELS = {
    BagLabel.POLICY_COMMAND: "the commands of the recorded pilot",
    BagLabel.COMMAND: "the commands sent to the recorded vehicle",
    BagLabel.ODOMETRY: "the measured velocity and yaw rate",
}


def bag_lines(
    settings: BagSettings, bags: Sequence[Mapping[str, Any]], flights: int, every: int
) -> list[str]:
    """Return the section about the bags in a model card, as lines of Markdown.

    Args:
        settings: of labels and filters.
        bags: summaries, as in `provenance`.
        flights: number of flights in the data set, simulated ones included.
        every: number of flights of which one is held out.
    """
    ahead = f", {settings.lookahead_s:g} s ahead" if settings.lookahead_s else ""
    rate = (
        "at their recorded, irregular times"
        if settings.rate_hz is None
        else f"resampled to {settings.rate_hz:g} Hz: the nearest frame, the label interpolated"
    )
    frames = sum(bag["frames"] for bag in bags)
    used = sum(bool(bag["frames"]) for bag in bags)
    count = f"{used} bags" if used == len(bags) else f"{used} of {len(bags)} bags"
    minutes = sum(bag.get("duration_s", 0.0) for bag in bags) / 60.0
    return [
        f"{frames:,} frames, {minutes:.1f} min, of {count}; labels are "
        f"{LABELS[settings.label]}{ahead}; frames are {rate}. {_held_out_line(flights, every)} "
        f"{_left_out_lines(bags)}",
        "",
        "| bag | recorded by | scenario | frames | left out | SHA-256 |",
        "|---|---|---|---|---|---|",
        *(_row(bag) for bag in bags),
    ]


def _held_out_line(flights: int, every: int) -> str:
    """Return what the offline loss was measured on, as `split_flights` chooses it."""
    if flights < 2:
        return "The offline loss was measured on the training flight itself: there was no other."
    held = max(1, flights // every)
    verb = "flight was" if held == 1 else "flights were"
    return f"Of {flights} flights, {held} whole {verb} held out to measure the offline loss."


def _left_out_lines(bags: Sequence[Mapping[str, Any]]) -> str:
    total: Counter[str] = Counter()
    for bag in bags:
        total.update(bag.get("dropped", {}))
    beyond = sum(bag.get("beyond_motors", 0) for bag in bags)
    parts = [f"{count:,} frames {reason}" for reason, count in sorted(total.items())]
    text = f"Left out: {', '.join(parts)}." if parts else "No frame was left out."
    return f"{text} {beyond:,} labels were clipped to the motors' range." if beyond else text


def _row(bag: Mapping[str, Any]) -> str:
    recorder = bag.get("recorder", {})
    pilot = recorder.get("model", {}).get("name", "unknown")
    flight = recorder.get("flight") or recorder.get("parameters/simulator_node", {})
    scenario = flight.get("scenario", "unknown")
    where = f"{scenario}, seed {flight['seed']}" if "seed" in flight else scenario
    dropped = sum(bag.get("dropped", {}).values())
    left_out = bag.get("error") or f"{dropped}"
    return (
        f"| {bag['name']} | {pilot} | {where} | {bag['frames']:,} | {left_out} "
        f"| {bag['sha256'][:12]}… |"
    )
