"""What `vidrt decode` does; and how a run keeps its latents while it decodes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidrt_engines.places import DEFAULT_BUNDLE

from vidrt.cli.places import check_places, device_of, formats_of, is_streamed, write_decoded
from vidrt.cli.seen import times_kept
from vidrt.components.tiles import Tiles, parse_tiles
from vidrt.errors import EngineError, RequestError
from vidrt.latents_file import read_final, write_final
from vidrt.output.errors import OutputError
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.pipelines.load import load_pipeline
from vidrt.pipelines.ltx_video.final_latents import FinalLatents
from vidrt.pipelines.ltx_video.pipeline import LtxVideoPipeline
from vidrt.progress import Progress, make_progress

KEPT = "latents.safetensors"


def run_decoding(options: Mapping[str, Any]) -> None:
    """Runs `vidrt decode` with its options by name.

    Raises:
        RequestError, BundleError: what cannot be right, before any weight is read.
        EngineError, OutputError: what failed on the way.
    """
    formats = formats_of(options)
    check_places(options)
    progress = make_progress(quiet=options["quiet"])
    device, final = device_of(options), read_final(options["latents"])
    bundle = options["bundle"] or DEFAULT_BUNDLE
    places: Any = {name: options[name] for name in ("backend", "memory_limit")}
    places["decoding"] = decode_options(options)
    with load_pipeline(bundle, device=device, progress=progress, **places) as pipeline:
        if not isinstance(pipeline, LtxVideoPipeline):
            raise RequestError(f"{bundle} is of {pipeline.bundle.family.spoken}, and final latents are LTX-Video's.")
        progress.note(f"Device: {pipeline.device}.")
        with times_kept(pipeline):
            write_decoded(pipeline, final, options, formats)


def decode_options(options: Mapping[str, Any]) -> DecodeOptions:
    """How a command's options have latents decoded.

    Raises:
        RequestError: the size of the tiles is none.
    """
    size = options["vae_tile_size"]
    tiles = Tiles() if options["vae_tiling"] else None
    return DecodeOptions(
        tiles=tiles if size is None else parse_tiles(size),
        slicing=options["vae_slicing"],
        keeps_frames=not is_streamed(formats_of(options)),
    )


@contextmanager
def kept_latents(
    final: FinalLatents, options: Mapping[str, Any], bundle: str | Path, progress: Progress
) -> Iterator[None]:
    """Writes latents before they are decoded, so that minutes of work outlive what comes.

    The file in the output folder goes when the videos are written; one that was asked for stays. A disk that has no
    room for what was not asked for stops nothing.

    Raises:
        EngineError, OutputError: what failed within, with the command that goes on from there.
    """
    path = latents_place(options)
    is_kept = _keep(path, final, progress, is_asked=options["save_final_latents"] is not None)
    try:
        yield
    except (EngineError, OutputError, OSError, MemoryError) as error:
        if not is_kept:
            raise
        reason = (str(error) or "there is not enough memory").removesuffix(".")
        raise EngineError(
            f"{reason}; the latents are kept, and vidrt decode {path} --bundle {bundle} goes on from there."
        ) from error
    if not options["save_final_latents"]:
        path.unlink(missing_ok=True)


def _keep(path: Path, final: FinalLatents, progress: Progress, *, is_asked: bool) -> bool:
    """Writes latents, and says whether they could be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_final(path, final)
    except (OutputError, OSError) as error:
        if is_asked:
            raise
        progress.note(f"The latents cannot be kept for the case that decoding fails: {error}.")
        return False
    return True


def latents_place(options: Mapping[str, Any]) -> Path:
    """Where a run writes its latents before it decodes them."""
    asked: Path | None = options["save_final_latents"]
    place: Path = options["output_dir"] / KEPT if asked is None else asked
    return place
