"""A pilot that flies a policy in process."""

from liquid_control.interfaces import World
from liquid_control.policy.controllers import Array, Decision
from liquid_control.policy.online_adaptation import CommandAdaptation
from liquid_control.policy.policy import Policy
from liquid_control.policy.session import PolicySession
from liquid_control.policy.velocity_reading import velocity_reading
from liquid_control.types import Command, Observation, VehicleState


class PolicyPilot:
    """Flies a policy, one flight at a time.

    Args:
        policy: the policy.
        adaptation: changes its commands by the vehicle's motion, as in odometry; None for none.

    Attributes:
        name: the model's name.
        policy: the policy.
        adaptation: as given.
        session: state, clock and counters of the current flight.
        features: features of the last answered frame, float32 [F]; None before the first.
        decision: the last decision, with the neurons; None before the first.
    """

    def __init__(self, policy: Policy, adaptation: CommandAdaptation | None = None) -> None:
        self.name = policy.model.name
        self.policy = policy
        self.adaptation = adaptation
        self._begin()

    def start(self, world: World) -> None:
        """Begin a flight from a fresh state, after a check that the world's camera fits the model.

        Raises:
            ModelError: the camera's size, field of view or pitch is not the model's.
        """
        self.policy.model.check_scenario(world.scenario)
        self._begin()

    def _begin(self) -> None:
        self.session = PolicySession(self.policy, adaptation=self.adaptation)
        self.features: Array | None = None
        self.decision: Decision | None = None

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command for one frame; only an adaptation reads `truth`, as odometry.

        Raises:
            ObservationError: the frame cannot be used; state and clock are unchanged.
        """
        features = self.policy.features(observation)
        stamp_ns = observation.stamp_ns
        reading = None if self.adaptation is None else velocity_reading(truth, stamp_ns)
        self.decision = self.session.answer(features, stamp_ns, reading)
        self.features = features
        return self.decision.command
