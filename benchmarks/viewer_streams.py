"""CPU time of a viewer's feed by stream, without the graph and without a server.

    OMP_NUM_THREADS=1 python -m benchmarks.viewer_streams [--model models/trail_cfc19]

Frames of a drawn flight (`default_rng(6)`) come at 30 Hz of the feed's own time. Between them the
process rests, so that caches are as cold as in a flight. What `python -m benchmarks.viewer` finds
for `foxglove_node` besides is the work of middleware, executor and server.
"""

import argparse
import time
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.programs import one_line_errors
from liquid_control import topics
from liquid_control.bags.writing import messages
from liquid_control.config import CameraSettings
from liquid_control.policy import Model, Policy, PolicySession, load_model
from liquid_control.types import Command, VehicleState
from liquid_control.viewers import feed

RATE_HZ = 30.0
REST_S = 0.02
"""Between frames."""
WARM_UP = 30
"""Frames before the measurement: the first message of a type makes its decoder."""
STREAMS: dict[str, set[str]] = {
    "numbers": {f"/{name}" for name in feed.PASSED if name != topics.WIND},
    "camera": {feed.CAMERA},
    "saliency": {feed.SALIENCY},
    "time constants": {feed.TIME_CONSTANTS},
    "wiring": {feed.WIRING},
    "path, pose and transforms": {feed.SCENE, feed.POSE, feed.TRANSFORMS},
}
"""Topics of viewers that are measured together."""


class Counted:
    """A sender that counts what it is given.

    Attributes:
        sent: number of messages.
    """

    def __init__(self, wanted: set[str]) -> None:
        self._wanted, self.sent = wanted, 0

    def wanted(self) -> set[str]:
        """Return the topics."""
        return self._wanted

    def send(self, topic: str, message: bytes, stamp_ns: int) -> None:
        """Count a message."""
        self.sent += 1


def frames(model: Model) -> Iterator[Mapping[str, bytes]]:
    """Yield the newest message of each topic of the graph, frame by frame, without end."""
    policy, rng = Policy(model), np.random.default_rng(6)
    session, view = PolicySession(policy), model.settings.camera.view
    camera = CameraSettings(
        width=view.width, height=view.height, horizontal_fov_deg=view.horizontal_fov_deg
    )
    drawn = rng.integers(0, 256, (view.height, view.width, 3)).astype(np.uint8)
    picture = np.asarray(cv2.GaussianBlur(drawn, (9, 9), 3.0), np.uint8)
    number = 0
    while True:
        number += 1
        stamp_ns = round(1e9 * number / RATE_HZ)
        features = rng.normal(0.0, 0.5, policy.feature_count).astype(np.float32)
        decision = session.answer(features, stamp_ns)
        position = np.array([2.0 * number / RATE_HZ, 0.0, 2.0])
        level, still = np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3)
        command = messages.command_cdr(Command(2.0, 0.0, 0.0, 0.1), stamp_ns)
        state, gates = (np.asarray(one, np.float64) for one in (decision.state, decision.gates))
        yield {
            topics.COMMAND: command,
            topics.POLICY_COMMAND: command,
            topics.IMU: messages.imu_cdr(still, still, stamp_ns),
            topics.INPUTS: messages.inputs_cdr({"speed_mps": 2.0}, stamp_ns),
            topics.CAMERA_INFO: messages.camera_info_cdr(camera, stamp_ns),
            topics.IMAGE: messages.image_cdr(picture, stamp_ns),
            topics.ODOM: messages.odometry_cdr(
                VehicleState(position, level, still, still), stamp_ns
            ),
            topics.FEATURES: messages.features_cdr(features, stamp_ns),
            topics.NEURONS: messages.neurons_cdr(policy.state_names, state, gates, stamp_ns),
        }


def measured(model: Model, wanted: set[str], seconds: float) -> tuple[float, float]:
    """Return the part of a core that streams take, and their messages a second.

    Args:
        model: of the flight.
        wanted: what a viewer looks at.
        seconds: of the flight.
    """
    sender, count = Counted(wanted), WARM_UP + round(seconds * RATE_HZ)
    now_s = spent_s = 0.0
    made = feed.ViewerFeed(sender, model, clock=lambda: now_s)
    for number, frame in zip(range(count), frames(model), strict=False):
        now_s = number / RATE_HZ
        if number == WARM_UP:
            sender.sent, spent_s = 0, 0.0
        begin_s = time.process_time()
        for topic in made.sources():
            if topic in frame:
                made.receive(topic, frame[topic], number)
        spent_s += time.process_time() - begin_s
        time.sleep(REST_S)
    return spent_s / seconds, sender.sent / seconds


@one_line_errors()
def main() -> None:
    """Print one row a stream."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="models/trail_cfc19")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each stream")
    given = parser.parse_args()
    model, total = load_model(given.model), 0.0
    table = Table(title="CPU time of a viewer's feed")
    for name in ("stream", "messages a second", "% of a core"):
        table.add_column(name, justify="left" if name == "stream" else "right")
    for name, wanted in STREAMS.items():
        part, rate_hz = measured(model, wanted, given.seconds)
        total += part
        table.add_row(name, f"{rate_hz:.1f}", f"{100.0 * part:.2f}")
    table.add_row("all", "", f"{100.0 * total:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
