"""One replay of a bag through the ROS 2 graph, and its comparison with the offline replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liquid_control.bags import Losses, load_rules, open_bag, read_flight, resolve
from liquid_control.graph.node_graph import ProgressCallback, run_graph
from liquid_control.policy import Policy, load_model

if TYPE_CHECKING:
    from liquid_control.replay.comparison import Identity
    from liquid_control.replay.tracks import Track

REPLAY = "replay_node"


@dataclass(frozen=True)
class ReplayPlan:
    """A replay through the graph.

    Attributes:
        bag: file or folder.
        model: folder.
        out_dir: receives `replay.mcap` and `log/`.
        mode: `lockstep` or `realtime`.
        rate: recorded seconds per second, in real time.
        record: whether to write a bag of the replay.
        start_s: where to begin, s after the bag's start.
        duration_s: how much to replay, s; 0 for all.
        presets: topic presets, by name or path.
        flags: topic by role.
        envelope: parameters of the guard: its envelope, and its rules.
        perception: further parameters of perception_node.
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
    envelope: Mapping[str, object] = field(default_factory=dict)
    perception: Mapping[str, object] = field(default_factory=dict)

    @property
    def bag_path(self) -> Path:
        """File of the replay's bag."""
        return self.out_dir / "replay.mcap"

    @property
    def nodes(self) -> dict[str, dict[str, object]]:
        """Parameters of each node."""
        policy: dict[str, object] = {"model": str(self.model.resolve()), "autostart": True}
        nodes: dict[str, dict[str, object]] = {
            "guard_node": dict(self.envelope),
            "perception_node": policy | dict(self.perception),
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
        nodes[REPLAY] |= {name: values for name, values in lists.items() if values}
        return nodes


@dataclass(frozen=True)
class GraphReplay:
    """A replay that went through the graph.

    Attributes:
        statistics: mode, frames, frames_lost, frames_late, latency_ms (p50, p99, max), jumps,
            wall_s.
        losses: number of unusable parts of the bag, by kind.
        bag: file of the replay's bag; None unless recorded.
    """

    statistics: Mapping[str, Any]
    losses: Mapping[str, int]
    bag: Path | None


def replay_through_graph(
    plan: ReplayPlan, on_progress: ProgressCallback | None = None
) -> GraphReplay:
    """Replay a bag through perception, controller and guard, each in a process of its own.

    Args:
        plan: the replay.
        on_progress: receives `{"event": "progress", "position_s", "duration_s"}` several times a
            second.

    Raises:
        BagError: the bag cannot be read, or has no camera.
        ConfigError: a preset or a role is unknown.
        ModelError: the model does not load.
        GraphError: a process did not start, died, or stopped answering.
    """
    Policy(load_model(plan.model))
    resolve(open_bag(plan.bag), load_rules(plan.presets, plan.flags))
    done = run_graph(plan, on_progress)
    bag = plan.bag_path if plan.record else None
    return GraphReplay(done["statistics"], done["losses"], bag)


def compare_with_offline(live: GraphReplay, offline: "Track") -> "Identity":
    """Compare the answers of the graph with those of the offline replay, bit for bit.

    In real time the guard uses its own timer, so only the policy's answers are compared.

    Args:
        live: a recorded replay.
        offline: the same bag replayed on this machine, with the same model.
    """
    from liquid_control.replay import RecordingCollector, replay
    from liquid_control.replay.comparison import identity

    assert live.bag is not None
    bag, collector = open_bag(live.bag), RecordingCollector()
    replay(read_flight(bag, resolve(bag, load_rules()), Losses()), [collector])
    answers = collector.recorded().track
    if live.statistics["mode"] != "lockstep":
        answers, offline = (replace(t, guarded=t.guarded.empty()) for t in (answers, offline))
    return identity(offline, answers)
