"""What messages are made of, as a bag must tell it so that anybody can read it later."""

from functools import lru_cache

from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from liquid_control.errors import OutputError


@lru_cache(maxsize=1)
def types() -> Typestore:
    """Return the types of a ROS 2 distribution's common interfaces."""
    return get_typestore(Stores.ROS2_JAZZY)


def is_common(kind: str) -> bool:
    """Return whether a type is one of the common interfaces."""
    return kind in types().fielddefs


def definition_of(kind: str) -> str:
    """Return a type's definition with those of all its parts, in the format `ros2msg`.

    Raises:
        OutputError: it is none of the common interfaces.
    """
    try:
        return types().generate_msgdef(kind, ros_version=2)[0]
    except (KeyError, TypesysError) as error:
        raise OutputError(
            f"{kind}: is none of ROS 2's common interfaces; give its definition with it"
        ) from error


def type_hash(kind: str, definition: str) -> str:
    """Return the hash by which ROS 2 knows a type, `RIHS01_...`.

    Raises:
        OutputError: the definition is not one.
    """
    store = types()
    if is_common(kind):
        return store.hash_rihs01(kind)
    store = get_typestore(Stores.EMPTY)
    try:
        store.register(get_types_from_msg(definition, kind))
        return store.hash_rihs01(kind)
    except (KeyError, TypesysError) as error:
        raise OutputError(f"{kind}: its definition cannot be read ({error})") from error
