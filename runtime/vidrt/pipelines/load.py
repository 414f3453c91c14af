"""From a bundle's folder to a pipeline."""

from pathlib import Path

from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import Bundle, bundle_path, read_bundle
from vidrt_engines.names import COMPONENTS, Component
from vidrt_engines.places import DEMO_PREFIX, demo_names, find_bundle
from vidrt_engines.versions import VERSIONS, version_named

from vidrt.components.base import EngineComponent
from vidrt.components.text_encoder import TextEncoder
from vidrt.components.transformer import Transformer
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.components.vae_encoder import VaeEncoder
from vidrt.devices import Device, parse_device
from vidrt.pipelines.ltx_video import LtxVideoPipeline
from vidrt.progress import Progress, SilentProgress
from vidrt.sessions.component_engine import AUTO, ComponentEngine, choose_engine
from vidrt.tokenizer import Tokenizer

# What a run can do without: a bundle may lack them.
_OPTIONAL = frozenset({Component.VAE_ENCODER})
_CLASSES: dict[Component, type[EngineComponent]] = {
    Component.TEXT_ENCODER: TextEncoder,
    Component.TRANSFORMER: Transformer,
    Component.VAE_ENCODER: VaeEncoder,
}


def load_pipeline(
    bundle: str | Path,
    *,
    device: str = AUTO,
    backend: str = AUTO,
    keep_loaded: bool = False,
    progress: Progress | None = None,
) -> LtxVideoPipeline:
    """Opens a bundle; no weights are read until a phase needs them.

    Args:
        bundle: its folder, or `demo:NAME` for an embedded one.
        device: auto, cpu, cuda or cuda:N.
        backend: auto, or one that the bundle has engines for.
        keep_loaded: engines stay open between runs, for a service that has the memory.
        progress: told of the run's phases; None is silent.

    Raises:
        BundleError: the bundle is missing, damaged, unfinished or of a newer format.
        DeviceError: a device or backend that cannot be had.
    """
    folder = _folder(bundle)
    manifest = read_bundle(folder)
    _check(manifest, folder)
    place = parse_device(device)
    components = {
        str(component): _component(component, manifest, folder, place, backend, keep_loaded=keep_loaded)
        for component in COMPONENTS[manifest.family]
        if component in manifest.engines or component not in _OPTIONAL
    }
    return LtxVideoPipeline(manifest, components, _tokenizer(manifest, folder), progress or SilentProgress())


def _check(bundle: Bundle, folder: Path) -> None:
    """Finds what a manifest may say and a run cannot do."""
    if bundle.model_version not in VERSIONS:
        raise BundleError(
            f"{folder} is of LTX-Video {bundle.model_version}, which this vidrt does not know; "
            f"upgrade with pip install -U vidrt."
        )
    settings = bundle.settings
    counts = {settings.latent_channels, len(settings.latents_mean), len(settings.latents_std)}
    if len(counts) > 1:
        raise BundleError(
            f"{folder} should have latent statistics for {settings.latent_channels} channels; "
            f"build the bundle again with build-engines."
        )


def _folder(bundle: str | Path) -> Path:
    name = str(bundle)
    folder = find_bundle(name)
    if name.startswith(DEMO_PREFIX) and not folder.is_dir():
        raise BundleError(f"There is no embedded bundle {name}; there is {', '.join(demo_names())}.")
    return folder


def _component(
    component: Component, bundle: Bundle, folder: Path, device: Device, backend: str, *, keep_loaded: bool
) -> EngineComponent:
    engine = ComponentEngine(
        component, choose_engine(bundle, component, backend, folder), folder, device, keep_loaded=keep_loaded
    )
    if component is not Component.VAE_DECODER:
        return _CLASSES[component](engine)
    settings = bundle.settings
    timestep = version_named(bundle.model_version).decode_timestep if settings.timestep_conditioning else None
    return VaeDecoder(engine, settings.injected_noise, timestep)


def _tokenizer(bundle: Bundle, folder: Path) -> Tokenizer:
    if bundle.tokenizer is None:
        raise BundleError(f"{folder} has no tokenizer; build the bundle again with build-engines.")
    return Tokenizer(bundle_path(folder, bundle.tokenizer.path))
