"""Dataclasses to JSON and back: nothing is guessed, and an error names the place."""

import json
from dataclasses import dataclass, field
from enum import StrEnum

import pytest
from vidrt_engines.errors import BundleError
from vidrt_engines.jsonable import decode, encode, read_json


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Whole:
    count: int
    flag: bool
    colour: Colour
    part: Part
    ratio: float = 0.5
    parts: tuple[Part, ...] = ()
    groups: dict[str, tuple[int, ...]] = field(default_factory=dict)
    limit: float | None = None


WHOLE = Whole(
    count=3,
    flag=True,
    colour=Colour.BLUE,
    part=Part(name="ä", weight=0.1),
    ratio=2.0,
    parts=(Part(name="x"), Part(name="y", weight=-1e-30)),
    groups={"a": (1, 2), "b": ()},
    limit=1e300,
)
LEAST = {"count": 1, "flag": False, "colour": "red", "part": {"name": "p"}}


def decoded(**changes):
    return decode(Whole, {**LEAST, **changes}, "file.json")


@pytest.mark.parametrize("value", [WHOLE, decode(Whole, LEAST, "least")])
def test_what_is_written_is_read_back(value):
    """Every kind of field comes back as it was, through the text of a JSON file."""
    assert decode(Whole, json.loads(json.dumps(encode(value))), "file.json") == value


def test_only_plain_values_are_written():
    """An enum becomes its word and a tuple a list; a field that is None is left out."""
    encoded = encode(decode(Whole, LEAST, "least"))
    assert encoded == {
        **LEAST, "part": {"name": "p", "weight": 1.0}, "ratio": 0.5, "parts": [], "groups": {},
    }  # fmt: skip
    assert type(encoded["colour"]) is str


def test_defaults_stand_for_what_is_absent():
    """A field with a default, None included, may be left out or null where null is allowed."""
    assert decoded() == decoded(limit=None)
    assert (decoded().ratio, decoded().parts, decoded().limit) == (0.5, (), None)


def test_unknown_fields_are_passed_over():
    """A field that a later version added does not stop this one, at any depth."""
    assert decoded(later=[1], part={"name": "p", "later": {}}) == decoded()


@pytest.mark.parametrize("name", ["count", "flag", "colour", "part"])
def test_a_missing_field_is_named(name):
    """A field without a default that is not there is named with its place and the remedy."""
    less = {key: value for key, value in LEAST.items() if key != name}
    with pytest.raises(BundleError, match=rf"^file\.json lacks {name}; build the bundle again with build-engines\.$"):
        decode(Whole, less, "file.json")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"count": "3"}, r"^file\.json\.count should be int, not '3'\.$"),
        ({"count": 3.0}, r"\.count should be int, not 3\.0"),
        ({"count": True}, r"\.count should be int, not True"),
        ({"count": None}, r"\.count should be int, not None"),
        ({"flag": 1}, r"\.flag should be bool, not 1"),
        ({"flag": "true"}, r"\.flag should be bool"),
        ({"ratio": True}, r"\.ratio should be float, not True"),
        ({"ratio": "1"}, r"\.ratio should be float"),
        ({"ratio": float("nan")}, r"\.ratio should be float, not nan"),
        ({"ratio": float("-inf")}, r"\.ratio should be float, not -inf"),
        ({"ratio": 10**400}, r"\.ratio should be float"),
        ({"ratio": -(1 << 1024)}, r"\.ratio should be float"),
        ({"limit": float("nan")}, r"\.limit should be float, not nan"),
        ({"limit": []}, r"\.limit should be float, not \[\]"),
        ({"colour": "green"}, r"\.colour should be one of red, blue, not 'green'\.$"),
        ({"colour": ["red"]}, r"\.colour should be one of red, blue"),
        ({"part": []}, r"\.part should be an object, not \[\]"),
        ({"part": {"name": 1}}, r"\.part\.name should be str, not 1"),
        ({"part": {}}, r"\.part lacks name"),
        ({"parts": {}}, r"\.parts should be a list, not \{\}"),
        ({"parts": "ab"}, r"\.parts should be a list"),
        ({"parts": [{"name": "x"}, {}]}, r"^file\.json\.parts\[1\] lacks name"),
        ({"groups": []}, r"\.groups should be an object"),
        ({"groups": {"a": [1, "b"]}}, r"^file\.json\.groups\.a\[1\] should be int, not 'b'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_type_is_named_with_its_place(changes, told):
    """A value of another type, or a number that is none, is refused with its place, and never converted."""
    with pytest.raises(BundleError, match=told):
        decoded(**changes)


def test_a_whole_number_may_stand_for_a_float():
    """JSON writes 2.0 as 2 in many hands: it is read as a float."""
    assert isinstance(decoded(ratio=2).ratio, float)


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_object_is_told_so(value):
    """A file that holds another thing than an object is refused."""
    with pytest.raises(BundleError, match=r"^file\.json should be an object, not "):
        decode(Whole, value, "file.json")


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b'{"a": 1}}', b"\xff\xfe{}", b"[" * 100_000])
def test_damaged_text_is_one_sentence(tmp_path, content):
    """Text that is no JSON is refused in one sentence that names the file."""
    path = tmp_path / "a.json"
    path.write_bytes(content)
    told = r"a\.json is not JSON: .*; build the bundle again with build-engines\.$"
    with pytest.raises(BundleError, match=told) as error:
        read_json(path)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_is_told_so(tmp_path):
    """A folder in the place of the file, or none, is one sentence with the system's reason."""
    with pytest.raises(BundleError, match=r"cannot be read: Is a directory\.$"):
        read_json(tmp_path)
    with pytest.raises(BundleError, match=r"none\.json cannot be read: No such file or directory\.$"):
        read_json(tmp_path / "none.json")
