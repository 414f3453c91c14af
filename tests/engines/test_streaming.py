"""What a stage takes and gives."""

import dataclasses

import pytest
from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import Stage, read_manifest, write_bundle
from vidrt_engines.names import Component
from vidrt_engines.streaming import Frames, first_shapes, stage, stage_sizes

MIDDLE = stage(
    before=Frames(channels=16, scale=2),
    after=Frames(channels=8, scale=4),
    state=[Frames(channels=16, scale=2, kept=2), Frames(channels=8, scale=4, kept=1)],
    timestep=True,
    noise={3: 2},
)


def test_a_stage_names_what_it_takes_and_gives():
    """Each tensor has its name and its axes; what is carried has the same ones coming and going."""
    assert [spec.name for spec in MIDDLE.inputs] == ["chunk", "timestep", "last", "noise_3", "state_0", "state_1"]
    assert [spec.name for spec in MIDDLE.outputs] == ["passed", "next_0", "next_1"]
    assert [spec.axes for spec in MIDDLE.inputs[-2:]] == [spec.axes for spec in MIDDLE.outputs[1:]]
    assert MIDDLE.inputs[0].axes == ("batch", "16", "frames", "rows_x2", "columns_x2")


def test_sizes_follow_from_the_latents():
    """Rows and columns are as many times the latents' as the axes say, and at first nothing is carried."""
    sizes = stage_sizes(MIDDLE, batch=1, frames=5, rows=3, columns=4)
    assert sizes == {
        "batch": 1, "frames": 5, "rows_x2": 6, "columns_x2": 8, "rows_x4": 12, "columns_x4": 16,
        "kept_1": 1, "kept_2": 2,
    }  # fmt: skip
    assert first_shapes(MIDDLE, (2, 16, 5, 6, 8)) == {"state_0": (2, 16, 0, 6, 8), "state_1": (2, 8, 0, 12, 16)}


def test_a_stage_is_one_of_its_engines_files(tmp_path, bundle, make_engine):
    """A manifest keeps its stages, and one that is in no file of the engine is refused before it is opened."""
    engine = make_engine()
    named = Stage(file=engine.files[0].path, inputs=MIDDLE.inputs, outputs=MIDDLE.outputs, first_frames=4)
    with_stage = bundle.with_engine(Component.TEXT_ENCODER, dataclasses.replace(engine, stages=(named,)))
    write_bundle(tmp_path, with_stage)
    assert read_manifest(tmp_path) == with_stage
    elsewhere = dataclasses.replace(engine, stages=(dataclasses.replace(named, file="../elsewhere.onnx"),))
    write_bundle(tmp_path, bundle.with_engine(Component.TEXT_ENCODER, elsewhere))
    with pytest.raises(BundleError, match=r"has a stage of its text_encoder in \.\./elsewhere\.onnx"):
        read_manifest(tmp_path)
