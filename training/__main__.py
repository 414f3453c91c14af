"""`python -m training MODEL`: trains a demo model, or goes on with its training."""

import click


@click.group()
def main() -> None:
    """Trains the tiny models whose bundles the package embeds."""


@main.command("ltx-video")
@click.option("--work", default="output/training/ltx-video", show_default=True, help="Where checkpoints are kept.")
@click.option("--target", default="demo/ltx-video", show_default=True, help="Where the trained pipeline is saved.")
@click.option("--device", default="cpu", show_default=True, help="A device of PyTorch.")
@click.option("--threads", default=1, show_default=True, help="PyTorch's threads.")
@click.option(
    "--part", "parts", multiple=True, help="vae, decoder, diffusion, save or check, to run them apart; default all."
)
def ltx_video(work: str, target: str, device: str, threads: int, parts: tuple[str, ...]) -> None:
    """A tiny LTX-Video that draws coloured shapes."""
    from pathlib import Path

    import torch

    from training.ltx_video.train import Part, train

    torch.set_num_threads(threads)
    chosen = [Part(part) for part in parts] or list(Part)
    train(Path(work), Path(target), torch.device(device), chosen)


@main.command("svd")
@click.option("--work", default="output/training/svd", show_default=True, help="Where checkpoints are kept.")
@click.option("--target", default="demo/svd", show_default=True, help="Where the trained pipeline is saved.")
@click.option("--device", default="cpu", show_default=True, help="A device of PyTorch.")
@click.option("--threads", default=1, show_default=True, help="PyTorch's threads.")
@click.option("--part", "parts", multiple=True, help="vae, decoder, diffusion or save, to run them apart; default all.")
def svd(work: str, target: str, device: str, threads: int, parts: tuple[str, ...]) -> None:
    """A tiny Stable Video Diffusion that moves a picture's shape."""
    from pathlib import Path

    import torch

    from training.svd.train import Part, train

    torch.set_num_threads(threads)
    chosen = [Part(part) for part in parts] or list(Part)
    train(Path(work), Path(target), torch.device(device), chosen)


if __name__ == "__main__":
    main(prog_name="python -m training")
