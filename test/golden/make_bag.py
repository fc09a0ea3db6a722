"""Write flight.mcap: a short flight through the ROS 2 graph in lockstep, a reference for replays.

    python test/golden/make_bag.py

The flight has lost frames and gusts, so that elapsed times vary and the guard intervenes. Images
are PNG, chunks zstd. The metadata is reduced to what a replay reads: fingerprint of the model,
mode, guard parameters and the policy's inputs. Rewrite the file only when flights or the shipped
model change on purpose, and state it in the CHANGELOG.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from liquid_control.bags import BagWriter, Losses, load_rules, open_bag, resolve
from liquid_control.config import project_file
from liquid_control.graph import GraphPlan, fly_through_graph

PATH = Path(__file__).parent / "flight.mcap"
SEED = 10_011
SETTINGS = (
    "trail.length_m=9.5",
    "camera.drop_rate=0.2",
    "wind.mean_mps=3",
    "wind.gust_mps=5",
)
KEPT = ("model", "parameters/guard_node")
PERCEPTION = "parameters/perception_node"
INPUTS = ("cruise_speed_mps", "camera_pitch_down_deg")


def main() -> None:
    """Fly and keep what replays read."""
    with TemporaryDirectory() as folder:
        plan = GraphPlan(
            "trail",
            SEED,
            project_file("models/trail_cfc19"),
            Path(folder),
            SETTINGS,
            image="png",
            compression="zstd",
        )
        flight = fly_through_graph(plan)
        _keep(plan.bag_path)
    print(f"{PATH}: {PATH.stat().st_size / 1e6:.2f} MB, {flight.result}")


def _keep(source: Path) -> None:
    bag, losses = open_bag(source), Losses()
    topics = resolve(bag, load_rules()).topics
    metadata = {name: dict(bag.metadata[name]) for name in KEPT}
    metadata[PERCEPTION] = {name: bag.metadata[PERCEPTION][name] for name in INPUTS}
    written = bag.metadata["liquid_control"]
    metadata["liquid_control"] = {name: written[name] for name in ("version", "mode")}
    PATH.unlink(missing_ok=True)
    types = {topic: bag.topics[topic].type for topic in topics}
    with BagWriter(PATH, types, metadata=metadata, compression="zstd") as writer:
        for message in bag.messages(topics, losses):
            writer.write(message.topic, message.data, message.log_ns)
    if losses.counts:
        raise SystemExit(f"lost: {'; '.join(losses.lines())}")


if __name__ == "__main__":
    main()
