"""Which transformers are rotated by halves of a head; that they give diffusers' velocity is told by parity's tests."""

import pytest
import tiny_ltx
from vidrt_engines.names import Component
from vidrt_export.halves import in_halves
from vidrt_export.sources.diffusers_folder import read_diffusers_folder


@pytest.mark.parametrize(("width", "heads"), [(8, 4), (7, 0)])
def test_where_pairs_lie_in_one_head(tmp_path, width, heads):
    """A head of odd width shares a pair with its neighbour: there channels stay where they are."""
    changes = {"attention_head_dim": width, "cross_attention_dim": 4 * width}
    folder = tiny_ltx.save(tmp_path, "0.9.0", changes={"transformer": changes})
    part = read_diffusers_folder(folder).parts[Component.TRANSFORMER]
    changed = {name for name, stored in in_halves(part).tensors.items() if stored.recipe is not None}
    layers = len({name.split(".")[1] for name in part.tensors if name.startswith("transformer_blocks.")})
    assert part.rotated_heads == heads
    assert len(changed) == (6 * layers if heads else 0)
