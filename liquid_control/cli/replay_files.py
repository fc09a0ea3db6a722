"""The files of a replay: what is the same each time, and apart from it what is not."""

import json
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liquid_control.cli.watch import Took

if TYPE_CHECKING:
    from liquid_control.cli.replay_disturbed import Disturbing
    from liquid_control.cli.replay_run import Asked
    from liquid_control.replay.document import About
    from liquid_control.replay.judgement import Judgement


def write_files(
    folder: Path,
    asked: "Asked",
    told: "About",
    judgement: "Judgement",
    took: Took,
    video: bool,
    disturbed: "Disturbing | None",
) -> None:
    """Write all files of a replay.

    Args:
        folder: where to.
        asked: what was replayed.
        told: the same by names and hashes.
        judgement: how it came out.
        took: how long the pass over the bag took.
        video: whether to write the film too.
        disturbed: the same flight with disturbed pictures; None where none were asked for.

    Raises:
        OutputError: the folder cannot be written to.
    """
    from liquid_control.pages.page import write_whole
    from liquid_control.policy import Policy
    from liquid_control.replay.arrays import write_arrays
    from liquid_control.replay.document import document_text, replay_document
    from liquid_control.replay.pictures import frame_pictures, pictures_of
    from liquid_control.replay.report import write_report
    from liquid_control.replay.video import write_replay_video

    section = None if disturbed is None else disturbed.section(judgement.start_ns)
    document = replay_document(told, judgement)
    document["disturbed"] = None if section is None else section.rows
    write_whole(folder / "replay.json", document_text(document))
    write_arrays(folder / "replay.npz", judgement)
    policy = Policy(asked.choice.model)
    stamps = {moment.stamp_ns for moment in judgement.moments}
    frames = judgement.recorded.frames
    pictures = pictures_of(asked.bag, asked.topics, policy, frames, stamps)
    write_report(folder / "report.html", told, judgement, pictures, section)
    if video:
        begin_ns = asked.span.begin_ns(asked.bag)
        shown = frame_pictures(asked.bag, asked.topics, policy, begin_ns)
        write_replay_video(folder / "replay.mp4", asked.bag.path.name, judgement, shown)
    timing = _timing(judgement, took)
    write_whole(folder / "timing.json", json.dumps(timing, indent=1) + "\n")


def _timing(judgement: "Judgement", took: Took) -> dict[str, Any]:
    """Return what differs from one replay to the next."""
    from liquid_control.provenance import git_revision, machine

    length_s = recorded_s(judgement)
    return {
        "created_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "git_revision": git_revision(),
        "machine": machine(),
        "recorded_s": length_s,
        **asdict(took),
        "times_real_time": length_s / took.wall_s,
        "times_real_time_cpu": length_s / took.cpu_s,
    }


def recorded_s(judgement: "Judgement") -> float:
    """Return how long the frames took to be filed, s, whatever their stamps did."""
    filed = judgement.recorded.frames.log_ns
    return float(filed[-1] - filed[0]) * 1e-9
