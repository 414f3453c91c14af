"""What an engine for onnxruntime holds of a transformer's weight: channels of a head by halves."""

from torch import Tensor

_ROTATED = ("to_q.weight", "to_q.bias", "to_k.weight", "to_k.bias", "norm_q.weight", "norm_k.weight")


def by_halves(name: str, value: Tensor, heads: int) -> Tensor:
    """Put what makes queries and keys among latents in the engine's order; anything else is as it was."""
    if ".attn1." not in name or not name.endswith(_ROTATED):
        return value
    return value.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)
