"""LTX-Video as it was published first: one file with the transformer and the VAE, and mostly their configuration."""

from collections.abc import Mapping
from pathlib import Path

from vidrt_engines.settings import SchedulerSettings
from vidrt_engines.versions import RopeTime, version_named
from vidrt_reference.checkpoint.stored import StoredTensor, read_metadata
from vidrt_reference.ltx_video.original.config import told
from vidrt_reference.ltx_video.original.file import original_file

from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.known import Known
from vidrt_export.sources.ltx import Found, ltx_checkpoint
from vidrt_export.sources.official_scheduler import official_scheduler
from vidrt_export.sources.text_encoder import read_text_encoder, tokenizer_of
from vidrt_export.sources.version import official_version, told_versions

# diffusers' pipelines whose rotary embeddings have a version's time.
_PIPELINES = {RopeTime.PLAIN: "LTXPipeline", RopeTime.CAUSAL: "LTXConditionPipeline"}


def read_ltx_file(path: Path, stored: Mapping[str, StoredTensor], known: Known) -> Checkpoint:
    """Looks at a file's metadata, names and shapes; no weight but the latents' statistics.

    The text encoder and the tokenizer are those of the file's folder, unless others are asked for.

    Args:
        path: the file, whose name tells the version where nothing else does.
        stored: all that it holds.
        known: what the caller says of it.

    Raises:
        CheckpointError: what is missing, damaged, of the wrong shape or not supported.
    """
    said = told(read_metadata(path), where=path)
    original = original_file(stored, said)
    name = known.title or path.stem.lower()
    versions = told_versions(original.vae, original.transformer.num_layers, said, name)
    version = version_named(official_version(known.version, versions))
    own = None if said.scheduler is None else official_scheduler(said.scheduler)
    schedule = version.schedule
    return ltx_checkpoint(
        Found(
            model_version=version.name,
            versions=versions,
            pipeline_class=_PIPELINES[version.rope_time],
            scheduler=own or SchedulerSettings(shift=schedule.shift, terminal=schedule.terminal),
            transformer=original.transformer,
            transformer_tensors=original.transformer_tensors,
            vae=original.vae,
            vae_tensors=original.vae_tensors,
            text_encoder=read_text_encoder(path.parent, known.t5),
            tokenizer=tokenizer_of(path.parent, known.t5),
            notes=original.notes,
        )
    )
