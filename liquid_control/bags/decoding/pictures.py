"""Decode the pictures of a camera's topic; compressed ones ahead of time, in other threads.

OpenCV releases Python's lock while it decodes, so that reading and the policy run meanwhile. The
messages keep their order, and a picture that cannot be decoded raises where it is used: events and
losses do not depend on the threads.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from liquid_control.bags.decoding import sensors
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics import Source
from liquid_control.message_types import COMPRESSED_IMAGE, IMAGE
from liquid_control.perception.decoding import DecodedPicture, decode_file, decode_picture
from liquid_control.types import Pixels

AHEAD_PICTURES = 16
AHEAD_BYTES = 32 << 20
"""Limit for the pixels of pictures decoded ahead; a larger picture is decoded when it is used."""
AHEAD_MESSAGES = 8192
"""Limit for the messages read ahead: there may be few pictures among many samples."""
WORKERS = 2


class PictureReader:
    """Decodes the pictures of a flight.

    Args:
        camera: source of the pictures; None if there is none.
        losses: counts pictures with bytes after their end.
    """

    def __init__(self, camera: Source | None, losses: Losses) -> None:
        self._camera = camera
        self._losses = losses
        self._ahead = 0
        self._decoded: deque[tuple[RawMessage, Future[DecodedPicture]]] = deque()

    def ahead(self, messages: Iterable[RawMessage]) -> Iterator[RawMessage]:
        """Yield the messages in order, and decode the next compressed pictures meanwhile.

        The same number of messages is read ahead with and without threads: what is counted, and
        in which order, does not depend on the machine.
        """
        camera = self._camera
        if camera is None or camera.type != COMPRESSED_IMAGE:
            yield from messages
            return
        workers = min(WORKERS, len(os.sched_getaffinity(0)))
        pool = ThreadPoolExecutor(workers, "pictures") if workers > 1 else None
        waiting: deque[RawMessage] = deque()
        pictures = 0
        try:
            for message in messages:
                waiting.append(message)
                if message.topic == camera.topic and message.type == COMPRESSED_IMAGE:
                    pictures += 1
                    if pool is not None:
                        decoded = pool.submit(_decode, message.data, camera.encoding)
                        self._decoded.append((message, decoded))
                while pictures > self._ahead or len(waiting) > AHEAD_MESSAGES:
                    oldest = waiting.popleft()
                    pictures -= oldest.topic == camera.topic and oldest.type == COMPRESSED_IMAGE
                    yield oldest
            yield from waiting
        finally:
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)

    def read(self, message: RawMessage, source: Source) -> Pixels:
        """Return the picture of a message, uint8 [H, W, 3], RGB.

        Raises:
            BagError: the bytes do not fit the type.
            ObservationError: the picture cannot be decoded.
        """
        if source.type == IMAGE:
            raw = sensors.image_of(message.data)
            layout = raw.height, raw.width, raw.step, bool(raw.is_bigendian)
            return decode_picture(raw.encoding, raw.data, *layout, read_as=source.encoding)
        pixels, surplus = self._result(message, source)
        self._ahead = min(AHEAD_PICTURES, AHEAD_BYTES // max(1, pixels.nbytes))
        if surplus:
            self._losses.count(
                Loss.SURPLUS_BYTES, f"{message.topic}: {surplus} bytes after the end of a picture"
            )
        return pixels

    def _result(self, message: RawMessage, source: Source) -> DecodedPicture:
        while self._decoded:
            decoded_message, decoded = self._decoded.popleft()
            if decoded_message is message:
                return decoded.result()
        return _decode(message.data, source.encoding)


def _decode(data: bytes, encoding: str | None) -> DecodedPicture:
    image_format, file = sensors.compressed_image_of(data)
    return decode_file(image_format, file, encoding)
