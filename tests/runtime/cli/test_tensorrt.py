"""`vidrt generate` on a machine with a GPU, of doubles."""

import pytest

SIZE = ("--height", "64", "--width", "64", "--num-frames", "9", "--steps", "2", "--seed", "1")


@pytest.mark.usefixtures("gpu_machine")
def test_the_device_and_what_plays_are_printed(planned, vidrt, place):
    """A run says the GPU's name and the backend, and writes the video."""
    ended = vidrt("generate", "--bundle", planned(), *SIZE)
    assert ended.status == 0
    assert "Device: cuda:0, NVIDIA L4 (tensorrt-rtx).\n" in ended.err
    assert (place / "output/video.gif").is_file()


@pytest.mark.usefixtures("gpu_machine")
def test_a_memory_limit_reaches_the_engines(planned, vidrt):
    """A limit that plans can keep is taken; one that they cannot is one sentence and the status of a failed run."""
    assert vidrt("generate", "--bundle", planned(streamable=10**7), *SIZE, "--memory-limit", "1GiB").status == 0
    ended = vidrt("generate", "--bundle", planned(streamable=10**7), *SIZE, "--memory-limit", "1kB", "--quiet")
    assert (ended.status, ended.err.count("\n")) == (1, 1)
    assert "over the memory limit" in ended.err


@pytest.mark.usefixtures("gpu_machine")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--backend tensorrt-rtx --cpu", "tensorrt-rtx needs a CUDA device and the device is cpu"),
        ("--memory-limit 8GiB --backend onnxruntime", "A memory limit has no effect on onnxruntime on CUDA"),
        ("--memory-limit 1MB --cpu", "A memory limit of 1 MB is less than the 45 MB that vidrt itself takes"),
        ("--memory-limit lots", "A size of memory should be like 8GiB, 500MB or a number of bytes, not 'lots'."),
        ("--height 256 --width 256", "was built for tokens from 1 to 27, not 128; run: build-engines SOURCE --out"),
        ("--backend tensorrt", "has no text_encoder for tensorrt; build it with build-engines --backend tensorrt."),
    ],
)
def test_what_cannot_be_played_is_a_bad_request(planned, vidrt, arguments, told):
    """One line, the status of a request that cannot be right, and nothing done."""
    ended = vidrt("generate", "--bundle", planned(), *SIZE, "--quiet", *arguments.split())
    assert (ended.status, ended.err.count("\n"), ended.out) == (2, 1, "")
    assert told in ended.err
