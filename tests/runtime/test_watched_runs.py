"""What engines did, in runs as the manifest counts them."""

import dataclasses

import pytest
from vidrt.pipelines.load import load_pipeline
from vidrt.stopwatch import Stopwatch
from vidrt.watched_runs import EngineRun, engine_runs, total_operations


@pytest.fixture
def watched(bundles, small):
    """What each engine of a tiny bundle did for two videos, by component."""
    with load_pipeline(bundles("0.9.5"), device="cpu", backend="onnxruntime") as pipeline:
        watch = Stopwatch()
        watch.watch(pipeline.components)
        pipeline.videos(**small, prompt="a fox", num_videos=2)
    return {name: [work for work in watch.done if work.component == name] for name in pipeline.components}


def test_a_streamed_video_is_one_run(watched):
    """Two videos that passed through the decoder's stages are two runs of all that their stages took."""
    runs = engine_runs(watched["vae_decoder"])
    assert [run.is_streamed for run in runs] == [True, True]
    seconds = sum(work.seconds for work in watched["vae_decoder"] if not work.is_opening)
    assert sum(run.seconds for run in runs) == pytest.approx(seconds)
    assert runs[0].operations == runs[1].operations > 0
    assert not any(run.is_streamed for run in engine_runs(watched["transformer"]))


def test_what_an_older_bundle_does_not_say_is_not_known(watched):
    """Runs are seen all the same, and their operations together are none."""
    works = [
        dataclasses.replace(work, engine=dataclasses.replace(work.engine, operations=None))
        for work in watched["transformer"]
    ]
    runs = engine_runs(works)
    assert [run.seconds for run in runs] == [run.seconds for run in engine_runs(watched["transformer"])]
    assert total_operations(runs) is None
    assert total_operations([EngineRun(operations=2.0, seconds=1.0)] * 3) == 6
    assert total_operations([]) is None
