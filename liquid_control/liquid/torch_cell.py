"""The torch twin of the wired CfC that flies, for training, made from weights or fresh.

The cell itself is `liquid_control.liquid.cores.wired_cfc`; `liquid_control.liquid.reference`
specifies it.
"""

from liquid_control.liquid.cores.wired_cfc import WiredCfC
from liquid_control.liquid.masks import Masking
from liquid_control.liquid.weights import CfCWeights
from liquid_control.liquid.wiring import Wiring


class TorchCfC(WiredCfC):
    """A wired closed-form continuous-time cell with gradients, from stored weights."""

    def __init__(self, weights: CfCWeights) -> None:
        super().__init__(
            weights.wiring,
            mode=weights.mode,
            masking=weights.masking,
            time_unit_s=weights.time_unit_s,
        )
        self.load_weights(weights)

    @classmethod
    def fresh(
        cls,
        wiring: Wiring,
        *,
        seed: int,
        masking: Masking = Masking.SYNAPSES,
        time_unit_s: float = 0.05,
    ) -> "TorchCfC":
        """Return a cell with weights to start training from, as `random_weights` draws them."""
        cell = WiredCfC(wiring, masking=masking, time_unit_s=time_unit_s, seed=seed)
        return cls(cell.weights())
