"""Write flight.mcap: a short flight through the graph, in lockstep, for replays to be judged by.

    python test/golden/make_bag.py

The flight has lost frames and gusts, so that elapsed times differ and the guard has work. Pictures
are PNG, chunks zstd. Of the metadata the model's mark, the mode and the guard's parameters stay,
which a replay reads; what tells of the machine goes. Write it anew only when flights or the
shipped model are changed on purpose, and say so in the CHANGELOG.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from liquid_control.bags import BagWriter, Losses
from liquid_control.bags.bag import open_bag
from liquid_control.bags.topics import load_rules, resolve
from liquid_control.config import project_file
from liquid_control.graph.flight_graph import fly_through_graph

PATH = Path(__file__).parent / "flight.mcap"
SEED = 10_011
SETTINGS = (
    "trail.length_m=12",
    "camera.drop_rate=0.2",
    "wind.mean_mps=3",
    "wind.gust_mps=5",
)
KEPT = ("model", "parameters/guard_node")


def main() -> None:
    """Fly, and keep what replays read."""
    with TemporaryDirectory() as folder:
        flown = fly_through_graph(
            "trail",
            SEED,
            SETTINGS,
            project_file("models/trail_cfc19"),
            Path(folder),
            image="png",
            compression="zstd",
        )
        _keep(flown["bag"])
    print(f"{PATH}: {PATH.stat().st_size / 1e6:.2f} MB, {flown['result']}")


def _keep(source: Path) -> None:
    bag, losses = open_bag(source), Losses()
    topics = resolve(bag, load_rules()).topics
    metadata = {name: dict(bag.metadata[name]) for name in KEPT}
    told = bag.metadata["liquid_control"]
    metadata["liquid_control"] = {name: told[name] for name in ("version", "mode")}
    PATH.unlink(missing_ok=True)
    types = {topic: bag.topics[topic].type for topic in topics}
    with BagWriter(PATH, types, metadata=metadata, compression="zstd") as writer:
        for message in bag.messages(topics, losses):
            writer.write(message.topic, message.data, message.log_ns)
    if losses.counts:
        raise SystemExit(f"lost: {'; '.join(losses.lines())}")


if __name__ == "__main__":
    main()
