"""A case: the footage, tracklets and decisions of one search, in a directory with one database as the only truth.

Raises:
    SettingError: the programs that cases need are not installed.
"""

from importlib.util import find_spec

from skyreid.errors import SettingError

if find_spec("sqlalchemy") is None:
    raise SettingError("cases need SQLAlchemy: pip install 'skyreid[serve]'")
