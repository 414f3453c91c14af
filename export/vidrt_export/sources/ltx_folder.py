"""LTX-Video as diffusers saves it: a folder for each component and model_index.json at the top."""

from pathlib import Path

from vidrt_reference.checkpoint.eight_bits import in_sixteen_bits
from vidrt_reference.checkpoint.folder import component_tensors, read_config, read_json_object
from vidrt_reference.checkpoint.vae import split_vae
from vidrt_reference.ltx_video.transformer import TransformerParams
from vidrt_reference.ltx_video.vae_plan import read_vae_params

from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.ltx import Found, ltx_checkpoint
from vidrt_export.sources.model_index import pipeline_class
from vidrt_export.sources.scheduler import scheduler_settings
from vidrt_export.sources.text_encoder import T5Choice, read_text_encoder, tokenizer_of
from vidrt_export.sources.version import chosen_version, fitting_versions


def read_ltx_folder(
    folder: Path, version: str | None = None, *, title: str | None = None, t5: T5Choice | None = None
) -> Checkpoint:
    """Looks at a diffusers folder: configurations, headers, every key; no weights but the latents' statistics.

    Args:
        folder: the one that holds model_index.json.
        version: the version of LTX-Video, where the caller knows it.
        title: what tells the version, by default the folder's name.
        t5: which text encoder is asked for.

    Raises:
        CheckpointError: what is missing, damaged, of the wrong shape or not supported.
    """
    name = pipeline_class(folder)
    transformer = TransformerParams.from_config(
        read_config(folder / "transformer", class_name="LTXVideoTransformer3DModel")
    )
    vae = read_vae_params(read_config(folder / "vae", class_name="AutoencoderKLLTXVideo"))
    versions = fitting_versions(vae, transformer.num_layers, title or folder.resolve().name.lower())
    weights = in_sixteen_bits(component_tensors(folder / "transformer"))
    note = weights.note("transformer")
    return ltx_checkpoint(
        Found(
            model_version=chosen_version(version, versions),
            versions=versions,
            pipeline_class=name,
            scheduler=scheduler_settings(read_json_object(folder / "scheduler" / "scheduler_config.json")),
            transformer=transformer,
            transformer_tensors=weights.tensors,
            vae=vae,
            vae_tensors=split_vae(component_tensors(folder / "vae")),
            text_encoder=read_text_encoder(folder, t5),
            tokenizer=tokenizer_of(folder, t5),
            notes={"transformer": note} if note else {},
        )
    )
