"""The database of the stand-in: sqlite in WAL mode, one connection, one lock. Survives a kill."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Row = dict[str, Any]
SCHEMA = """
create table if not exists users (id integer primary key, username text unique collate nocase, name text, email text unique
  collate nocase, admin integer default 0, can_create_group integer default 1, state text default 'active', bot integer default 0,
  created_at text);
create table if not exists tokens (id integer primary key, user_id integer, name text, digest text unique, scopes text,
  expires_at text, revoked integer default 0, created_at text, project_id integer, access_level integer);
create table if not exists namespaces (id integer primary key, path text unique collate nocase, name text, parent_id integer,
  visibility text, description text, created_at text, marked text);
create table if not exists projects (id integer primary key, namespace_id integer, path text, full_path text unique
  collate nocase, name text, visibility text, description text, default_branch text, creator_id integer, created_at text,
  last_activity_at text, marked text);
create table if not exists members (id integer primary key, kind text, source_id integer, user_id integer, access_level integer,
  created_at text, unique (kind, source_id, user_id));
create table if not exists hooks (id integer primary key, project_id integer, url text, token text, signing_token text,
  events text, ssl integer default 1, branch_filter text default '', created_at text, failures integer default 0,
  disabled_until text, disabled integer default 0);
create table if not exists deliveries (id integer primary key, hook_id integer, trigger text, url text, headers text, body text,
  status text, response text, duration real, created_at text);
create table if not exists keys (id integer primary key, title text, key text, fingerprint text unique, created_at text,
  creator_id integer, expires_at text);
create table if not exists key_links (key_id integer, project_id integer, can_push integer, primary key (key_id, project_id));
create table if not exists protected (id integer primary key, project_id integer, name text, push_level integer,
  merge_level integer, allow_force integer default 0, unique (project_id, name));
create table if not exists statuses (id integer primary key, project_id integer, sha text, name text, state text, ref text,
  description text, target_url text, author_id integer, created_at text, started_at text, finished_at text);
create table if not exists comments (id integer primary key, project_id integer, sha text, note text, author_id integer,
  created_at text, path text, line integer, line_type text);
create table if not exists events (id integer primary key, project_id integer, author_id integer, action text, ref text,
  ref_type text, before text, after text, commits integer, title text, ref_count integer, created_at text);
create table if not exists settings (key text primary key, value text);
"""
# Columns that came later; a database of before them gets them.
ADDED = {
    "namespaces": {"marked": "text"},
    "keys": {"expires_at": "text"},
    "comments": {"path": "text", "line": "integer", "line_type": "text"},
}


class Store:
    """Thin: SQL stays readable in the modules that own a table."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("pragma journal_mode=wal")
        self._connection.execute("pragma synchronous=normal")
        self._connection.executescript(SCHEMA)
        for table, columns in ADDED.items():
            known = {row["name"] for row in self._connection.execute(f"pragma table_info({table})")}
            for name in columns.keys() - known:
                self._connection.execute(f"alter table {table} add column {name} {columns[name]}")

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Every row."""
        with self._lock:
            return [dict(row) for row in self._connection.execute(sql, values).fetchall()]

    def one(self, sql: str, *values: Any) -> Row | None:
        """The first row, or None."""
        with self._lock:
            row = self._connection.execute(sql, values).fetchone()
            return dict(row) if row else None

    def get(self, table: str, row_id: int) -> Row:
        """The row of an id that something else in the database holds."""
        row = self.one(f"select * from {table} where id = ?", row_id)  # noqa: S608 - names are ours
        if row is None:
            raise LookupError(f"{table} {row_id}")
        return row

    def run(self, sql: str, *values: Any) -> int:
        """Change something; returns how many rows."""
        with self._lock:
            return self._connection.execute(sql, values).rowcount

    def insert(self, table: str, **values: Any) -> int:
        """Add a row; returns its id. Raises sqlite3.IntegrityError when something unique is taken."""
        names = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        with self._lock:
            sql = f"insert into {table} ({names}) values ({marks})"  # noqa: S608 - names are ours
            return int(self._connection.execute(sql, tuple(values.values())).lastrowid or 0)

    def update(self, table: str, row_id: int, **values: Any) -> None:
        """Change a row."""
        if values:
            pairs = ", ".join(f"{name} = ?" for name in values)
            self.run(f"update {table} set {pairs} where id = ?", *values.values(), row_id)  # noqa: S608


def now() -> str:
    """GitLab's time: UTC with milliseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def digest(token: str) -> str:
    """Tokens are kept hashed."""
    return hashlib.sha256(token.encode()).hexdigest()


def listed(text: str | None) -> list[Any]:
    """A JSON list kept in a column."""
    return list(json.loads(text)) if text else []
