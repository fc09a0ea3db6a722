"""Mode and arming by this program, for simulation only; in flight both are the pilot's."""

from liquid_control.autopilots.interface import AutopilotStatus
from liquid_control.autopilots.mavlink_modes import CUSTOM_MODE_ENABLED, FirmwareProfile
from liquid_control.autopilots.mavlink_requests import ARM_DISARM, SET_MODE, CommandRequest
from liquid_control.types import NANOSECONDS

STREAM_FIRST_NS = NANOSECONDS
"""Set-points stream for so long before the mode is requested: PX4 refuses OFFBOARD without."""
REPEAT_NS = 2 * NANOSECONDS


class SimulatedPilot:
    """Requests the mode that follows set-points, then arming, until both were reached once.

    Afterwards it requests nothing: whoever changes the mode keeps it.
    """

    def __init__(self) -> None:
        self._stream_ns: int | None = None
        self._next_ns = 0
        self._done = False

    def request(
        self, state: AutopilotStatus, profile: FirmwareProfile, streams: bool, now_ns: int
    ) -> CommandRequest | None:
        """Return the request to send now, if any.

        Args:
            state: of the autopilot.
            profile: facts about its firmware.
            streams: whether set-points are sent at present.
            now_ns: present time.
        """
        if not streams:
            self._stream_ns = None
            return None
        if self._stream_ns is None:
            self._stream_ns = now_ns
        self._done = self._done or (state.obeys and state.armed)
        early = now_ns - self._stream_ns < STREAM_FIRST_NS
        if self._done or early or now_ns < self._next_ns:
            return None
        self._next_ns = now_ns + REPEAT_NS
        if not state.obeys:
            mode = (float(CUSTOM_MODE_ENABLED), float(profile.custom_mode))
            return CommandRequest(SET_MODE, mode, f"mode {profile.mode}")
        return CommandRequest(ARM_DISARM, (1.0,), "arming")
