"""The same in a browser, on this computer only: drop a table, correct it, read the page."""

from __future__ import annotations

from annostat.app.server import create_app, serve

__all__ = ["create_app", "serve"]
