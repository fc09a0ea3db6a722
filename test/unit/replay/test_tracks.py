import numpy as np
import pytest

from liquid_control.bags import CommandEvent, CommandSource, FeaturesEvent, NeuronsEvent
from liquid_control.errors import BagError
from liquid_control.replay import RecordingCollector
from liquid_control.types import Command

pytestmark = pytest.mark.unit


def test_a_collector_separates_commands_by_source_and_refuses_two_networks():
    collector = RecordingCollector()
    for source, value in ((CommandSource.POLICY, 1.0), (CommandSource.GUARD, 2.0)):
        collector.consume(CommandEvent(source, Command(value), 5, 7))
    collector.consume(NeuronsEvent(5, ("a", "b"), np.array([0.1, 0.2]), np.array([0.3, 0.4])))
    collector.consume(FeaturesEvent(5, np.ones(34, np.float32)))
    found = collector.recorded()
    assert found.track.policy.values[0, 0] == 1.0
    assert found.track.guarded.values[0, 0] == 2.0
    assert found.track.guarded.log_ns[0] == 7
    np.testing.assert_array_equal(found.track.gates.values, [[0.3, 0.4]])
    with pytest.raises(BagError, match="expected 2 neurons at each frame, got 3 at 6 ns"):
        collector.consume(NeuronsEvent(6, ("a", "b", "c"), np.zeros(3), np.zeros(3)))
