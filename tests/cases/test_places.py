from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.schema import SOURCES, TRACKLETS
from skyreid.cases.whereabouts.places import places_in
from tests.cases.test_decisions import GATE3, ROOF


def test_places_are_those_that_are_known_and_not_in_the_trash(case):
    with case.database.writing() as connection:
        for tracklet_id, attributes in ((ROOF, {"position error, m": 4.5}), (GATE3, {})):
            where = TRACKLETS.c.tracklet_id == tracklet_id
            connection.execute(
                TRACKLETS.update().where(where).values(latitude=47.0, longitude=8.0, attributes=attributes)
            )

    def read():
        standing = read_standing(case)
        with case.database.reading() as connection:
            found = places_in(connection, standing)
        return [(one.tracklet_id, one.camera, one.error_m) for one in found.places], found.num_unknown

    assert read() == ([(GATE3, "gate", None), (ROOF, "roof", 4.5)], 4)
    with case.database.writing() as connection:
        connection.execute(SOURCES.update().where(SOURCES.c.name == "roof-a").values(trashed_at="2026-11-29"))
    assert read() == ([(GATE3, "gate", None)], 2)
