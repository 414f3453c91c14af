"""From a bundle's folder to a pipeline."""

from pathlib import Path

from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import Bundle, Engine, bundle_path, read_bundle
from vidrt_engines.names import COMPONENTS, OPTIONAL, Backend, Component, Family
from vidrt_engines.places import DEMO_PREFIX, demo_names, find_bundle
from vidrt_engines.versions import VERSIONS, version_named

from vidrt.components.base import EngineComponent
from vidrt.components.image_encoder import ImageEncoder
from vidrt.components.latent_upsampler import LatentUpsampler
from vidrt.components.svd_vae import SvdVaeDecoder, SvdVaeEncoder
from vidrt.components.text_encoder import TextEncoder
from vidrt.components.transformer import Transformer
from vidrt.components.unet import UNet
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.components.vae_encoder import VaeEncoder
from vidrt.devices import parse_device
from vidrt.errors import DeviceError, RequestError
from vidrt.pipelines.base import Pipeline
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.pipelines.ltx_video.pipeline import LtxVideoPipeline
from vidrt.pipelines.svd.pipeline import SvdPipeline
from vidrt.planning.engines import is_known
from vidrt.planning.limit import check_limit
from vidrt.progress import Progress, SilentProgress
from vidrt.sessions.choice import AUTO, check_backend, choose_engine
from vidrt.sessions.component_engine import ComponentEngine
from vidrt.sessions.resources import Resources
from vidrt.sizes import parse_size
from vidrt.tokenizer import Tokenizer
from vidrt.validity import rebuild

_CLASSES: dict[Family, dict[Component, type[EngineComponent]]] = {
    Family.LTX_VIDEO: {
        Component.TEXT_ENCODER: TextEncoder,
        Component.TRANSFORMER: Transformer,
        Component.VAE_ENCODER: VaeEncoder,
        Component.LATENT_UPSAMPLER: LatentUpsampler,
    },
    Family.SVD: {
        Component.IMAGE_ENCODER: ImageEncoder,
        Component.VAE_ENCODER: SvdVaeEncoder,
        Component.UNET: UNet,
        Component.VAE_DECODER: SvdVaeDecoder,
    },
}


def load_pipeline(
    bundle: str | Path,
    *,
    device: str = AUTO,
    backend: str = AUTO,
    keep_loaded: bool = False,
    memory_limit: int | str | None = None,
    cache_prompts: bool = False,
    decoding: DecodeOptions | None = None,
    progress: Progress | None = None,
) -> Pipeline:
    """Opens a bundle; no weights are read until a phase needs them.

    Args:
        bundle: its folder, or `demo:NAME` for an embedded one.
        device: auto, cpu, cuda or cuda:N.
        backend: one that the bundle has engines for, or auto: the fastest that can be played here.
        keep_loaded: engines stay open between runs, for a service that has the memory.
        memory_limit: in bytes or as "8GiB". On the CPU memory of the process's own, without weights that lie mapped in
            files: what does not fit is decoded in tiles, or refused. TensorRT: device memory for each engine; weights
            that do not fit beside its working memory are brought from the host each time.
        cache_prompts: keep embeddings of prompts in the user's cache, so that a prompt that was seen before needs no
            text encoder; without the prompts' text.
        decoding: LTX-Video: decode in tiles, or several videos in one call; None is whole frames, one video after
            the other.
        progress: told of the run's phases; None is silent.

    Raises:
        BundleError: the bundle is missing, damaged, unfinished or of a newer format.
        DeviceError: a device or backend that cannot be had.
        RequestError: a memory limit that is none, or that a backend would ignore; ways of decoding for a family that
            has none.
    """
    folder = _folder(bundle)
    manifest = read_bundle(folder)
    _check(manifest, folder)
    _check_decoding(manifest, decoding)
    place = parse_device(device)
    check_backend(backend, place)
    progress = progress or SilentProgress()
    limit = None if memory_limit is None else parse_size(memory_limit)
    if limit is not None and place.kind == "cpu":
        check_limit(limit)
    resources = Resources(place, memory_limit=limit, note=progress.note)
    engines = _engines(manifest, folder, backend, resources)
    components = {
        str(component): _component(
            manifest, ComponentEngine(component, engine, folder, resources, keep_loaded=keep_loaded)
        )
        for component, engine in engines.items()
    }
    if manifest.family is Family.SVD:
        return SvdPipeline(manifest, components, progress, resources)
    tokenizer = _tokenizer(manifest, folder)
    return LtxVideoPipeline(
        manifest, components, tokenizer, progress, resources, cache_prompts=cache_prompts, decoding=decoding
    )


