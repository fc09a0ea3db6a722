"""A policy as a pilot: what flies it in process."""

from liquid_control.interfaces import World
from liquid_control.policy.policy import Array, Decision, Policy
from liquid_control.policy.session import FrameClock
from liquid_control.types import Command, Observation, VehicleState


class PolicyPilot:
    """Flies a policy, one flight at a time; a pilot remembers, so the policy need not.

    Attributes:
        name: the model's.
        policy: what answers.
        features: what the last answer was given to, float32 [F]; None before the first.
        decision: the last answer, for those who watch neurons; None before the first.
    """

    def __init__(self, policy: Policy) -> None:
        settings = policy.model.settings
        self.name = policy.model.name
        self.policy = policy
        self.features: Array | None = None
        self.decision: Decision | None = None
        self._clock = FrameClock(settings.nominal_dt_s, settings.max_gap_s)
        self._state = policy.init_state()
        self._stamp_ns: int | None = None

    def start(self, world: World) -> None:
        """Forget the flight before, and check that the world's camera is the model's.

        Raises:
            ModelError: it is not.
        """
        camera = world.scenario.camera
        self.policy.check_camera(
            camera.width,
            camera.height,
            camera.horizontal_fov_deg,
            pitch_down_deg=camera.pitch_down_deg,
        )
        self.features = self.decision = None
        self._state = self.policy.init_state()
        self._stamp_ns = None

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Answer one frame; the truth is not looked at."""
        elapsed = self._clock.elapsed(observation.stamp_ns, self._stamp_ns)
        state = self.policy.init_state() if elapsed.fresh else self._state
        self.features = self.policy.features(observation)
        self.decision = self.policy.act(self.features, state, elapsed.dt_s)
        self._state, self._stamp_ns = self.decision.state, elapsed.stamp_ns
        return self.decision.command
