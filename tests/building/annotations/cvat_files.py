"""Files of CVAT's "XML annotation format", version 1.1, written by hand, and what is read of them."""

import pytest

from skyreid.building.annotations.cvat import read_cvat
from skyreid.errors import SourceError
from tests.building.annotations.drawn_boxes import video

IMAGES = """<annotations><version>1.1</version>
  <image id="4" name="frame_000004" width="100" height="80">
    <box label="person" occluded="0" xtl="1" ytl="2" xbr="11" ybr="22" z_order="0">
      <attribute name="track_id">6</attribute>
    </box>
    <box label="car" occluded="0" xtl="1" ytl="2" xbr="11" ybr="22" z_order="0"></box>
    <polygon label="person" occluded="0" points="1,2;3,4;1,4" z_order="0"></polygon>
    <tag label="person" source="manual"></tag>
  </image>
  <image id="6" name="frame_000006" width="100" height="80">
    <box label="person" occluded="0" xtl="1" ytl="2" xbr="11" ybr="22" z_order="0">
      <attribute name="track_id">6</attribute>
    </box>
  </image>
</annotations>"""


def read(tmp_path, text, **of_the_video):
    (tmp_path / "a.xml").write_text(text)
    return read_cvat(tmp_path / "a.xml", video(100, 80, **of_the_video))


def refusal(tmp_path, text, **of_the_video):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, text, **of_the_video)
    return str(caught.value).removeprefix(str(tmp_path / "a.xml"))


def box(frame, left=0, *, outside=0, top=0, right=None, more="", **attributes):
    inside = "".join(f'<attribute name="{name}">{value}</attribute>' for name, value in attributes.items())
    return (
        f'<box frame="{frame}" outside="{outside}" occluded="0" keyframe="1" xtl="{left}" ytl="{top}" '
        f'xbr="{left + 10 if right is None else right}" ybr="20" {more}>{inside}</box>'
    )


def track(number, *boxes, label="person", more=""):
    return f'<track id="{number}" label="{label}" {more}>{"".join(boxes)}</track>'


def file(*elements):
    return f"<annotations><version>1.1</version>{''.join(elements)}</annotations>"
