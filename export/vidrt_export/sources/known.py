"""What is known of a checkpoint besides its files: what the caller says, and where it was found."""

from dataclasses import dataclass, field

from vidrt_engines.names import Family

from vidrt_export.sources.text_encoder import T5Choice


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a caller says of a checkpoint; None where the files shall tell.

    Attributes:
        family: the family of models.
        version: the version of LTX-Video.
        num_frames: the frames that Stable Video Diffusion was trained on, for a file whose name does not say it.
        title: what tells the version where the path's own name does not.
        t5: which text encoder is asked for.
    """

    family: Family | None = None
    version: str | None = None
    num_frames: int | None = None
    title: str | None = None
    t5: T5Choice = field(default_factory=T5Choice)
