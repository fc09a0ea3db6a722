"""VisualBackProp: which pixels the convolutions of the perception network responded to.

M. Bojarski et al., VisualBackProp: efficient visualization of CNNs (arXiv 1611.05418). The maps
of each convolution, after ReLU, are averaged over their channels. From the last layer to the
first, the mask is enlarged by a transposed convolution with ones, of the layer's kernel, stride
and padding, and multiplied by the average of the layer below. The result of the first layer is
enlarged to the picture. The method shows what excites the whole network; it does not distinguish
outputs.

The convolutions are computed in NumPy, so that neither PyTorch nor another graph is needed; they
agree with the ONNX graph within float32 rounding.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from liquid_control.perception.network_spec import Convolution, PerceptionSpec

Array = NDArray[np.float32]


def convolution_maps(
    spec: PerceptionSpec, arrays: Mapping[str, Array], picture: Array
) -> list[Array]:
    """Return the maps of every convolution after ReLU, float32 [C, h, w] each.

    Args:
        spec: layers and sizes.
        arrays: weights, named and shaped as `spec.array_shapes()`.
        picture: standardised, float32 [3, H, W].
    """
    maps, value = [], picture
    for index, layer in enumerate(spec.convolutions):
        weight = arrays[f"perception.conv{index}.weight"]
        bias = arrays[f"perception.conv{index}.bias"]
        value = np.maximum(_convolved(value, weight, layer) + bias[:, None, None], 0.0)
        maps.append(value)
    return maps


def encoded(
    spec: PerceptionSpec,
    arrays: Mapping[str, Array],
    picture: Array,
    mount: Array | None = None,
) -> Array:
    """Return the features of a picture as the ONNX graph computes them, float32 [F].

    Args:
        spec: layers and sizes.
        arrays: weights, as for `convolution_maps`.
        picture: standardised, float32 [3, H, W].
        mount: float32 [2]; needed if `spec.mount`.
    """
    flat = convolution_maps(spec, arrays, picture)[-1].ravel()
    if spec.mount and mount is not None:
        flat = np.concatenate([flat, mount])
    for name in ("hidden", "linear") if spec.hidden else ("linear",):
        weight, bias = (arrays[f"perception.{name}.{part}"] for part in ("weight", "bias"))
        flat = weight @ flat + bias
        if name == "hidden":
            flat = np.maximum(flat, 0.0)
    features: Array = np.tanh(flat)
    return features


def visual_backprop(spec: PerceptionSpec, arrays: Mapping[str, Array], picture: Array) -> Array:
    """Return the VisualBackProp mask of a picture, float32 [H, W] in [0, 1].

    The largest value is 1, unless no map of the last layer is above zero: then all are 0.

    Args:
        spec: layers and sizes.
        arrays: weights, as for `convolution_maps`.
        picture: standardised, float32 [3, H, W].
    """
    return backprojected(spec.convolutions, convolution_maps(spec, arrays, picture), picture.shape)


def backprojected(
    layers: Sequence[Convolution], maps: Sequence[Array], shape: tuple[int, ...]
) -> Array:
    """Return the mask from the maps of all convolutions.

    Args:
        layers: of the network.
        maps: of each layer, float32 [C, h, w].
        shape: of the picture, [3, H, W].
    """
    averages = [layer_maps.mean(axis=0) for layer_maps in maps]
    sizes = [shape[1:], *(average.shape for average in averages)]
    mask = averages[-1]
    for index in range(len(layers) - 1, -1, -1):
        mask = _enlarged(mask, layers[index], sizes[index])
        if index:
            # Without the scale, products of small averages leave the range of float32.
            mask = averages[index - 1] * (mask / max(float(mask.max()), 1e-30))
    peak = float(mask.max())
    return mask / np.float32(peak) if peak > 0.0 else np.zeros_like(mask)


def _convolved(value: Array, weight: Array, layer: Convolution) -> Array:
    """Return a convolution without bias, float32 [C, h, w]."""
    edge = layer.padding
    padded = np.pad(value, ((0, 0), (edge, edge), (edge, edge)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (layer.kernel,) * 2, axis=(1, 2))
    windows = windows[:, :: layer.stride, :: layer.stride]
    rows, columns = windows.shape[1:3]
    flat = windows.transpose(0, 3, 4, 1, 2).reshape(weight[0].size, rows * columns)
    product: Array = weight.reshape(len(weight), -1) @ flat
    return product.reshape(len(weight), rows, columns)


def _enlarged(mask: Array, layer: Convolution, size: tuple[int, ...]) -> Array:
    """Return the transposed convolution with ones of a mask, float32 of `size`."""
    edge, stride = layer.padding, layer.stride
    rows, columns = mask.shape
    canvas = np.zeros((size[0] + 2 * edge, size[1] + 2 * edge), np.float32)
    for row in range(layer.kernel):
        for column in range(layer.kernel):
            canvas[
                row : row + stride * rows : stride, column : column + stride * columns : stride
            ] += mask
    return canvas[edge : edge + size[0], edge : edge + size[1]]
