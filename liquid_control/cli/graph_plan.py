"""What to fly through the graph, and what that means for each process."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SIMULATOR = "simulator_node"


@dataclass(frozen=True)
class GraphPlan:
    """What to fly and how.

    Attributes:
        scenario: name or path.
        seed: of every random stream.
        model: folder.
        out_dir: for record, bag and logs.
        overrides: scenario keys, each as key=value.
        mode: lockstep or realtime.
        rate: simulated seconds in a second, in real time.
        record: whether to write a bag.
        gui: whether to show PyBullet's window.
        composed: whether perception and controller share a process.
        image: how the bag keeps pictures: raw, png or jpeg.
        compression: of the bag's chunks: none, lz4 or zstd.
    """

    scenario: str
    seed: int
    model: Path
    out_dir: Path
    overrides: Sequence[str] = ()
    mode: str = "lockstep"
    rate: float = 1.0
    record: bool = True
    gui: bool = False
    composed: bool = False
    image: str = "raw"
    compression: str = "none"

    @property
    def record_path(self) -> Path:
        """The flight's record."""
        return self.out_dir / "flight.npz"

    @property
    def bag_path(self) -> Path:
        """The flight's bag."""
        return self.out_dir / "flight.mcap"

    @property
    def nodes(self) -> dict[str, dict[str, object]]:
        """Parameters of each process."""
        policy = {"model": str(self.model.resolve()), "autostart": True}
        pilots = ("policy_node",) if self.composed else ("perception_node", "controller_node")
        nodes: dict[str, dict[str, object]] = {"guard_node": {}} | dict.fromkeys(pilots, policy)
        if self.record:
            nodes["recorder_node"] = {
                "path": str(self.bag_path.resolve()),
                "model": str(self.model.resolve()),
                "image": self.image,
                "compression": self.compression,
            }
        nodes[SIMULATOR] = {
            "scenario": self.scenario,
            "seed": self.seed,
            "rate": self.rate,
            "gui": self.gui,
            "recorder": self.record,
            "record_path": str(self.record_path.resolve()),
            "progress": True,
        }
        if self.overrides:
            nodes[SIMULATOR]["set"] = list(self.overrides)
        return nodes
