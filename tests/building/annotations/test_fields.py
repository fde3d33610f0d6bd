import pytest

from skyreid.building.annotations.fields import identifier, number, read_lines, records, share, whole
from skyreid.errors import SourceError


def test_lines_know_their_place_and_blank_ones_are_left_out(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\r\n  \r\ntwo")
    assert read_lines(path) == [(f"{path}, line 1", "one"), (f"{path}, line 4", "two")]


def test_numbers_come_as_numbers_or_as_text():
    assert number(1, "x", "a") == number("1.0", "x", "a") == number(1.0, "x", "a") == 1.0
    assert whole("7.0", "x", "a", least=7) == 7
    assert share("0.25", "x", "a") == 0.25


@pytest.mark.parametrize("value", [True, None, "", "one", "nan", "inf", float("nan"), 10**400, [1]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(SourceError) as caught:
        number(value, "x", "a")
    assert str(caught.value) == f"a: x must be a finite number; got {value!r}"


@pytest.mark.parametrize(("value", "told"), [(6, "6"), (7.5, "7.5"), ("-8", "-8")])
def test_what_is_not_whole_or_too_small_is_refused(value, told):
    with pytest.raises(SourceError) as caught:
        whole(value, "x", "a", least=7)
    assert str(caught.value) == f"a: x must be a whole number from 7; got {told}"


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_what_is_no_share_is_refused(value):
    with pytest.raises(SourceError) as caught:
        share(value, "x", "a")
    assert str(caught.value) == f"a: x must be from 0 to 1; got {value}"


def test_lists_and_identifiers_of_json_are_checked():
    assert records({"tracks": [{"id": 1}]}, "tracks", "a") == [{"id": 1}]
    assert identifier({"id": "seven"}, "id", "a") == "seven"
    for wrong in ({}, {"tracks": {}}, {"tracks": [1]}):
        with pytest.raises(SourceError, match="a: tracks must be a list of objects; got"):
            records(wrong, "tracks", "a")
    with pytest.raises(SourceError, match="a: id must be a number or a text; got None"):
        identifier({}, "id", "a")
