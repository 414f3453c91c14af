"""One component of `peers.py`, called twice or more; prints how long until the first result, and what a call takes.

    python peers_part.py diffusers|compiled|vidrt|openvino PART FOLDER HOW SIZE ...

FOLDER is the checkpoint, vidrt's bundle or openvino-genai's folder; HOW a type, a backend or OpenVINO's precision. PART
and its sizes: transformer LATENT_FRAMES ROWS COLUMNS, vae_decoder the same, unet FRAMES ROWS COLUMNS.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from peers_clock import TEXT_TOKENS, Clock

CALLS, PROMPT_TOKENS, TIMESTEP = 2, 30, 900
Array = np.ndarray
Call = Callable[[], object]
rng = np.random.default_rng(0)


def _latents(part: str, sizes: tuple[int, int, int]) -> Array:
    if part == "transformer":
        return rng.standard_normal((1, sizes[0] * sizes[1] * sizes[2], 128), np.float32)
    if part == "unet":
        return rng.standard_normal((1, sizes[0], 8, *sizes[1:]), np.float32)
    return rng.standard_normal((1, 128, *sizes), np.float32)


def diffusers(part: str, folder: str, dtype: str, sizes: tuple[int, int, int], *, compiled: bool = False) -> Call:
    import torch

    kind, latents = getattr(torch, dtype), torch.from_numpy(_latents(part, sizes))
    model = _module(part, folder, kind)
    if compiled and part != "vae_decoder":
        model = torch.compile(model)
    latents = latents.to(kind)
    given = {name: torch.from_numpy(values).to(kind) for name, values in _given(part).items()}
    if part == "vae_decoder":
        decode = torch.compile(model.decode) if compiled else model.decode
        temb = torch.tensor([0.05], dtype=kind) if model.config.timestep_conditioning else None
        return torch.no_grad()(lambda: decode(latents, temb))
    if part == "unet":
        return torch.no_grad()(lambda: model(latents, torch.tensor(1.0), given["image"], given["ids"]))
    frames, rows, columns = sizes
    context = torch.nn.functional.pad(given["context"], (0, 0, 0, TEXT_TOKENS - PROMPT_TOKENS))
    mask = (torch.arange(TEXT_TOKENS) < PROMPT_TOKENS)[None]
    where = {"num_frames": frames, "height": rows, "width": columns, "rope_interpolation_scale": (8 / 25, 32, 32)}
    when = torch.tensor([float(TIMESTEP)])
    return torch.no_grad()(lambda: model(latents, context, when, mask, **where))


def _module(part: str, folder: str, kind: object) -> object:
    import diffusers as library

    classes = {"transformer": library.LTXVideoTransformer3DModel, "vae_decoder": library.AutoencoderKLLTXVideo,
               "unet": library.UNetSpatioTemporalConditionModel}  # fmt: skip
    subfolder = "vae" if part == "vae_decoder" else part
    return classes[part].from_pretrained(folder, subfolder=subfolder, torch_dtype=kind).eval()


def _given(part: str) -> dict[str, Array]:
    """What a component takes besides the latents."""
    if part == "transformer":
        return {"context": rng.standard_normal((1, PROMPT_TOKENS, 4096), np.float32)}
    if part == "unet":
        ids = np.array([[6, 127, 0.02]], np.float32)
        return {"image": rng.standard_normal((1, 1, 1024), np.float32), "ids": ids}
    return {}


def vidrt(part: str, folder: str, backend: str, sizes: tuple[int, int, int]) -> Call:
    from vidrt.components.transformer import Transformer
    from vidrt.components.unet import UNet
    from vidrt.components.vae_decoder import VaeDecoder
    from vidrt.devices import parse_device
    from vidrt.sessions.choice import choose_engine
    from vidrt.sessions.component_engine import ComponentEngine
    from vidrt_engines.manifest import read_bundle
    from vidrt_engines.names import Component

    place, name, bundle = parse_device("cpu"), Component(part), read_bundle(Path(folder))
    engine = choose_engine(bundle, name, backend, Path(folder), place, lambda _: None)
    player = ComponentEngine(name, engine, Path(folder), place, keep_loaded=True)
    latents, given = _latents(part, sizes), _given(part)
    if part == "vae_decoder":
        decoder = VaeDecoder(player, timestep=0.05 if bundle.ltx.timestep_conditioning else None)
        return lambda: list(decoder.stream(latents))
    if part == "unet":
        when = np.ones(1, np.float32)
        return lambda: UNet(player)(latents, when, given["image"], given["ids"])
    tables = np.ones((latents.shape[1], 1024), np.float32), np.zeros((latents.shape[1], 1024), np.float32)
    when = np.full((1, 1), TIMESTEP, np.float32)
    return lambda: Transformer(player)(latents, given["context"], when, *tables)


def openvino(part: str, folder: str, precision: str, sizes: tuple[int, int, int]) -> Call:
    """The graph that openvino-genai plays, opened as it opens it."""
    import openvino as library

    settings = {"INFERENCE_PRECISION_HINT": precision}
    model = library.Core().compile_model(Path(folder, part, "openvino_model.xml"), "CPU", settings)
    latents = _latents(part, sizes)
    if part == "vae_decoder":
        return lambda: model({"latent_sample": latents})
    frames, rows, columns = sizes
    padding = ((0, 0), (0, TEXT_TOKENS - PROMPT_TOKENS), (0, 0))
    inputs = {
        "hidden_states": latents, "encoder_hidden_states": np.pad(_given(part)["context"], padding),
        "timestep": np.full((1, 1), TIMESTEP, np.float32), "num_frames": np.array(frames),
        "encoder_attention_mask": (np.arange(TEXT_TOKENS) < PROMPT_TOKENS).astype(np.int64)[None],
        "height": np.array(rows), "width": np.array(columns),
        "rope_interpolation_scale": np.array([8 / 25, 32, 32], np.float32),
    }  # fmt: skip
    return lambda: model(inputs)


def main(library: str, part: str, folder: str, how: str, *numbers: str) -> None:
    """Opens one component, calls it and prints the seconds."""
    clock, sizes = Clock(), tuple(map(int, numbers))
    if library in ("diffusers", "compiled"):
        call = diffusers(part, folder, how, sizes, compiled=library == "compiled")
    else:
        call = (vidrt if library == "vidrt" else openvino)(part, folder, how, sizes)
    call()
    first, spent = clock.now(), []
    for _ in range(CALLS):
        begin = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begin)
    print(json.dumps({"total": clock.now(), "first": first, "call": median(spent)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
