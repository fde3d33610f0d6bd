import pytest

from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.datasets.survey import FindingKind, Survey
from skyreid.errors import DatasetError, MissingFrameError


@pytest.fixture
def survey(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.jpg").write_bytes(b"")
    return Survey(name="own", root=tmp_path, protocol=CROSS_CAMERA)


def test_a_folder_is_listed_once(survey, tmp_path):
    folder = str(tmp_path / "a")
    assert survey.list_image(folder, "1.jpg") == f"{folder}/1.jpg"
    (tmp_path / "a/2.jpg").write_bytes(b"")
    survey.list_image(folder, "2.jpg")
    assert survey.missing == {f"{folder}/2.jpg"}


def test_a_frame_listed_twice_is_missing_once(survey, tmp_path):
    for _ in range(2):
        survey.list_image(f"{tmp_path}/nowhere", "1.jpg")
    assert len(survey.findings) == len(survey.missing) == 1
    with pytest.raises(MissingFrameError, match=r"own: 1 of 1 listed frames are missing .* nowhere/1\.jpg"):
        survey.benchmark()


def test_a_contradiction_is_told_before_a_missing_frame(survey, tmp_path):
    survey.list_image(f"{tmp_path}/nowhere", "1.jpg")
    survey.report(FindingKind.INCONSISTENT, "row 3", "says otherwise")
    with pytest.raises(DatasetError) as refusal:
        survey.benchmark()
    assert str(refusal.value) == "own: row 3: says otherwise (2 findings in all)"
    assert not isinstance(refusal.value, MissingFrameError)
