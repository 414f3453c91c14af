"""The ways of decoding a request, each with the limit that leaves no way before it."""

from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.planning.decoding import Decoding
from vidrt.planning.engines import LatentSize
from vidrt_engines.manifest import read_bundle


def decoding_of(folder, *, height, width, num_frames, **_):
    """What is to be decoded of a request of a bundle."""
    bundle = read_bundle(folder)
    size = LatentSize(frames=(num_frames - 1) // 8 + 1, rows=height // 32, columns=width // 32)
    return Decoding(engine=bundle.engines["vae_decoder"][0], settings=bundle.ltx, latents=size)


def smaller_and_smaller(decoding):
    """The ways that take less than all before them, and what each takes."""
    ways = [(way, decoding.need(way).own) for way in decoding.ways(DecodeOptions())]
    for number, (way, own) in enumerate(ways):
        if all(own < before for _, before in ways[:number]):
            yield way, own
