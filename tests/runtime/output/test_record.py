"""The record is readable JSON in its own order, numpy's numbers included."""

import json
from collections import OrderedDict
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from vidrt.output.errors import OutputError
from vidrt.output.record import write_record


def test_order_language_and_numpy(tmp_path):
    record = MappingProxyType(
        {
            "seed": np.int64(7),
            "prompt": "ein Fuchs läuft 狐",
            "fps": np.float32(0.5),
            "sigmas": np.array([1.0, 0.5]),
            "tiling": np.bool_(True),
            "bundle": Path("a") / "b",
            "inner": MappingProxyType(OrderedDict(z=1, a=None)),
        }
    )
    write_record(tmp_path / "video.json", record)
    text = (tmp_path / "video.json").read_text(encoding="utf-8")
    assert text.startswith('{\n  "seed": 7,\n  "prompt": "ein Fuchs läuft 狐",\n')
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "seed": 7,
        "prompt": "ein Fuchs läuft 狐",
        "fps": 0.5,
        "sigmas": [1.0, 0.5],
        "tiling": True,
        "bundle": str(Path("a") / "b"),
        "inner": {"z": 1, "a": None},
    }


@pytest.mark.parametrize("value", [float("nan"), np.float32("nan"), np.array([np.inf])])
def test_what_is_no_number_is_refused_and_nothing_is_written(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(tmp_path / "video.json", {"fps": value})
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(TypeError, match="a record cannot hold"):
        write_record(tmp_path / "video.json", {"model": object()})


def test_a_folder_in_its_place_is_one_sentence(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        write_record(tmp_path, {})
