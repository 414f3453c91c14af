"""`vidrt plan` and `--dry-run`: every phase, the ways of decoding, and what an older bundle cannot tell."""

import json
import re

import pytest
from vidrt.components.tiles import Tiles
from vidrt.pipelines.load import load_pipeline
from vidrt.planning.phases import decoding_ways, phases
from vidrt.planning.report import lines, spoken
from vidrt_engines.manifest import MANIFEST, read_bundle

REQUEST = {"prompt": "a fox", "height": 512, "width": 768, "num_frames": 97}


@pytest.fixture
def planned(bundles):
    """The phases of a request, and the ways of decoding, of a bundle that was built now."""
    with load_pipeline(bundles("0.9.5"), device="cpu", backend="onnxruntime") as pipeline:

        def plan(**changes):
            by_component = pipeline.sizes(**{**REQUEST, **changes})
            engines = {name: part.engine.engine for name, part in pipeline.components.items()}
            decoder, sizes = engines["vae_decoder"], dict(by_component)["vae_decoder"]
            ways = decoding_ways(decoder, sizes, pipeline.bundle.ltx, [Tiles(height=256, width=256)])
            return {phase.name: phase.need for phase in (*phases(by_component, engines), *ways)}

        yield plan


def test_every_phase_is_known(planned):
    """A new build tells of each phase; the weights' file is told apart from memory."""
    needs = planned()
    assert list(needs) == [
        "text encoding", "denoising", "decoding whole", "decoding by streaming", "decoding in tiles of 256x256",
    ]  # fmt: skip
    assert all(need.own > 0 and need.mapped > 0 for need in needs.values())


def test_memory_follows_the_request(planned):
    """Longer videos take more, by streaming no more than their frames as bytes; larger ones and more take more."""
    small, longer, larger, two = (
        planned(), planned(num_frames=161), planned(height=1024), planned(num_videos=2),
    )  # fmt: skip
    streaming, whole = "decoding by streaming", "decoding whole"
    assert longer[whole].own > small[whole].own
    assert 0 < longer[streaming].own - small[streaming].own < (161 - 97) * 512 * 768 * 4
    assert larger[streaming].own > small[streaming].own
    assert two["denoising"].own > small["denoising"].own
    assert small[streaming].own < small[whole].own


def test_what_fits_is_said():
    """A row has the memory, the files, and whether both fit, or memory alone."""
    from vidrt.planning.engines import Need
    from vidrt.planning.phases import Phase

    need = Need(own=2_000_000_000, mapped=1_000_000_000)
    phase = Phase(name="denoising", component="transformer", need=need)
    ends = [lines([phase], free)[1].split("GB")[-1].strip() for free in (10**9, 25 * 10**8, 10**10, None)]
    assert ends == ["does not fit", "fits, with weights read again and again", "fits", ""]
    assert (spoken(1_500_000_000), spoken(2_000_000)) == ("1.5 GB", "2 MB")


def test_the_command_prints_it(bundles, capsys, monkeypatch):
    """Both ways of asking print the same and make nothing."""
    from vidrt.cli.main import main

    told = []
    for command in (["plan"], ["generate", "--dry-run"]):
        request = ["--prompt", "a fox", "--cpu", "--backend", "onnxruntime", "--bundle", str(bundles("0.9.5"))]
        monkeypatch.setattr("sys.argv", ["vidrt", *command, *request])
        main()
        told.append(re.sub(r".* of memory are free\.", "", capsys.readouterr().out))
    assert told[0] == told[1]
    assert "decoding by streaming" in told[0]
    assert "Not known" not in told[0]


@pytest.mark.parametrize("counts", [("activations", "operations"), ("operations",)])
def test_an_older_bundle_says_how_to_know(demo_copy, capsys, monkeypatch, counts):
    """What was built before memory or operations were counted is named, with the command that counts them."""
    from vidrt.cli.main import main

    content = json.loads((demo_copy / MANIFEST).read_text(encoding="utf-8"))
    for engine in (engine for group in content["engines"].values() for engine in group):
        for name in counts:
            del engine[name]
    (demo_copy / MANIFEST).write_text(json.dumps(content), encoding="utf-8")
    command = ["vidrt", "plan", "--cpu", "--backend", "onnxruntime", "--bundle", str(demo_copy)]
    monkeypatch.setattr("sys.argv", command)
    main()
    told = capsys.readouterr().out
    assert [line.split()[-3:] for line in told.splitlines() if line.startswith("text encoding")][-1] == [
        "known",
        "2",
        "runs",
    ]
    assert "until a run was made" not in told
    assert "Run its build-engines again with the same --out" in told


def test_what_was_counted_is_in_the_manifest(bundles):
    """The exporter writes what every engine and stage takes."""
    for group in read_bundle(bundles("0.9.5")).engines.values():
        for engine in group:
            assert engine.activations is not None
            assert engine.operations is not None
            assert all(stage.activations and stage.operations for stage in engine.stages)
