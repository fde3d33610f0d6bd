import pytest

from skyreid.datasets.image_sweep import sweep_images
from skyreid.progress import silent


@pytest.mark.parametrize("num", [0, 1, 256, 257, 1000])
def test_every_path_is_looked_at_once_and_in_order(num):
    paths = [str(number) for number in range(num)]
    seen = []
    found = sweep_images(paths, int, task="look", progress=lambda *report: seen.append(report[:3]))
    assert found == list(range(num))
    assert seen == [("look", min(done, num), num) for done in range(256, num + 256, 256)]


def test_the_first_error_ends_the_sweep():
    looked = []

    def look(path):
        looked.append(path)
        if path == "7":
            raise ValueError("seven")

    with pytest.raises(ValueError, match=r"^seven$"):
        sweep_images([str(number) for number in range(10**6)], look, task="look", progress=silent)
    assert len(looked) < 10**6
