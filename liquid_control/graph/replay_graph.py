"""`liquid-control replay --live`: a bag through the real nodes, each in a process of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liquid_control.bags.bag import open_bag
from liquid_control.bags.topics import load_rules, resolve
from liquid_control.graph.flight_graph import FlightProgress, run_graph
from liquid_control.policy import Policy, load_model

REPLAY = "replay_node"


@dataclass(frozen=True)
class ReplayPlan:
    """What to replay through the graph and how.

    Attributes:
        bag: file or folder.
        model: folder.
        out_dir: for logs and for the bag of the replay.
        mode: lockstep or realtime.
        rate: recorded seconds in a second, in real time.
        record: whether to write the bag of the replay.
        start_s: where to begin, s after the bag's start.
        duration_s: how much of it, s; 0 for all.
        presets: of topics, by name or path.
        flags: topic by role.
        envelope: parameters of the guard.
    """

    bag: Path
    model: Path
    out_dir: Path
    mode: str = "lockstep"
    rate: float = 1.0
    record: bool = True
    start_s: float = 0.0
    duration_s: float = 0.0
    presets: Sequence[str] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    envelope: Mapping[str, float] = field(default_factory=dict)

    @property
    def bag_path(self) -> Path:
        """The bag of the replay."""
        return self.out_dir / "replay.mcap"

    @property
    def nodes(self) -> dict[str, dict[str, object]]:
        """Parameters of each process."""
        policy: dict[str, object] = {"model": str(self.model.resolve()), "autostart": True}
        nodes: dict[str, dict[str, object]] = {
            "guard_node": dict(self.envelope),
            "perception_node": policy,
            "controller_node": policy,
        }
        if self.record:
            nodes["recorder_node"] = {"path": str(self.bag_path.resolve())}
        nodes[REPLAY] = {
            "bag": str(self.bag.resolve()),
            "rate": float(self.rate),
            "start_s": float(self.start_s),
            "duration_s": float(self.duration_s),
            "recorder": self.record,
            "progress": True,
        }
        lists = {
            "topics": list(self.presets),
            "topic": [f"{role}={topic}" for role, topic in self.flags.items()],
        }
        nodes[REPLAY] |= {name: words for name, words in lists.items() if words}
        return nodes


def replay_through_graph(
    plan: ReplayPlan, on_progress: Callable[[FlightProgress], None] | None = None
) -> dict[str, Any]:
    """Replay a bag through perception, controller and guard, in processes of their own.

    Args:
        plan: what and how.
        on_progress: hears `{"event": "progress", "position_s", "duration_s"}` some times a second.

    Returns:
        `statistics` (mode, frames, frames_lost, frames_late, latency_ms p50, p99 and max, jumps,
        wall_s), `losses` (by kind) and `bag` (the path; None unless recorded).

    Raises:
        BagError: the bag cannot be read, or has no camera.
        ConfigError: a preset or a role is not known.
        ModelError: the model does not load.
        GraphError: a process did not start, died, or stopped answering.
    """
    Policy(load_model(plan.model))
    resolve(open_bag(plan.bag), load_rules(plan.presets, plan.flags))
    done = run_graph(plan, on_progress)
    return {
        "statistics": done["statistics"],
        "losses": done["losses"],
        "bag": plan.bag_path if plan.record else None,
    }
