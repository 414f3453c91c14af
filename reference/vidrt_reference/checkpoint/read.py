"""The values of stored tensors: mapped from their files, or made from what is mapped."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidrt_reference.checkpoint.errors import CheckpointError

if TYPE_CHECKING:
    from vidrt_reference.checkpoint.stored import StoredTensor

TORCH_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_tensor(stored: StoredTensor) -> Tensor:
    """Read one tensor in the dtype it is stored in; its bytes stay mapped from the file where they can.

    Raises:
        CheckpointError: the file has shrunk since its header was read, or the dtype is none of PyTorch's.
    """
    if stored.recipe is not None:
        return stored.recipe.make()
    if stored.dtype not in TORCH_TYPES:
        raise CheckpointError(f"Expected a dtype that PyTorch has for {stored.name}, but it is {stored.dtype}.")
    dtype = TORCH_TYPES[stored.dtype]
    if not stored.nbytes:
        return torch.empty(stored.shape, dtype=dtype)
    start = stored.offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    begin = stored.offset - start
    try:
        with stored.path.open("rb") as file:
            # private: a tensor's memory must be writable, and nothing is ever written back
            pages = mmap.mmap(file.fileno(), begin + stored.nbytes, access=mmap.ACCESS_COPY, offset=start)
    except ValueError as error:
        raise CheckpointError(
            f"{stored.path} ended while {stored.name} was read: it has been changed meanwhile."
        ) from error
    flat = torch.frombuffer(pages, dtype=torch.uint8, count=stored.nbytes, offset=begin)
    if stored.offset % dtype.itemsize:
        flat = flat.clone()  # kernels want values on their own boundaries
    return flat.view(dtype).reshape(stored.shape)
