"""The sentinel: a component in half precision beside fp32, refused where it cannot be trusted."""

import re

import pytest
import tiny_bundles
import torch
from edited import edited_copy, scaled
from vidrt_engines.names import Precision
from vidrt_engines.precisions import BOUNDS
from vidrt_export.checks import precision as module
from vidrt_export.part import as_arguments
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.load import load

SHAPES = ("the minimum", "the optimum", "the maximum")
SHARP_T5 = scaled({"SelfAttention.q.weight": 30.0})
# beyond 65504 between weights that fit; by powers of two, so that in bf16 nothing changes
LOUD_T5 = scaled({"wi_1.weight": 2.0**15, "wo.weight": 2.0**-15})


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16])
@pytest.mark.parametrize("component", tiny_bundles.COMPONENTS)
def test_a_sound_component_passes(check, checkpoints, component, precision):
    """Every shape is run and told with its error, which is within the bound and not zero."""
    told = check(checkpoints("0.9.5"), component, precision)
    errors = [float(error) for error in re.findall(rf"{precision} is (\S+) from fp32 at the \w+", told)]
    assert len(errors) == 3
    assert all(0 < error <= BOUNDS[precision] for error in errors)
    assert "not checked" not in told


def test_fp32_is_not_compared_with_itself(check, checkpoints):
    """There is nothing to check where nothing is rounded."""
    assert check(checkpoints("0.9.5"), "text_encoder", Precision.FP32) == ""


def test_the_bound_holds_and_may_be_widened(check, checkpoints, tmp_path):
    """Scores so large that rounding them changes which token is looked at: refused, unless more is allowed."""
    sharp = edited_copy(checkpoints("0.9.5"), tmp_path / "sharp", "text_encoder", SHARP_T5)
    with pytest.raises(CheckpointError, match=r"^The text encoder in bf16 is \S+ from .*, and 1e-02 is allowed"):
        check(sharp, "text_encoder", Precision.BF16)
    assert check(sharp, "text_encoder", Precision.BF16, tolerance=1).count("from fp32 at") == 3


def test_a_tighter_tolerance_refuses(check, checkpoints):
    """The tolerance replaces the bound in both directions."""
    with pytest.raises(CheckpointError, match="and 1e-06 is allowed"):
        check(checkpoints("0.9.5"), "text_encoder", Precision.BF16, tolerance=1e-6)


def test_t5_that_overflows_is_refused_in_fp16(check, checkpoints, tmp_path):
    """Activations beyond 65504 between weights that fit are found; in bf16 the same weights pass."""
    loud = edited_copy(checkpoints("0.9.5"), tmp_path / "loud", "text_encoder", LOUD_T5)
    told = (
        r"^The text encoder in fp16 overflows at the minimum, in encoder\.block\.0\S+: build it with --precision bf16"
    )
    with pytest.raises(CheckpointError, match=told):
        check(loud, "text_encoder", Precision.FP16)
    assert check(loud, "text_encoder", Precision.BF16).count("from fp32 at") == 3


def test_an_overflow_that_attention_hides_is_found(check, checkpoints, tmp_path):
    """Queries beyond fp16 become NaN, of which PyTorch's attention makes zeros: the layer is named all the same."""
    queries = {"blocks.1.attn1.to_q.weight": 2.0**15, "blocks.1.attn1.to_q.bias": 2.0**15}
    loud = edited_copy(checkpoints("0.9.5"), tmp_path / "loud", "transformer", scaled(queries))
    told = r"^The transformer in fp16 overflows at the \w+, in transformer_blocks\.1\.attn1\.to_q: build it with"
    with pytest.raises(CheckpointError, match=told):
        check(loud, "transformer", Precision.FP16)
    assert check(loud, "transformer", Precision.BF16).count("from fp32 at") == 3


def test_nan_in_weights_is_found(check, checkpoints, tmp_path):
    """A value in the weights that is no number is named as fp32's own fault."""
    edit = scaled({"proj_out.bias": float("nan")})
    spoilt = edited_copy(checkpoints("0.9.5"), tmp_path / "spoilt", "transformer", edit)
    with pytest.raises(CheckpointError, match=r"^The transformer in bf16 cannot be checked: fp32 itself"):
        check(spoilt, "transformer", Precision.BF16)


def test_weights_that_vanish_are_found(check, checkpoints, tmp_path):
    """Weights too small for fp16 leave a constant, where fp32 gives a velocity."""
    faint = edited_copy(
        checkpoints("0.9.5"), tmp_path / "faint", "transformer", scaled({"proj_out.weight": 1e-9, "proj_out.bias": 0.0})
    )
    with pytest.raises(CheckpointError, match=r"^The transformer in fp16 gives one and the same value everywhere"):
        check(faint, "transformer", Precision.FP16)
    assert check(faint, "transformer", Precision.BF16).count("from fp32 at") == 3


def test_too_little_memory_names_what_was_not_run(check, checkpoints, monkeypatch):
    """A shape that does not fit is named with what it needs; those that fit are run."""
    for free, run in ((1000, 0), (1 << 40, 3), (None, 3)):
        monkeypatch.setattr(module, "available_bytes", lambda free=free: free)
        told = check(checkpoints("0.9.5"), "text_encoder", Precision.BF16)
        assert told.count("from fp32 at") == run
        missed = re.findall(r"not checked in bf16 at (the \w+): it needs \d+\.\d GB and 0\.0 GB are free", told)
        assert missed == list(SHAPES[: 3 - run])


def test_no_time_names_what_was_not_run(check, checkpoints):
    """Without any time nothing is run; with little the first shape shows how long the others would take."""
    none = check(checkpoints("0.9.5"), "text_encoder", Precision.BF16, seconds=0)
    assert re.findall(r"not checked in bf16 at (the \w+): .*\(--check-minutes\)", none) == list(SHAPES)
    assert "from fp32" not in none
    little = check(checkpoints("0.9.5"), "text_encoder", Precision.BF16, seconds=1e-9)
    assert re.findall(r"from fp32 at (the \w+)", little) == list(SHAPES[:1])
    assert re.findall(r"not checked in bf16 at (the \w+)", little) == list(SHAPES[1:])


def test_what_is_run_may_be_an_engine(check, checkpoints):
    """Given a runner, its result is what is compared, in fp32 too, at each shape's inputs."""
    part = read_diffusers_folder(checkpoints("0.9.5")).parts["vae_decoder"]
    decoder = part.make().eval()
    load(decoder, part.tensors, optional=part.optional)
    seen = []

    @torch.no_grad()
    def engine(inputs, shape):
        seen.append((shape.name, shape.profile))
        return decoder(**as_arguments(inputs)) * (1 + 5e-6)

    told = check(checkpoints("0.9.5"), "vae_decoder", Precision.FP32, engine)
    assert seen == [(name, 0) for name in SHAPES]
    assert len(re.findall(r"fp32 is [45]\.\de-06 from fp32 at", told)) == 3
    with pytest.raises(CheckpointError, match=r"^The VAE decoder in fp32 is 1\.0e-01 from fp32"):
        check(checkpoints("0.9.5"), "vae_decoder", Precision.FP32, lambda inputs, shape: 1.1 * engine(inputs, shape))
