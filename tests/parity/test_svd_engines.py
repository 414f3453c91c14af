"""The engines of a bundle of Stable Video Diffusion, one by one, against diffusers' modules on the same checkpoint."""

import diffusers
import pytest
import tiny_bundles
import tiny_svd
import torch
import transformers
from closeness import relative_l2

BAR = 1e-5
GRIDS = [(8, 8), (9, 11), (24, 8)]

pytestmark = pytest.mark.usefixtures("_one_thread")


@pytest.fixture
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # layers this small take twenty times as long where threads wait for each other
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def play(svd_bundle):
    """Runs a component's engine: tensors by name, as torch's, to its one output."""
    opened = {}

    def run(component, **inputs):
        if component not in opened:
            opened[component] = tiny_bundles.open_graph(tiny_bundles.graph_path(svd_bundle, component))
        (output,) = opened[component].run(None, {name: value.numpy() for name, value in inputs.items()})
        return torch.from_numpy(output)

    return run


@pytest.fixture(scope="module")
def vae(svd_checkpoint):
    return diffusers.AutoencoderKLTemporalDecoder.from_pretrained(svd_checkpoint / "vae").eval()


@pytest.fixture(scope="module")
def unet(svd_checkpoint):
    return diffusers.UNetSpatioTemporalConditionModel.from_pretrained(svd_checkpoint / "unet").eval()


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("batch", [1, 2])
def test_the_image_encoder_is_transformers(play, svd_checkpoint, batch):
    """Embeddings of one picture and of two."""
    oracle = transformers.CLIPVisionModelWithProjection.from_pretrained(svd_checkpoint / "image_encoder").eval()
    pixels = drawn(batch, 3, 224, 224)
    assert relative_l2(play("image_encoder", pixel_values=pixels), oracle(pixels).image_embeds) <= BAR


@pytest.mark.parametrize("grid", GRIDS)
def test_the_vae_encoder_is_diffusers(play, vae, grid):
    """Moments of pictures of every shape, means and then logarithms of variances."""
    picture = drawn(1, 3, grid[0] * 8, grid[1] * 8)
    wanted = vae.encode(picture).latent_dist.parameters
    assert relative_l2(play("vae_encoder", image=picture), wanted) <= BAR


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_vae_decoder_is_diffusers(play, vae, grid, frames):
    """Frames of chunks of every length, from latents that are already divided by the scaling factor."""
    latents = drawn(1, frames, 4, *grid)
    wanted = vae.decode(latents[0], num_frames=frames).sample
    assert relative_l2(play("vae_decoder", latents=latents)[0], wanted) <= BAR


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("frames", "grid"), [(1, (16, 24)), (3, (9, 11)), (14, (16, 8)), (25, (8, 16))])
def test_the_unet_is_diffusers(play, unet, batch, frames, grid):
    """Velocities at both ends of the noise levels, for one video and for two."""
    sample, embeds = drawn(batch, frames, 8, *grid), drawn(batch, 1, tiny_svd.EMBEDDING)
    ids = torch.tensor([[6.0, 127.0, 0.02]]).repeat(batch, 1)
    for timestep in (1.63777, -1.55):
        wanted = unet(sample, timestep, embeds, ids).sample
        given = {"sample": sample, "timestep": torch.full((batch,), timestep)}
        assert relative_l2(play("unet", **given, image_embeds=embeds, added_time_ids=ids), wanted) <= BAR
