"""The only module that imports ONNX Runtime: telemetry off, sessions on one thread.

ONNX Runtime 1.31 for Linux starts its telemetry when it is imported: it writes an id to
`~/.cache/Microsoft/DeveloperTools/.onnxruntime` and after about ten seconds looks up
`mobile.events.data.microsoft.com`. `onnxruntime.disable_telemetry_events()` comes too late.
The environment variable `ORT_DISABLE_TELEMETRY=1`, set before the import, prevents both.
`liquid_control` sets it when it is imported, and this module sets it again.
"""

import os
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime


def cpu_session(graph: bytes, deterministic: bool = False) -> Any:
    """Return an `InferenceSession` of a serialised graph, on one thread of the CPU.

    Args:
        graph: the ONNX graph.
        deterministic: select kernels whose results do not depend on the schedule.

    Raises:
        Exception: the bytes are not an ONNX graph; the type depends on the damage.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if deterministic:
        options.use_deterministic_compute = True
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def quantisation() -> Any:
    """Return `onnxruntime.quantization`, which needs the package `onnx`."""
    from onnxruntime import quantization

    return quantization
