"""Read the header of serialised messages, and follow the frames that they state."""

from struct import Struct, error

from liquid_control.bags.decoding.stamps import ENCAPSULATION, is_little
from liquid_control.bags.losses import Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics.sources import Source
from liquid_control.bags.topics.stated_frames import follow, world_of
from liquid_control.bags.topics.topic_rules import Role
from liquid_control.errors import ObservationError
from liquid_control.message_types import IMU, TWIST_STAMPED

LENGTH_AT = ENCAPSULATION + 8
NAME_AT = LENGTH_AT + 4
MAX_NAME = 255
_LENGTH = {True: Struct("<I"), False: Struct(">I")}


def frame_id_of(data: bytes) -> str:
    """Return the frame in the header of a message; empty if it has none or is damaged."""
    try:
        (length,) = _LENGTH[is_little(data)].unpack_from(data, LENGTH_AT)
    except error:
        return ""
    if not 0 < length <= MAX_NAME:
        return ""
    return data[NAME_AT : NAME_AT + length].rstrip(b"\0").decode("utf-8", "replace")


class StatedSource:
    """A source as its messages state it; each message can state another frame.

    Args:
        role: role of the source.
        source: the source by the rules.
        losses: receives warnings.
    """

    def __init__(self, role: Role, source: Source, losses: Losses) -> None:
        self._role, self._losses = role, losses
        self._ruled = source
        self._source: Source | None = source
        self._problem = ""
        self._head = b""
        self._end = NAME_AT
        self.compares = source.type in (IMU, TWIST_STAMPED)

    def of(self, data: bytes) -> Source:
        """Return the source for a message.

        Raises:
            BagError: the message is not plain CDR.
            ObservationError: messages in the frame of this one cannot be converted.
        """
        if self.compares:
            head = data[LENGTH_AT : self._end]
            if head != self._head:
                self._compare(data)
        if self._source is None:
            raise ObservationError(self._problem)
        return self._source

    def _compare(self, data: bytes) -> None:
        name = frame_id_of(data)
        self._source, self._problem = follow(self._role, self._ruled, name)
        if self._problem and self._source is not None:
            self._losses.warn(self._problem)
        size = int.from_bytes(data[LENGTH_AT:NAME_AT], "little" if is_little(data) else "big")
        self._end = NAME_AT + min(size, MAX_NAME)
        self._head = data[LENGTH_AT : self._end]


class StatedWorlds:
    """Compares the world frames of commands and attitudes.

    A velocity of one world is converted with an attitude in another only if the two have the same
    axes, which no message states.

    Args:
        losses: receives a warning.
    """

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._stated: dict[Role, str] = {}

    def add(self, role: Role, message: RawMessage) -> None:
        """Add the frame of a command or of an attitude; only the first of each is compared."""
        if role in self._stated:
            return
        self._stated[role] = world_of(frame_id_of(message.data))
        if len(self._stated) == 2 and all(self._stated.values()):
            command, odometry = self._stated[Role.COMMAND], self._stated[Role.ODOMETRY]
            if command != odometry:
                self._losses.warn(
                    f"commands in the frame {command} are converted with attitudes in "
                    f"{odometry}, as if the two were one"
                )
