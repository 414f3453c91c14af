"""Stable Video Diffusion as diffusers saves it."""

from pathlib import Path

from vidrt_engines.svd_settings import KarrasSettings
from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import component_tensors, read_config, read_json_object
from vidrt_reference.svd.image_encoder import ImageEncoderParams
from vidrt_reference.svd.unet_params import UNetParams
from vidrt_reference.svd.vae_params import VaeParams
from vidrt_reference.svd.vae_tensors import split_vae

from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.svd import Found, svd_checkpoint

# What the pipeline's scheduler must be; other forms give other noise levels.
_SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler",
    "prediction_type": "v_prediction",
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "use_karras_sigmas": True,
}


def read_svd_folder(folder: Path) -> Checkpoint:
    """Looks at a folder: configurations, headers, every key; no weight.

    Raises:
        CheckpointError: what is missing, damaged, of the wrong shape or not supported.
    """
    unet = UNetParams.from_config(read_config(folder / "unet", class_name="UNetSpatioTemporalConditionModel"))
    vae = VaeParams.from_config(read_config(folder / "vae", class_name="AutoencoderKLTemporalDecoder"))
    image_encoder = ImageEncoderParams.from_config(read_config(folder / "image_encoder"))
    mean, std = _normalisation(folder / "feature_extractor" / "preprocessor_config.json")
    return svd_checkpoint(
        Found(
            unet=unet,
            unet_tensors=component_tensors(folder / "unet"),
            vae=vae,
            vae_tensors=split_vae(component_tensors(folder / "vae")),
            image_encoder=image_encoder,
            image_encoder_tensors=component_tensors(folder / "image_encoder"),
            image_mean=mean,
            image_std=std,
            scheduler=_scheduler(folder / "scheduler" / "scheduler_config.json"),
        )
    )


def _normalisation(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    values = read_json_object(path)
    found = []
    for key in ("image_mean", "image_std"):
        numbers = values.get(key)
        if not isinstance(numbers, list) or len(numbers) != 3 or not all(isinstance(n, (int, float)) for n in numbers):  # noqa: PLR2004 - red, green, blue
            raise CheckpointError(f"{path} should have three numbers as {key}, not {numbers!r}.")
        found.append(tuple(float(number) for number in numbers))
    mean, std = found
    if min(std) <= 0:
        raise CheckpointError(f"{path} should have an image_std above 0 for each channel, not {list(std)}.")
    return mean, std


def _scheduler(path: Path) -> KarrasSettings:
    config = Config(what="scheduler", values=read_json_object(path))
    for key, wanted in _SCHEDULER.items():
        config.require(key, wanted, default=None)
    low, high = config.number("sigma_min", 0.0), config.number("sigma_max", 0.0)
    if not 0 < low < high:
        raise CheckpointError(f"{path} should have 0 < sigma_min < sigma_max, not {low:g} and {high:g}.")
    return KarrasSettings(sigma_min=low, sigma_max=high)
