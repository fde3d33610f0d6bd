import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from skyreid.cases.audit import audit_damage, read_audit
from skyreid.cases.people import FREE_TRIES, IDLE_S, LONGEST_S, RIGHTS, Right, Role
from skyreid.cases.people_database import open_people
from skyreid.errors import CaseError, RefusedError, SettingError, SourceError

PASSWORD, OTHER = "correct horse battery", "another long password"


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def people(tmp_path, clock, database):
    opened = open_people(tmp_path, clock=clock, database=database)
    opened.add_first(opened.setup_token(), "anna", PASSWORD)
    yield opened
    opened.close()
    if database is not None:
        opened.database.drop()


def test_the_first_user_needs_the_last_token_once_and_nobody_else_gets_one(tmp_path, clock):
    people = open_people(tmp_path, clock=clock)
    old, token = people.setup_token(), people.setup_token()
    for wrong in (old, "", token + "x"):
        with pytest.raises(RefusedError, match="this token is not the one"):
            people.add_first(wrong, "anna", PASSWORD)
    people.add_first(token, "anna", PASSWORD)
    with pytest.raises(RefusedError):
        people.add_first(token, "mallory", PASSWORD)
    assert people.setup_token() is None
    assert [(user.name, user.is_admin) for user in people.users()] == [("anna", True)]


def test_nothing_that_lets_in_stands_in_the_file_and_the_file_is_its_owner_s(people, tmp_path):
    made = people.log_in("anna", PASSWORD, address="::1")
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert PASSWORD.encode() not in content and made.token.encode() not in content
    if people.database.is_file:
        assert stat.S_IMODE((tmp_path / "people.sqlite").stat().st_mode) == 0o600


def test_who_is_added_by_hand_ends_the_token_of_the_first_start(tmp_path, clock):
    people = open_people(tmp_path, clock=clock)
    token = people.setup_token()
    people.add("anna", PASSWORD, by="the keeper", is_admin=True)
    with pytest.raises(RefusedError, match="this token is not the one"):
        people.add_first(token, "mallory", PASSWORD)
    people.close()


def test_one_s_own_password_takes_the_old_one_and_the_others_are_listed(people, clock):
    token = people.log_in("anna", PASSWORD, address="::1").token
    with pytest.raises(RefusedError, match="wrong name or password"):
        people.change_own_password("anna", OTHER, "a third long password", address="::1")
    assert [one.user for one in people.sessions()] == ["anna"]
    people.change_own_password("anna", PASSWORD, OTHER, address="::1")
    assert people.session(token) is None and people.sessions() == []
    people.log_in("anna", OTHER, address="::1")
    clock.now += IDLE_S + 1
    assert people.sessions() == []
    with people.database.reading() as connection:
        actions = [row.action for row in read_audit(connection)]
    assert actions[-4:] == ["login", "password refused", "password", "login"]


def test_who_was_disabled_is_let_in_again(people):
    people.add("bert", OTHER, by="anna")
    people.disable("bert", by="anna")
    with pytest.raises(RefusedError):
        people.log_in("bert", OTHER, address="::1")
    people.enable("bert", by="anna")
    assert people.log_in("bert", OTHER, address="::1").token
    for change in (people.disable, people.enable, people.end_sessions):
        with pytest.raises(CaseError, match="there is no user 'carl'"):
            change("carl", by="anna")


def test_what_nobody_allowed_is_denied(people):
    people.add("bert", OTHER, by="anna")
    assert not any(people.may(name, "case", right) for name in ("bert", "nobody") for right in Right)
    assert all(people.may("anna", "case", right) for right in Right)
    for role, rights in RIGHTS.items():
        people.set_role("bert", "case", role, by="anna")
        assert {right for right in Right if people.may("bert", "case", right)} == rights
        assert not people.may("bert", "other case", Right.SEE)
    assert people.roles("case") == {"bert": Role.AUDITOR}
    assert RIGHTS[Role.AUDITOR] == {Right.AUDIT}
    people.set_role("bert", "case", None, by="anna")
    assert people.role("bert", "case") is None


def test_a_session_lasts_until_it_is_idle_old_or_ended(people, clock):
    def token():
        return people.log_in("anna", PASSWORD, address="::1").token

    made = token()
    assert people.session(made).user.name == "anna"
    assert people.session(made + "x") is None
    begun = clock.now
    while clock.now - begun < LONGEST_S - IDLE_S / 2:
        clock.now += IDLE_S / 2
        assert people.session(made) is not None
    clock.now = begun + LONGEST_S + 1
    assert people.session(made) is None
    idle, ended, revoked = token(), token(), token()
    people.log_out(ended)
    assert people.session(ended) is None
    people.end_sessions("anna", by="anna")
    assert people.session(revoked) is None
    idle = token()
    clock.now += IDLE_S + 1
    assert people.session(idle) is None


def test_a_new_password_and_a_disabled_user_end_all_sessions(people):
    people.add("bert", OTHER, by="anna")
    made = people.log_in("bert", OTHER, address="::1")
    people.set_password("bert", PASSWORD, by="anna")
    assert people.session(made.token) is None
    made = people.log_in("bert", PASSWORD, address="::1")
    people.disable("bert", by="anna")
    assert people.session(made.token) is None
    with pytest.raises(RefusedError, match="wrong name or password"):
        people.log_in("bert", PASSWORD, address="::1")
    with pytest.raises(CaseError, match="'anna' is the last administrator"):
        people.disable("anna", by="anna")


def test_guessing_slows_down_for_name_and_address_and_a_restart_does_not_help(people, clock, tmp_path):
    said = set()
    for number in range(8):
        with pytest.raises(RefusedError) as refusal:
            people.log_in("anna", f"wrong password {number}", address="6.6.6.6")
        said.add(str(refusal.value))
    again = open_people(tmp_path, clock=clock)
    for name, address in (("anna", "1.1.1.1"), ("bert", "6.6.6.6")):  # the right password, and the same message
        with pytest.raises(RefusedError) as refusal:
            again.log_in(name, PASSWORD, address=address)
        said.add(str(refusal.value))
    assert len(said) == 1
    with again.database.reading() as connection:
        tried = [row for row in read_audit(connection) if row.action == "login refused"]
        assert len(tried) == 5  # the others were not even looked at
        assert list(audit_damage(connection)) == []
    clock.now += 2
    assert again.log_in("anna", PASSWORD, address="1.1.1.1").token
    again.close()


def test_guessing_at_once_gets_no_further_than_one_by_one(people):
    def guess(number):
        with pytest.raises(RefusedError):
            people.log_in("anna", f"wrong password {number}", address=f"6.6.6.{number}")

    with ThreadPoolExecutor(12) as crowd:
        list(crowd.map(guess, range(12)))
    with people.database.reading() as connection:
        assert [row.action for row in read_audit(connection)].count("login refused") == FREE_TRIES


@pytest.mark.parametrize(
    ("name", "password", "error", "refusal"),
    [
        ("bert", "short", SettingError, "at least 12 characters"),
        ("bert", "aaaaaaaaaaaaaaaa", SettingError, "five different ones"),
        ("bert", "it is BERT's password", SettingError, "not the user's name"),
        ("anna", PASSWORD, CaseError, "there is a user 'anna' already"),
        ("b\x1bert", PASSWORD, SourceError, "visible characters"),
    ],
)
def test_users_who_cannot_be_are_refused(people, name, password, error, refusal):
    with pytest.raises(error, match=refusal):
        people.add(name, password, by="anna")
    with pytest.raises(CaseError, match="there is no user 'cleo'"):
        people.set_role("cleo", "case", Role.VIEWER, by="anna")