def _check(bundle: Bundle, folder: Path) -> None:
    """Finds what a manifest may say and a run cannot do."""
    if bundle.family is not Family.LTX_VIDEO:
        return
    if bundle.model_version not in VERSIONS:
        raise BundleError(
            f"{folder} is of LTX-Video {bundle.model_version}, which this vidrt does not know; "
            f"upgrade with pip install -U vidrt."
        )
    settings = bundle.ltx
    counts = {settings.latent_channels, len(settings.latents_mean), len(settings.latents_std)}
    if len(counts) > 1:
        raise BundleError(
            f"{folder} should have latent statistics for {settings.latent_channels} channels; "
            f"build the bundle again with build-engines."
        )


def _check_decoding(bundle: Bundle, decoding: DecodeOptions | None) -> None:
    asked = decoding or DecodeOptions()
    if bundle.family is Family.SVD and (asked.tiles is not None or not asked.slicing):
        raise RequestError(
            "VAE tiling and decoding without slicing concern LTX-Video: for Stable Video Diffusion a decode chunk size "
            "says how many frames are decoded at once."
        )


def _folder(bundle: str | Path) -> Path:
    name = str(bundle)
    folder = find_bundle(name)
    if name.startswith(DEMO_PREFIX) and not folder.is_dir():
        raise BundleError(f"There is no embedded bundle {name}; there is {', '.join(demo_names())}.")
    return folder


def _engines(bundle: Bundle, folder: Path, backend: str, resources: Resources) -> dict[Component, Engine]:
    """The engine of each component; an optional one that cannot be had is told and left out."""
    engines = {}
    optional = OPTIONAL[bundle.family]
    for component in COMPONENTS[bundle.family]:
        if component in optional and component not in bundle.engines:
            continue
        try:
            engine = choose_engine(bundle, component, backend, folder, resources.device, resources.note)
        except DeviceError as error:
            if component not in optional:
                raise
            resources.note(str(error))
            continue
        _check_limit(component, engine, folder, resources)
        engines[component] = engine
    return engines


def _check_limit(component: Component, engine: Engine, folder: Path, resources: Resources) -> None:
    """Refuses a memory limit that would be ignored; what a manifest does not say, the engine says when it is opened."""
    if resources.memory_limit is None:
        return
    if resources.device.kind == "cpu":
        _check_counted(component, engine, folder)
    elif engine.backend is Backend.ONNXRUNTIME:
        raise RequestError(
            f"A memory limit has no effect on {engine.backend} on CUDA, which plays the {component.spoken}: leave it "
            f"out, or use engines of TensorRT."
        )
    if engine.key.get("stream_weights") == "no":
        raise RequestError(
            f"The {component.spoken} for {engine.backend} cannot be run under a memory limit; "
            f"{rebuild(engine, component, folder)} --stream-weights."
        )


def _check_counted(component: Component, engine: Engine, folder: Path) -> None:
    if not is_known(engine):
        raise RequestError(
            f"A memory limit needs a bundle that says what its engines take, and {folder} does not for the "
            f"{component.spoken}: run its build-engines again with the same --out, which adds it and builds nothing "
            f"that is there."
        )


def _component(bundle: Bundle, engine: ComponentEngine) -> EngineComponent:
    if (known := _CLASSES[bundle.family].get(engine.component)) is not None:
        return known(engine)
    settings = bundle.ltx
    timestep = version_named(bundle.model_version).decode_timestep if settings.timestep_conditioning else None
    return VaeDecoder(engine, settings.injected_noise, timestep)


def _tokenizer(bundle: Bundle, folder: Path) -> Tokenizer:
    if bundle.tokenizer is None:
        raise BundleError(f"{folder} has no tokenizer; build the bundle again with build-engines.")
    return Tokenizer(bundle_path(folder, bundle.tokenizer.path))
