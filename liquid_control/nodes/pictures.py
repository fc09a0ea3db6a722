"""Pictures of messages, whatever their encoding, as a bag's reader would have them."""

from types import SimpleNamespace

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from liquid_control.bags.meaning.pictures import picture_of
from liquid_control.bags.topics import roles
from liquid_control.nodes.conversions import image_from
from liquid_control.types import Pixels

FIELDS: dict[type, tuple[str, tuple[str, ...]]] = {
    Image: (roles.IMAGE, ("encoding", "height", "width", "step", "is_bigendian")),
    CompressedImage: (roles.COMPRESSED_IMAGE, ("format",)),
}


def picture_from(message: Image | CompressedImage) -> Pixels:
    """Return the picture of a message, uint8 [H, W, 3], RGB; `rgb8` without copying.

    Raises:
        ObservationError: the encoding is not known, or the data is no whole picture.
    """
    if isinstance(message, Image) and message.encoding == "rgb8":
        return image_from(message)
    kind, names = FIELDS[type(message)]
    content = {name: getattr(message, name) for name in names}
    data = np.frombuffer(message.data, np.uint8)
    return picture_of(kind, SimpleNamespace(**content, data=data))
