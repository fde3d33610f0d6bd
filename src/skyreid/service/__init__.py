"""The web pages of cases, and a JSON API beside them: one table of routes, each with who may use it.

Raises:
    SettingError: the programs that it needs are not installed.
"""

from importlib.util import find_spec

from skyreid.errors import SettingError

if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "python_multipart")):
    raise SettingError("the web pages need FastAPI and Uvicorn: pip install 'skyreid[serve]'")
