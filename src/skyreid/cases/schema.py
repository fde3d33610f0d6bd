"""The tables of a case, and of the people of a server, as they lie in their databases.

Times of day are ISO 8601 in UTC; moments that are compared are seconds since 1970. `revision` counts the transactions
that changed what can be searched: the number of the last one that changed the row.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

TABLES = MetaData()
CASE_VERSION, PEOPLE_VERSION = "0004", "0002"
"""Of the tables below, by the last of the steps in `migrations`."""

VERSION = Table("alembic_version", TABLES, Column("version_num", String(32), primary_key=True))  # as Alembic makes it

CASE = Table(
    "case_facts",
    TABLES,
    Column("number", Integer, CheckConstraint("number = 1"), primary_key=True),  # there is one row
    Column("case_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("retention_days", Integer, nullable=False),
    Column("legal_hold", Text),  # why nothing may be deleted; NULL = it may
    Column("revision", BigInteger, nullable=False),
    Column("files", Text),  # URL of where crops and uploads lie in an object store; NULL = in the folder
)

CAMERAS = Table(
    "cameras",
    TABLES,
    Column("camid", Integer, primary_key=True, autoincrement=False),  # from 0
    Column("name", Text, nullable=False, unique=True),
    Column("platform", Text, nullable=False),
)

SOURCES = Table(
    "sources",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),  # its tracklets are called NAME-0001, …
    Column("camid", Integer, ForeignKey("cameras.camid"), nullable=False),
    Column("file", Text, nullable=False),  # its name
    Column("path", Text),  # where it lay when it was added; NULL = nobody said
    Column("sha256", Text, nullable=False),
    Column("crops", Text, nullable=False, unique=True),  # the folder of its crops
    Column("start_time", Text),  # of the first frame by the camera's clock, with its zone
    Column("clock_offset_s", Float, nullable=False),  # to be added to that clock
    Column("purpose", Text, nullable=False),  # why these people are looked at
    Column("authorisation", Text),
    Column("authorised_until", Text),
    Column("retain_until", Text, nullable=False),
    Column("facts", JSON, nullable=False),  # what was found out about it
    Column("settings", JSON, nullable=False),  # what its tracklets were made with
    Column("is_simulated", Boolean, nullable=False),
    Column("num_tracklets", Integer, nullable=False),  # counting them at each search would cost as much as the search
    Column("added_at", Text, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("trashed_at", Text),
    Column("trashed_by", Text),
    sqlite_autoincrement=True,  # a number is never given twice
)

TRACKLETS = Table(
    "tracklets",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("tracklet_id", Text, nullable=False, unique=True),
    Column("source", Integer, ForeignKey("sources.number"), nullable=False),
    Column("pid", Integer, nullable=False),  # as built; decisions join them
    Column("frames", JSON, nullable=False),  # [index, time_s, box, sha256] each
    Column("attributes", JSON, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("first_s", Float),  # in the video
    Column("last_s", Float),
    Column("height_px", Float),  # median of the boxes
    Column("latitude", Float),
    Column("longitude", Float),
    Column("revision", BigInteger, nullable=False, index=True),
    # What lists ask by, so that no list reads rows with all their frames.
    Index("tracklets_by_time", "source", "first_s", "pid"),
    Index("tracklets_by_pid", "pid", "source"),
    sqlite_autoincrement=True,  # a number is never given twice
)

MODELS = Table(
    "models",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("model", Text, nullable=False),  # sha256 of its weights, or what a program called it
    Column("feeding", Text, nullable=False),  # how it was fed; empty = nobody said
    Column("seen_unmasked", Boolean, nullable=False),
    Column("width", Integer, nullable=False),
    Column("precision", Text),  # in which numbers it computed, as it was told first; NULL = nobody said
    UniqueConstraint("model", "feeding", "seen_unmasked", "width"),
)

VECTORS = Table(
    "vectors",
    TABLES,
    Column("tracklet", Integer, ForeignKey("tracklets.number"), primary_key=True, autoincrement=False),
    Column("model", Integer, ForeignKey("models.number"), primary_key=True, autoincrement=False),
    Column("embedding", LargeBinary, nullable=False),  # float32 or float16, little-endian, as its length tells
    Column("revision", BigInteger, nullable=False),
    Index("vectors_by_revision", "model", "revision"),
)

REMOVED = Table(
    "removed_vectors",
    TABLES,
    Column("tracklet", Integer, primary_key=True, autoincrement=False),
    Column("model", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
)

DECISIONS = Table(
    "decisions",
    TABLES,
    Column("seq", Integer, primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("time", Text, nullable=False),
    Column("annotator", Text, nullable=False),
    Column("kind", Text, nullable=False),  # confirmed, rejected, unsure, undo, require, rebuilt
    Column("first", Text),  # of the pair, the smaller id
    Column("second", Text),
    Column("first_fingerprint", Text),
    Column("second_fingerprint", Text),
    Column("rank", Integer),
    Column("similarity", Float),
    Column("model", Integer),  # that the similarity is of
    Column("seconds", Float),
    Column("undoes", Text),
    Column("annotators", Integer),
    Column("moved", JSON),
)

AUDIT = Table(
    "audit",
    TABLES,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # from 1, without a gap
    Column("time", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON, as it was hashed
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

AUDIT_HEAD = Table(
    "audit_head",
    TABLES,
    Column("number", Integer, CheckConstraint("number = 1"), primary_key=True),  # there is one row
    Column("seq", BigInteger, nullable=False),  # of the last row of the log
    Column("hash", Text, nullable=False),
)

JOBS = Table(
    "jobs",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # hash of the file's hash, of what is said of it, of the settings
    Column("spec", JSON, nullable=False),  # the source as it was added, and where its paths count from
    Column("settings", JSON, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", Text, nullable=False),  # queued, running, paused, done, failed, cancelled
    Column("attempt", Integer, nullable=False),  # counts those who took it; only the last may commit
    Column("accidents", Integer, nullable=False),  # attempts that ended by accident
    Column("worker", Text),
    Column("lease_until", Float, nullable=False),
    Column("reason", Text),
    Column("steps", JSON, nullable=False),
    Column("source", Integer),  # what it became
    Column("added_at", Text, nullable=False),
    Column("added_by", Text, nullable=False),
    sqlite_autoincrement=True,
)

# People, in a database of their own beside the cases: docs/decisions/0009-the-case.md says why.
PEOPLE = MetaData()
VERSION.to_metadata(PEOPLE)
AUDIT.to_metadata(PEOPLE)
AUDIT_HEAD.to_metadata(PEOPLE)

USERS = Table(
    "users",
    PEOPLE,
    Column("name", Text, primary_key=True),
    Column("password", Text, nullable=False),  # scrypt: its costs, salt and hash
    Column("is_admin", Boolean, nullable=False),  # may add users and cases, and has every role
    Column("is_disabled", Boolean, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("created_by", Text, nullable=False),
)

ROLES = Table(
    "roles",
    PEOPLE,
    Column("user", Text, ForeignKey("users.name"), primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("role", Text, nullable=False),
)

SESSIONS = Table(
    "sessions",
    PEOPLE,
    Column("token_sha256", Text, primary_key=True),
    Column("user", Text, ForeignKey("users.name"), nullable=False, index=True),
    Column("csrf", Text, nullable=False),
    Column("begun", Float, nullable=False),
    Column("used", Float, nullable=False),
)

ATTEMPTS = Table(
    "login_attempts",
    PEOPLE,
    Column("key", Text, primary_key=True),  # hash of a name or an address
    Column("failures", Integer, nullable=False),
    Column("blocked_until", Float, nullable=False),
)

SETUP = Table("setup", PEOPLE, Column("token_sha256", Text, primary_key=True))  # of whoever starts the server first
