"""The truth in MOTChallenge format."""

from skyreid.simulation.scene_truth import SceneCamera, SceneFrame, ScenePerson
from skyreid.simulation.sessions.mot_truth import mot_lines

CAMERA = SceneCamera(
    position=(0.0, 0.0, 2.0), axes=((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)), focal_px=900.0
)


def lines_of(*people):
    frames = [
        SceneFrame(
            index=index,
            time_s=index / 6,
            camera=CAMERA,
            people=tuple(
                ScenePerson(pid=pid, box=box, visible=visible, head=box, face=None) for pid, box, visible in seen
            ),
        )
        for index, seen in enumerate(people)
    ]
    return b"".join(mot_lines(frames)).decode().splitlines()


def test_frames_and_pixels_count_from_one():
    assert lines_of([], [(7, (0.0, 10.5, 20.25, 60.0), 0.875)]) == ["2,7,1.00,11.50,20.25,49.50,1,1,0.875"]


def test_boxes_end_at_the_edge_of_the_picture():
    assert lines_of([(1, (-5.0, -8.0, 20.0, 60.0), 0.9), (2, (1270.0, 700.0, 1300.0, 780.0), 0.1)]) == [
        "1,1,1.00,1.00,20.00,60.00,1,1,0.900",
        "1,2,1271.00,701.00,10.00,20.00,1,1,0.100",
    ]


def test_who_hardly_shows_has_no_box():
    box = (10.0, 10.0, 30.0, 70.0)
    assert lines_of([(1, box, 0.019), (2, box, 0.02)]) == ["1,2,11.00,11.00,20.00,60.00,1,1,0.020"]
