"""How long frames took to be answered, in wall time, and which never were."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class AnswerTimes:
    """Frames that were sent and answers that came."""

    sent_ns: dict[int, int] = field(default_factory=dict)
    took_ns: dict[int, int] = field(default_factory=dict)
    late: int = 0
    _newest_ns: int = -1

    def sent(self, stamp_ns: int, wall_ns: int) -> None:
        """Note that a frame's picture goes out now."""
        self.sent_ns[stamp_ns] = wall_ns
        self._newest_ns = stamp_ns

    def answered(self, stamp_ns: int, wall_ns: int) -> None:
        """Note an answer; only the first to a frame counts, others are repetitions."""
        if stamp_ns not in self.sent_ns or stamp_ns in self.took_ns:
            return
        self.took_ns[stamp_ns] = wall_ns - self.sent_ns[stamp_ns]
        self.late += stamp_ns < self._newest_ns

    def summary(self) -> dict[str, object]:
        """Return counts and percentiles; latencies are None where nothing was answered.

        A late answer came after the next frame had gone out; a lost frame got none.
        """
        took_ms = np.array(list(self.took_ns.values())) * 1e-6
        measures = {"p50": 50.0, "p99": 99.0, "max": 100.0}
        return {
            "frames": len(self.sent_ns),
            "frames_lost": len(self.sent_ns) - len(self.took_ns),
            "frames_late": self.late,
            "latency_ms": {
                name: float(np.percentile(took_ms, share)) if took_ms.size else None
                for name, share in measures.items()
            },
        }
