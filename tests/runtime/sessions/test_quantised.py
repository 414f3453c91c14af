"""Sessions of quantised engines pack their blocks; those of others leave weights in their files."""

import numpy as np
import pytest
import tiny_bundles
import tiny_gguf
import tiny_ltx
from vidrt.devices import Device
from vidrt.sessions import onnxruntime
from vidrt.sessions.onnxruntime import OnnxruntimeSession
from vidrt_engines.manifest import bundle_path
from vidrt_engines.names import Precision

PACKING = "session.disable_prepacking"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle of a quantised text encoder and nothing else."""
    from vidrt_export.sources.text_encoder import T5Choice

    folder = tmp_path_factory.mktemp("quantised")
    pipeline = tiny_ltx.build("0.9.0", changes=tiny_gguf.WIDE)
    tiny_gguf.save(folder / "t5.gguf", "Q5_K", pipeline.text_encoder)
    pipeline.save_pretrained(folder / "ltx-video")
    choice = T5Choice(gguf=folder / "t5.gguf")
    tiny_bundles.build(folder / "ltx-video", folder / "bundle", components=("text_encoder",), t5=choice)
    return folder / "bundle"


def opened(folder):
    engine = tiny_bundles.engine_of(folder, "text_encoder")
    path = bundle_path(folder, engine.files[0].path)
    return OnnxruntimeSession(path, engine, Device(kind="cpu"), "text encoder")


def is_packed(session):
    """Whether onnxruntime may pack weights for its kernels."""
    try:
        return session._session.get_session_options().get_session_config_entry(PACKING) != "1"
    except RuntimeError:  # it was not set
        return True


def test_blocks_are_packed_and_give_the_same(bundle, monkeypatch):
    """A quantised engine is packed, and gives what it gives from its file."""
    ids = np.random.default_rng(2).integers(0, 90, (2, 21))
    with opened(bundle) as session:
        assert is_packed(session)
        packed = session.run({"input_ids": ids})["embeddings"]
    monkeypatch.setattr(onnxruntime, "SETTINGS", {})
    with opened(bundle) as session:
        assert not is_packed(session)
        mapped = session.run({"input_ids": ids})["embeddings"]
    assert np.linalg.norm(packed - mapped) < 1e-5 * np.linalg.norm(mapped)
    assert mapped.std() > 0


def test_other_engines_stay_in_their_files(bundles):
    """Nothing is packed where weights are not quantised."""
    with opened(bundles("0.9.0")) as session:
        assert not is_packed(session)
    assert onnxruntime.SETTINGS.keys() == {Precision.GGUF}
