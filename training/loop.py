"""The loop that every phase of training goes through: stopped at any time, it continues where it was last saved.

What a step sees depends on its number alone, never on what ran before: so a run that was stopped makes the same steps.
"""

import math
import os
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from training.muon import Muon

StepLoss = Callable[[int], tuple[torch.Tensor, Mapping[str, float]]]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """How long and how fast a model learns.

    Attributes:
        name: the checkpoint's file name, and the progress line's first word.
        steps: how many.
        rate: the highest learning rate, reached after `warmup` steps, from where it falls as a cosine to zero.
        decay: of the average of the weights that is kept.
        save_seconds: how often a checkpoint is written.
        orthogonal: whether matrices learn by Muon and only the rest by Adam.
    """

    name: str
    steps: int
    rate: float
    warmup: int = 100
    decay: float = 0.998
    save_seconds: float = 90.0
    orthogonal: bool = False

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - self.warmup, 1)
        return self.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)

    def optimizers(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        """Adam, and Muon for matrices and kernels where the phase wants it."""
        kinds = (nn.Linear, nn.Conv2d, nn.Conv3d) if self.orthogonal else ()
        matrices = [module.weight for module in model.modules() if isinstance(module, kinds)]
        matrices = [weight for weight in matrices if weight.requires_grad]
        known = {id(weight) for weight in matrices}
        others = [weight for weight in model.parameters() if weight.requires_grad and id(weight) not in known]
        adam = torch.optim.AdamW(others, lr=self.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        return [adam, Muon(matrices, lr=self.rate)] if matrices else [adam]


def run_phase(phase: Phase, model: nn.Module, loss_of: StepLoss, folder: Path) -> nn.Module:
    """Trains a model, or reads what was trained before.

    Args:
        phase: how long and how fast.
        model: what is trained, parameters that need no gradient excepted.
        loss_of: a step's loss, with figures for the progress line.
        folder: where the checkpoint lies.

    Returns:
        A model of averaged weights, in eval mode.
    """
    average = deepcopy(model).eval().requires_grad_(False)
    learned = [values for values in model.parameters() if values.requires_grad]
    optimizers = phase.optimizers(model)
    file = folder / f"{phase.name}.pt"
    parts = {"model": model, "average": average, **{f"optimizer{i}": part for i, part in enumerate(optimizers)}}
    first = _load(file, parts, phase.steps)
    line = _ProgressLine(phase, first)
    saved = time.monotonic()
    for step in range(first, phase.steps):
        model.zero_grad(set_to_none=True)
        loss, figures = loss_of(step)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learned, 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = phase.rate_at(step)
            optimizer.step()
        _follow(average, model, min(phase.decay, (step + 1) / (step + 10)))
        line.step(step + 1, {"loss": loss.item(), **figures})
        if step + 1 == phase.steps or time.monotonic() - saved > phase.save_seconds:
            _save(file, parts, step + 1)
            saved = time.monotonic()
    return average


def generator(seed: int, step: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A step's own random numbers."""
    return torch.Generator(device).manual_seed(seed * 1_000_003 + step)


@torch.no_grad()
def _follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    for kept, values in zip(average.parameters(), model.parameters(), strict=True):
        kept.lerp_(values, 1 - decay)


def _save(file: Path, parts: Mapping[str, nn.Module | torch.optim.Optimizer], step: int) -> None:
    """Writes beside and renames: a run that is stopped here leaves the checkpoint before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".part")
    torch.save({"step": step, **{name: part.state_dict() for name, part in parts.items()}}, beside)
    os.replace(beside, file)  # noqa: PTH105 - the rename that replaces


def _load(file: Path, parts: Mapping[str, nn.Module | torch.optim.Optimizer], steps: int) -> int:
    """Reads a checkpoint, of a finished phase only the average, and says how many steps it had made."""
    if not file.exists():
        return 0
    state = torch.load(file, map_location="cpu", weights_only=True)
    is_done = state["step"] >= steps
    for name, part in parts.items():
        if name == "average" or not is_done:
            part.load_state_dict(state[name])
    return int(state["step"])


class _ProgressLine:
    """Says every few seconds which step it is, what the loss is and how long it will go on."""

    def __init__(self, phase: Phase, first: int) -> None:
        self._phase, self._first = phase, first
        self._begun = self._said = time.monotonic()
        self._figures: dict[str, float] = {}

    def step(self, done: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._figures[name] = 0.9 * self._figures.get(name, value) + 0.1 * value
        now = time.monotonic()
        if now - self._said < 10 and done < self._phase.steps:
            return
        self._said = now
        left = (now - self._begun) / (done - self._first) * (self._phase.steps - done)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in self._figures.items())
        print(f"{self._phase.name}  {done}/{self._phase.steps}  {shown}  {left / 60:.1f} min left", flush=True)
