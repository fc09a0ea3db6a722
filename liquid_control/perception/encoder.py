"""Run the perception network in ONNX Runtime on one thread, with equal bits in every process."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ModelError, ObservationError
from liquid_control.onnx_runtime import cpu_session

INPUT = "pictures"
MOUNT = "mount"
OUTPUT = "features"


class Encoder:
    """Computes features of standardised pictures.

    Attributes:
        height: picture rows.
        width: picture columns.
        features: number of outputs.
        mounted: whether the graph takes the camera's mount.
    """

    def __init__(self, graph: bytes) -> None:
        """Create a session for a serialised ONNX graph.

        Raises:
            ModelError: the bytes are not an ONNX graph, or inputs or outputs differ from those of
                `export`.
        """
        try:
            self._session = cpu_session(graph, deterministic=True)
        except Exception as error:
            raise ModelError(
                f"expected an ONNX graph, got one that does not load ({_first_line(error)})"
            ) from error
        shapes = (
            self._shapes(self._session.get_inputs()),
            self._shapes(self._session.get_outputs()),
        )
        fits = (
            list(shapes[0]) in ([INPUT], [INPUT, MOUNT])
            and list(shapes[1]) == [OUTPUT]
            and shapes[0][INPUT][1] == 3
            and len(shapes[0][INPUT]) == 4
            and len(shapes[1][OUTPUT]) == 2
        )
        if not fits:
            raise ModelError(
                f"expected a graph from {INPUT} [B, 3, H, W] to {OUTPUT} [B, F], got {shapes}"
            )
        self.mounted = MOUNT in shapes[0]
        self.height, self.width = shapes[0][INPUT][2:]
        self.features = shapes[1][OUTPUT][1]

    def encode(
        self, picture: NDArray[np.float32], mount: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return features, float32 [F].

        Args:
            picture: standardised, float32 [3, H, W].
            mount: pitch and field of view of the camera, scaled, float32 [2]; needed if
                `mounted`.

        Raises:
            ObservationError: the picture has another shape or type, or the mount is missing.
        """
        if picture.shape != (3, self.height, self.width) or picture.dtype != np.float32:
            raise ObservationError(
                f"expected a picture float32 {(3, self.height, self.width)}, "
                f"got {picture.dtype} {picture.shape}"
            )
        inputs = {INPUT: picture[np.newaxis]}
        if self.mounted:
            if mount is None:
                raise ObservationError("expected the camera's mount, got none")
            inputs[MOUNT] = mount[np.newaxis]
        (features,) = self._session.run([OUTPUT], inputs)
        return np.asarray(features[0], dtype=np.float32)

    @staticmethod
    def _shapes(arguments: list[Any]) -> dict[str, list[Any]]:
        return {argument.name: list(argument.shape) for argument in arguments}


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
