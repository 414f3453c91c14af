"""Components of tiny checkpoints, and what their check says."""

import io

import pytest
from vidrt_engines.profiles import Span
from vidrt_export.buckets import Bucket, profile
from vidrt_export.checks.precision import Limits, check_precision
from vidrt_export.console import Console
from vidrt_export.sources.diffusers_folder import read_diffusers_folder


def span(low, middle, high):
    return Span(min=low, opt=middle, max=high)


BUCKET = Bucket(height=span(32, 32, 64), width=span(32, 64, 96), frames=span(1, 9, 17))


@pytest.fixture
def profiles():
    """A function of a checkpoint and a component: the profile of a small range of videos."""

    def made(source, component):
        checkpoint = read_diffusers_folder(source)
        part = checkpoint.parts[component]
        return (profile(BUCKET, part.component, part.signature, checkpoint.settings),)

    return made


@pytest.fixture
def check(profiles):
    """A function of a checkpoint, a component and a precision: what the check told; it raises what the check does."""

    def run(source, component, precision, run=None, **limits):
        said = io.StringIO()
        part = read_diffusers_folder(source).parts[component]
        console = Console(stream=said)
        check_precision(part, precision, profiles(source, component), Limits(**limits), console, run)
        return said.getvalue()

    return run
