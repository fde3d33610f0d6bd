"""Steps from one version of the tables to the next, as Alembic reads them; `skyreid.cases.migrating` takes them.

A change of `schema.py` comes with a step here: one file, named after its version, and the version in `schema.py`. A
step names the tables as they were then, and never those of `schema.py`, which go on changing. It must do on SQLite and
PostgreSQL, in a transaction.
"""
