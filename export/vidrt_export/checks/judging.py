"""Whether what a lower precision gives can be trusted."""

import torch
from torch import Tensor
from vidrt_engines.names import Precision
from vidrt_reference.checkpoint.errors import CheckpointError

# bf16 holds what fp16 cannot, and fp16 is finer
OTHERS = {Precision.FP16: Precision.BF16, Precision.BF16: Precision.FP16, Precision.FP32: Precision.FP32}


def judge(found: Tensor, wanted: Tensor, bound: float, what: str, where: str, *, other: Precision) -> float:
    """The relative L2 between two results; `other` is the half precision that may do better.

    Raises:
        CheckpointError: it is beyond the bound, or there are values that are not finite, or all are the same.
    """
    wider = cure(other)
    require_reference(wanted, what, where)
    if not bool(torch.isfinite(found).all()):
        share = 1 - float(torch.isfinite(found).double().mean())
        raise CheckpointError(f"{what} overflows at {where} ({share:.0%} of its values are not finite): {wider}.")
    if float(found.std()) == 0 < float(wanted.std()):
        raise CheckpointError(f"{what} gives one and the same value everywhere at {where}: {wider}.")
    error = float((found.double() - wanted.double()).norm() / wanted.double().norm())
    if error > bound:
        raise CheckpointError(
            f"{what} is {error:.1e} from fp32 at {where}, and {bound:.0e} is allowed: "
            f"{wider}, or allow more with --tolerance."
        )
    return error


def cure(other: Precision) -> str:
    """What to do instead; `other` is the half precision that may do better, or fp32 where there is none wider."""
    return "build it with " + ("--backend onnxruntime" if other is Precision.FP32 else f"--precision {other} or fp32")


def require_reference(wanted: Tensor, what: str, where: str) -> None:
    """Refuses a result in fp32 that nothing can be compared with.

    Raises:
        CheckpointError: it has values that are not finite, or nothing but zeros.
    """
    useless = None if bool(wanted.any()) else "nothing but zeros"
    if not bool(torch.isfinite(wanted).all()):
        useless = "values that are not finite"
    if useless:
        raise CheckpointError(f"{what} cannot be checked: fp32 itself gives {useless} at {where}.")
