"""The block lists by which the official code describes a VAE, and the stages that they come to.

Source: `Encoder` and `Decoder` of `causal_video_autoencoder.py` in Lightricks' LTX-Video.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.ltx_video.original.config import METADATA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Kind(StrEnum):
    """The kinds of blocks that published VAEs are made of."""

    RESNETS = "res_x"
    WIDENING = "res_x_y"
    ALL = "compress_all"
    SPACE_BOXES = "compress_space_res"
    TIME_BOXES = "compress_time_res"
    ALL_BOXES = "compress_all_res"


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of a list.

    Attributes:
        layers: of ResNets.
        multiplier: by how much the width changes.
        inject_noise: whether its ResNets do; the decoder's alone.
        residual: whether its upsampler adds its input; the decoder's alone.
    """

    kind: Kind
    layers: int = 1
    multiplier: int = 1
    inject_noise: bool = False
    residual: bool = False


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A block of ResNets with what changes size and width beside it, each with its number in the list as it runs."""

    number: int
    resnets: Block
    compress: tuple[int, Block] | None = None
    widen: tuple[int, Block] | None = None


@dataclass(frozen=True, kw_only=True)
class Half:
    """One half of a VAE: its middle, and its stages in the order in which they run."""

    middle: Stage
    stages: tuple[Stage, ...]


def read_blocks(values: Sequence[object], *, half: str) -> tuple[Block, ...]:
    """Read a list of pairs of a kind and its options, or of a kind and a number of layers.

    Raises:
        CheckpointError: an entry is of another form, or a block of a kind that is not implemented.
    """
    return tuple(_read(entry, half) for entry in values)


def encoder_half(blocks: Sequence[Block]) -> Half:
    """The stages of an encoder: ResNets, then what compresses, then what widens; the middle comes last.

    Raises:
        CheckpointError: the list cannot be told apart so.
    """
    stages: list[Stage] = []
    for number, block in enumerate(blocks):
        if block.kind is Kind.RESNETS:
            stages.append(Stage(number=number, resnets=block))
            continue
        last = stages[-1] if stages else None
        if last is None or last.widen or (last.compress and block.kind is not Kind.WIDENING):
            raise _misplaced("encoder", number, block)
        stages[-1] = _with(last, number, block)
    if len(stages) < 2 or stages[-1].compress or stages[-1].widen:  # noqa: PLR2004 - one stage and the middle
        raise _unfinished("encoder", blocks)
    return Half(middle=stages[-1], stages=tuple(stages[:-1]))


def decoder_half(blocks: Sequence[Block]) -> Half:
    """The stages of a decoder, given as it runs: the middle, then of each what narrows, what enlarges, and ResNets.

    Raises:
        CheckpointError: the list cannot be told apart so.
    """
    stages: list[Stage] = []
    pending = Stage(number=0, resnets=Block(kind=Kind.RESNETS))
    for number, block in enumerate(blocks):
        if block.kind is Kind.RESNETS:
            stages.append(Stage(number=number, resnets=block, compress=pending.compress, widen=pending.widen))
            pending = Stage(number=0, resnets=block)
            continue
        if not stages or block.kind not in {Kind.WIDENING, Kind.ALL} or pending.compress:
            raise _misplaced("decoder", number, block)
        pending = _with(pending, number, block)
    if len(stages) < 2 or pending.compress or pending.widen:  # noqa: PLR2004 - the middle and one stage
        raise _unfinished("decoder", blocks)
    return Half(middle=stages[0], stages=tuple(stages[1:]))


def _with(stage: Stage, number: int, block: Block) -> Stage:
    is_widening = block.kind is Kind.WIDENING
    return Stage(
        number=stage.number,
        resnets=stage.resnets,
        compress=stage.compress if is_widening else (number, block),
        widen=(number, block) if is_widening else stage.widen,
    )


def _read(entry: object, half: str) -> Block:
    match entry:
        case [str(name), dict(options)]:
            pass
        case [str(name), int(layers)]:
            options = {"num_layers": layers}
        case _:
            raise CheckpointError(
                f"Expected pairs of a block's kind and its options for the VAE's {half}, but there is {entry!r}: "
                f"use the file as it was published."
            )
    if name not in list(Kind):
        raise CheckpointError(
            f"Expected the VAE's {half} to be made of {', '.join(Kind)}, but it has a block {name!r}: "
            f"use a file of a supported version."
        )
    return _block(Kind(name), options, half)


def _block(kind: Kind, options: Mapping[str, object], half: str) -> Block:
    config = Config(what=f"VAE's {half}", values=options, where=METADATA)
    doubles = kind is Kind.WIDENING or kind.endswith("_res")
    block = Block(
        kind=kind,
        layers=config.integer("num_layers", 1),
        multiplier=config.integer("multiplier", 2 if doubles else 1),
        inject_noise=config.flag("inject_noise", False),
        residual=config.flag("residual", False),
    )
    if kind is not Kind.RESNETS and block.inject_noise:
        raise CheckpointError(
            f"Expected noise to be injected in blocks of ResNets only, but the VAE's {half} injects it in a {kind}: "
            f"use a file of a supported version."
        )
    return block


def _misplaced(half: str, number: int, block: Block) -> CheckpointError:
    return CheckpointError(
        f"Expected the VAE's {half} to change size and width once beside each block of ResNets, but block {number} is "
        f"another {block.kind}: use a file of a supported version."
    )


def _unfinished(half: str, blocks: Sequence[Block]) -> CheckpointError:
    return CheckpointError(
        f"Expected the VAE's {half} to have stages and a middle of ResNets alone, but its blocks are "
        f"{', '.join(block.kind for block in blocks)}: use a file of a supported version."
    )
