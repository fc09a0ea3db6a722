"""The stamp of a message without decoding it: the first field of most is a `std_msgs/Header`."""

from struct import Struct

from liquid_control.errors import BagError
from liquid_control.types import NANOSECONDS

LITTLE = Struct("<iI")
BIG = Struct(">iI")
STAMP_END = 12


def header_stamp_ns(data: bytes) -> int:
    """Return the stamp of a serialised message that begins with a header, ns.

    CDR has four bytes of encapsulation (the second says the byte order), then the stamp as int32
    seconds and uint32 nanoseconds.

    Args:
        data: the message as it lies in the bag, encapsulation included.

    Raises:
        BagError: it is too short, or not plain CDR.
    """
    if len(data) < STAMP_END or data[0] != 0 or data[1] > 1:
        raise BagError(
            f"expected CDR of at least {STAMP_END} bytes with a header's stamp, "
            f"got {len(data)} bytes that begin with {data[:4].hex() or 'nothing'}"
        )
    seconds, nanoseconds = (LITTLE if data[1] else BIG).unpack_from(data, 4)
    return int(seconds) * NANOSECONDS + int(nanoseconds)
