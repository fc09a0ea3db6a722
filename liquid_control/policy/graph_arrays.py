"""Arrays that an ONNX graph holds, read without the package `onnx`.

The fields are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from liquid_control.errors import ModelError

_Field = descriptor_pb2.FieldDescriptorProto
_FIELDS = {
    "Model": [("graph", 7, _Field.LABEL_OPTIONAL, "Graph")],
    "Graph": [("initializer", 5, _Field.LABEL_REPEATED, "Tensor")],
    "Tensor": [
        ("dims", 1, _Field.LABEL_REPEATED, _Field.TYPE_INT64),
        ("data_type", 2, _Field.LABEL_OPTIONAL, _Field.TYPE_INT32),
        ("name", 8, _Field.LABEL_OPTIONAL, _Field.TYPE_STRING),
        ("raw_data", 9, _Field.LABEL_OPTIONAL, _Field.TYPE_BYTES),
    ],
}
"""Name, number, label and type of the fields by message; a parser skips those that it lacks."""
_FLOAT = 1
"""`TensorProto.FLOAT`."""


def _model_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="graph_arrays.proto", syntax="proto2")
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for name, number, label, kind in fields:
            field = described.field.add(name=name, number=number, label=label)
            if isinstance(kind, str):
                field.type, field.type_name = _Field.TYPE_MESSAGE, kind
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Model"))


_MODEL = _model_class()


def graph_arrays(graph: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the constants float32 of a serialised ONNX graph by name.

    Args:
        graph: as `liquid_control.export` writes it: every constant is raw data.

    Raises:
        ModelError: it is not a graph, or a constant does not have the size of its shape.
    """
    try:
        constants = _MODEL.FromString(graph).graph.initializer
        return {
            one.name: np.frombuffer(one.raw_data, "<f4").reshape(tuple(one.dims)).copy()
            for one in constants
            if one.data_type == _FLOAT
        }
    except (DecodeError, ValueError) as error:
        raise ModelError(f"expected an ONNX graph with its weights ({error})") from error
