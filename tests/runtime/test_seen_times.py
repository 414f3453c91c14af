"""How fast engines were, on disk: of the same engine on the same machine, at the nearest size, and never in the way."""

import dataclasses
import json

import pytest
from vidrt import cpu
from vidrt.devices import Device
from vidrt.seen_times import MOST_ENGINES, MOST_SIZES, Seen, SeenTimes
from vidrt.stopwatch import Work
from vidrt_engines.manifest import read_bundle
from vidrt_engines.operations import Operations, OperationTerm
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle

HERE = Device(kind="cpu")


@pytest.fixture(scope="module")
def engine():
    """An engine of as many operations as tokens."""
    (encoder,) = read_bundle(find_bundle(DEFAULT_BUNDLE)).engines["text_encoder"]
    term = OperationTerm(axes=("text_tokens",), flops=1.0)
    return dataclasses.replace(encoder, operations=Operations(terms=(term,)))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vidrt" / "times.json"


def works(engine, tokens, seconds, opening=None):
    """Runs of an engine, one for each number of seconds, behind its opening if that took any."""
    shapes = {"input_ids": (1, tokens)}
    what = {"component": "text_encoder", "engine": engine, "begin": 0.0}
    first = [] if opening is None else [Work(**what, is_opening=True, end=opening)]
    return [*first, *(Work(**what, is_opening=False, end=each, shapes=shapes) for each in seconds)]


def seen(path, engine, operations):
    return SeenTimes(HERE, path).find(engine, operations, is_streamed=False)


def test_what_was_kept_is_found(path, engine):
    """The mean of the runs of a size, how long opening took, and from both the time of any other size."""
    assert seen(path, engine, 100) is None
    SeenTimes(HERE, path).keep(works(engine, 100, [1.0, 3.0], opening=0.5))
    found = seen(path, engine, 100)
    assert found == Seen(operations=100, seconds=2.0, opening=0.5)
    assert found.seconds_for(1000) == pytest.approx(20.0)
    assert SeenTimes(HERE, path).find(engine, 100, is_streamed=True) is None


def test_the_nearest_size_is_taken(path, engine):
    """Of several sizes that was met which is the fewest times larger or smaller; a size that comes again is new."""
    times = SeenTimes(HERE, path)
    for tokens, seconds in ((10, 1.0), (1000, 50.0), (1010, 60.0)):
        times.keep(works(engine, tokens, [seconds]))
    assert [seen(path, engine, count).seconds for count in (1, 90, 120, 10**9)] == [1.0, 1.0, 60.0, 60.0]


def test_another_engine_or_machine_was_not_seen(path, engine, monkeypatch):
    """Other weights, another precision or backend, another CPU or number of threads have a pace of their own."""
    SeenTimes(HERE, path).keep(works(engine, 100, [1.0]))
    others = [
        dataclasses.replace(engine, key={**engine.key, "weights": "other"}),
        dataclasses.replace(engine, precision="bf16"),
        dataclasses.replace(engine, backend="openvino"),
    ]
    assert [seen(path, other, 100) for other in others] == [None] * 3
    for name, value in (("name", "another"), ("threads", 999)):
        with monkeypatch.context() as patch:
            patch.setattr(cpu, name, lambda value=value: value)
            assert seen(path, engine, 100) is None
    assert seen(path, engine, 100) is not None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": 1}', '{"format": 2, "engines": {}}', "\x00" * 9,
                '{"format": 1, "engines": {"a": [{"operations": 0, "seconds": 1}]}}',
                '{"format": 1, "engines": {"a": [{"operations": 1, "seconds": "x"}]}}'],
)  # fmt: skip
def test_a_damaged_file_is_as_good_as_none(path, engine, content):
    """What cannot be read or cannot be true is not looked at, and is written anew."""
    path.parent.mkdir()
    path.write_text(content)
    assert seen(path, engine, 100) is None
    SeenTimes(HERE, path).keep(works(engine, 100, [1.0]))
    assert seen(path, engine, 100) == Seen(operations=100, seconds=1.0)


def test_a_place_that_cannot_be_written_is_no_error(tmp_path, engine):
    """A run does not fail where the cache is a file, and nothing is left beside one that was written."""
    (tmp_path / "vidrt").write_text("a file where the folder should be")
    SeenTimes(HERE, tmp_path / "vidrt" / "times.json").keep(works(engine, 100, [1.0]))
    SeenTimes(HERE, tmp_path / "own" / "times.json").keep(works(engine, 100, [1.0]))
    assert [each.name for each in (tmp_path / "own").iterdir()] == ["times.json"]


def test_the_file_stays_small(path, engine):
    """Of an engine the last sizes are kept, and of all engines those that ran last."""
    times = SeenTimes(HERE, path)
    for number in range(MOST_SIZES + 3):
        times.keep(works(engine, 2**number, [1.0]))
    for number in range(MOST_ENGINES - 1):
        times.keep(works(dataclasses.replace(engine, key={"weights": str(number)}), 100, [1.0]))
    groups = json.loads(path.read_text())["engines"]
    assert len(groups) == MOST_ENGINES
    assert [one["operations"] for one in next(iter(groups.values()))] == [2**n for n in range(3, MOST_SIZES + 3)]
    times.keep(works(dataclasses.replace(engine, key={}), 100, [1.0]))
    assert seen(path, engine, 8) is None
