"""Recipes: the tensors that engines of any width take and give."""

import inspect

import pytest
from vidrt_engines.components import RECIPES, latent_upsampler, text_encoder, transformer, vae_decoder, vae_encoder
from vidrt_engines.names import COMPONENTS, Family
from vidrt_engines.tensors import check_arrays


def plain(specs):
    return {spec.name: (spec.dtype, " ".join(spec.axes)) for spec in specs}


def test_every_component_has_a_recipe():
    """Recipes and the list of components name the same ones, and no two share a recipe."""
    assert set(RECIPES) == set(COMPONENTS[Family.LTX_VIDEO])
    assert len(set(RECIPES.values())) == len(RECIPES)
    assert all(recipe.__name__ == component for component, recipe in RECIPES.items())


def test_text_encoder():
    """T5 takes the ids that count, without a mask, and gives embeddings of its width."""
    signature = text_encoder(width=4096)
    assert plain(signature.inputs) == {"input_ids": ("int64", "batch text_tokens")}
    assert plain(signature.outputs) == {"embeddings": ("float32", "batch text_tokens 4096")}


@pytest.mark.parametrize("width", [32, 2048, 4096])
def test_transformer(width):
    """The denoiser takes tokens, context, timestep and half-width rotary tables, and no mask."""
    signature = transformer(in_channels=128, out_channels=127, text_width=4096, rope_width=width, layers=28)
    assert plain(signature.inputs) == {
        "latents": ("float32", "batch tokens 128"),
        "context": ("float32", "batch text_tokens 4096"),
        "timestep": ("float32", "batch timestep_tokens"),
        "rope_cos": ("float32", f"tokens {width // 2}"),
        "rope_sin": ("float32", f"tokens {width // 2}"),
        "perturbation": ("float32", "batch 28 3"),
    }
    assert plain(signature.outputs) == {"velocity": ("float32", "batch tokens 127")}


def test_transformer_takes_one_timestep_or_one_for_each_token():
    """Both forms of the timestep fit, as the conditioning of tokens needs the second."""
    signature = transformer(in_channels=8, out_channels=8, text_width=16, rope_width=32, layers=2)
    arrays = {"latents": (2, 6, 8), "context": (2, 4, 16), "rope_cos": (6, 16), "rope_sin": (6, 16)}
    arrays["perturbation"] = (2, 2, 3)
    for tokens in (1, 6):
        shapes = {**arrays, "timestep": (2, tokens)}
        assert check_arrays(signature.inputs, {name: ("float32", shape) for name, shape in shapes.items()}) is None


def test_vae_encoder():
    """The encoder gives moments, twice as many channels as latents have, and samples nothing itself."""
    signature = vae_encoder(latent_channels=128)
    assert plain(signature.inputs) == {"frames": ("float32", "batch 3 frames rows columns")}
    assert plain(signature.outputs) == {
        "moments": ("float32", "batch 256 latent_frames latent_rows latent_columns"),
    }


@pytest.mark.parametrize(
    ("timestep_conditioning", "injected_noise", "wanted"),
    [
        (False, (), {}),
        (True, (), {"timestep": ("float32", "batch")}),
        (
            True,
            (1, 1, 4),
            {
                "timestep": ("float32", "batch"),
                "noise_0": ("float32", "rows_x1 columns_x1"),
                "noise_1": ("float32", "rows_x1 columns_x1"),
                "noise_2": ("float32", "rows_x4 columns_x4"),
            },
        ),
    ],
)
def test_vae_decoder(timestep_conditioning, injected_noise, wanted):
    """The decoder takes a timestep and noise maps exactly where its VAE has a use for them."""
    signature = vae_decoder(
        latent_channels=128, timestep_conditioning=timestep_conditioning, injected_noise=injected_noise
    )
    latents = {"latents": ("float32", "batch 128 latent_frames latent_rows latent_columns")}
    assert plain(signature.inputs) == {**latents, **wanted}
    assert plain(signature.outputs) == {"frames": ("float32", "batch 3 frames rows columns")}


def test_latent_upsampler():
    """The upsampler makes more rows and columns of latents, and no other channels or frames."""
    signature = latent_upsampler(latent_channels=128)
    assert plain(signature.inputs) == {"latents": ("float32", "batch 128 latent_frames latent_rows latent_columns")}
    assert plain(signature.outputs) == {
        "upsampled": ("float32", "batch 128 latent_frames upsampled_rows upsampled_columns"),
    }


def test_recipes_are_asked_by_name():
    """No recipe takes a bare number, which could be any of the widths."""
    kinds = {p.kind for recipe in RECIPES.values() for p in inspect.signature(recipe).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}
