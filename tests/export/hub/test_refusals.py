"""What the hub refuses is one sentence that says what to do, and tokens go to the hub alone."""

import dataclasses

import pytest
import tiny_hub
from vidrt_export.hub.errors import HubError
from vidrt_reference.checkpoint.errors import CheckpointError


@pytest.fixture
def gated(hub, repository):
    """A model of which the owner wants to know who has it."""
    hub.add("tiny/gated", repository)
    hub.gated["tiny/gated"] = "allowed"
    return "tiny/gated"


@pytest.fixture
def by(place):
    """The place with a token."""
    return lambda token: dataclasses.replace(place, token=token)


def test_a_token_opens_what_is_gated_and_stays_with_the_hub(hub, gated, by, fetched):
    """Every request to the hub carries the token; none to the store that the hub sends on to does."""
    folder = fetched(gated, place=by("allowed"))
    assert (folder / tiny_hub.WEIGHTS).is_file()
    sent = {
        half: {ask.headers.get("authorization") for ask in hub.requests if ask.half == half}
        for half in ("hub", "store")
    }
    assert sent == {"hub": {"Bearer allowed"}, "store": {None}}


@pytest.mark.parametrize(
    ("name", "token", "options", "said"),
    [
        ("tiny/none", False, {}, "no such model or keeps it private: check the spelling, or set HF_TOKEN"),
        ("tiny/none", "allowed", {}, "There is no folder tiny/none here"),
        ("tiny/gated", False, {}, "tiny/gated is gated: accept its licence at http"),
        ("tiny/gated", "other", {}, "the token's account may not read it yet"),
        ("tiny/ltx", "expired", {}, "The hub does not accept the token: set HF_TOKEN to a valid one"),
        ("tiny/ltx", False, {"revision": "v9"}, "tiny/ltx has no revision 'v9'"),
        ("tiny/ltx", False, {"revision": "../x"}, "a branch, a tag or a commit as --revision, not '../x'"),
    ],
)
def test_a_request_that_cannot_be_right(hub, gated, by, plan, told, name, token, options, said):
    """Nothing is downloaded, and the sentence names the cure."""
    assert gated in hub.gated
    with pytest.raises(CheckpointError) as raised:
        plan(name, place=by(token), **options)
    assert said in told(raised)
    assert hub.downloads() == []


@pytest.mark.parametrize(
    ("status", "headers", "error", "said"),
    [
        (403, {}, CheckpointError, "The hub forbids to read tiny/ltx: set HF_TOKEN"),
        (401, {}, CheckpointError, "no such model or keeps it private"),
        (429, {}, HubError, "too many requests: run the same command again in a few minutes; with HF_TOKEN set more"),
        (429, {"ratelimit": '"api";r=0;t=55'}, HubError, "run the same command again in 55 seconds"),
        (500, {}, HubError, "The hub has trouble (status 500): run the same command again later"),
        (503, {}, HubError, "The hub has trouble (status 503)"),
    ],
)
@pytest.mark.parametrize("part", ["/api/models", "/resolve/"])
def test_a_hub_that_answers_otherwise(hub, plan, told, pauses, part, status, headers, error, said):
    """Whether it lists files or sends one, a refusal is an error of its kind; trouble may be over later."""
    hub.faults.statuses[part] = (status, 99, headers)
    with pytest.raises(error) as raised:
        plan()
    assert said in told(raised)
    assert len(pauses) <= 4


def test_a_hub_that_tells_no_hashes(hub, plan, told):
    """What could not be checked is not downloaded."""
    hub.faults.tells_no_hashes = True
    with pytest.raises(HubError) as raised:
        plan()
    assert "does not tell files' hashes: set HF_ENDPOINT" in told(raised)
    assert hub.downloads() == []
