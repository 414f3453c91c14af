"""What `peers.py`'s runs play, made on first need and kept: checkpoints, bundles, openvino-genai's folders."""

import subprocess
import sys
from pathlib import Path

from peers_cases import Checkpoint, Peer

HERE = Path(__file__).parent
SAVE_SVD = "import pathlib, sys; from full_size_svd import save; save(pathlib.Path(sys.argv[1]))"


class Made:
    """A folder of what is made.

    Args:
        work: where it is.
        genai: the interpreter of the environment that has openvino-genai and optimum-intel, if there is one.
    """

    def __init__(self, work: Path, genai: str | None) -> None:
        self._work, self.genai = work, genai
        work.mkdir(parents=True, exist_ok=True)

    def folder(self, peer: Peer, checkpoint: Checkpoint) -> Path:
        """What a peer plays of a checkpoint."""
        source = self._checkpoint(checkpoint)
        if peer.plays == "checkpoint":
            return source
        if peer.plays == "genai":
            assert self.genai is not None
            command = [self.genai, str(HERE / "peers_genai_export.py"), str(source)]
            return self._once(f"{checkpoint.name}-genai", lambda folder: [[*command, str(folder)]])
        return self._once(f"{checkpoint.name}-{peer.plays}", lambda out: _builds(source, checkpoint, peer.plays, out))

    def _checkpoint(self, checkpoint: Checkpoint) -> Path:
        if checkpoint.folder is not None:
            return checkpoint.folder
        if checkpoint.layers is None:
            command = [sys.executable, "-c", SAVE_SVD]
            return self._once(checkpoint.name, lambda folder: [[*command, str(folder)]])
        command = [sys.executable, str(HERE / "full_size_checkpoint.py")]
        sizes = [str(checkpoint.layers), checkpoint.vae]
        return self._once(checkpoint.name, lambda folder: [[*command, str(folder), *sizes]])

    def _once(self, name: str, commands: object) -> Path:
        """Runs what makes a folder, unless it was made to its end before."""
        folder, done = self._work / name, self._work / f"{name}.made"
        if not done.exists():
            print(f"making {name}", flush=True)
            for command in commands(folder):
                subprocess.run(command, check=True, cwd=HERE, stdout=subprocess.DEVNULL)
            done.touch()
        return folder


def _builds(source: Path, checkpoint: Checkpoint, precision: str, out: Path) -> list[list[str]]:
    """A bundle in one precision; what has no int8 stays in bf16."""
    build = [sys.executable, "-m", "vidrt_export", str(source), "--out", str(out), "--quiet", "--precision"]
    plain = [part for part in checkpoint.components if precision != "int8" or part == "vae_decoder"]
    whole = [part for part in checkpoint.components if part not in plain]
    parts = {"int8": whole, "bf16": plain}
    return [
        [*build, kind, *(word for name in names for word in ("--component", name))]
        for kind, names in parts.items()
        if names
    ]


def disk_mb(folder: Path) -> float:
    """Megabytes of the files that text to video plays: without the VAE's encoder where it lies apart."""
    files = (file for file in folder.rglob("*") if file.is_file() and "vae_encoder" not in file.parts)
    return sum(file.stat().st_size for file in files) / 1e6
