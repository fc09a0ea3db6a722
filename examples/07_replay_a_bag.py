"""Replay a recorded flight through a policy, and measure how noise moves its commands.

    python examples/07_replay_a_bag.py [bag] [folder of the results]

Needs the extra [sim] for the noise and [report] for the files; no ROS. The default bag is the
recorded flight of the tests.
"""

import sys
from pathlib import Path

from liquid_control.replay import (
    ReplayRequest,
    ReplayResult,
    evaluate_replay,
    verdict,
    write_replay_files,
)

FLIGHT = Path(__file__).parents[1] / "test" / "golden" / "flight.mcap"


def main(path: Path = FLIGHT, out: Path | None = None) -> ReplayResult:
    """Print the difference of replayed and recorded commands; return the result."""
    request = ReplayRequest.for_bag(path, disturb=["noise=3"])
    result = evaluate_replay(request)
    print(f"model: {request.choice.model.name}, {request.choice.why}")
    print(verdict(result))
    for comparison in filter(None, (result.policy, result.guarded)):
        for axis, error in comparison.axes.items():
            print(f"{comparison.what:>8} {axis:>8}: RMSE {error.rmse:.2g}")
    if result.disturbed is not None:
        print(result.disturbed.summary())
    if out is not None:
        write_replay_files(out, request, result)
        print(out / "report.html")
    return result


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:]))
