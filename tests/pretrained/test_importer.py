from pathlib import Path

import pytest

from skyreid.errors import CheckpointError
from skyreid.pretrained.importer import ImportOptions


@pytest.mark.parametrize(
    ("option", "value"), [("image_size", (256, 128)), ("token_embedding", Path("a.pt")), ("adapters", "unused")]
)
def test_an_option_that_would_not_be_read_is_refused(option, value):
    options = ImportOptions(**{option: value})
    options.refuse_all_but(option)
    with pytest.raises(CheckpointError, match=f"^{option} is no option of this format; it reads other$"):
        options.refuse_all_but("other")


def test_options_that_were_not_given_are_not_in_the_way():
    ImportOptions().refuse_all_but("image_size")
