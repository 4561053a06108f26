"""The pages: an address with a token, on this computer only, nothing kept on disk."""

from __future__ import annotations

import base64
import hmac
import io
import re
import secrets
import shlex
import tempfile
import threading
import webbrowser
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.app import columns, published
from annostat.app.examples import EXAMPLES, example_table
from annostat.app.running import PAGE, PICTURE, run
from annostat.errors import AnnostatError, spoken_to_a_shell

if TYPE_CHECKING:
    from flask import Flask

HOST = "127.0.0.1"
LIMIT = 200  # MB of a table
HELD = 4  # tables in memory
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


@dataclass
class Held:
    """A table in memory, with the page that was made of it."""

    table: columns.Table
    file: str
    data: bytes
    roles: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    page: str = ""


class Memory:
    """The last few tables; older ones are forgotten."""

    def __init__(self) -> None:
        self.tables: OrderedDict[str, Held] = OrderedDict()
        self.lock = threading.Lock()

    def add(self, held: Held) -> str:
        """Hold a table; return its key."""
        key = secrets.token_urlsafe(12)
        with self.lock:
            self.tables[key] = held
            while len(self.tables) > HELD:
                self.tables.popitem(last=False)
        return key


def create_app(*, token: str, limit_mb: float = LIMIT) -> Flask:
    """Return the application.

    Parameters
    ----------
    token : str
        What the address must begin with: pages of other sites cannot know it.
    limit_mb : float
        The largest table, in MB.

    Raises
    ------
    AnnostatError
        If Flask is not installed, or the token is short.
    """
    try:
        from flask import Flask, Request, Response, abort, redirect, render_template, request
    except ImportError:
        raise AnnostatError(
            "the app needs Flask: pip install 'annostat[app]' (or pip install flask)"
        ) from None
    if len(token) < 16:
        raise AnnostatError("token must have 16 characters or more")
    app = Flask("annostat.app", template_folder=str(Path(__file__).parent / "pages"))
    app.config.update(MAX_CONTENT_LENGTH=int(limit_mb * 1e6), MAX_FORM_PARTS=1000)

    class InMemory(Request):
        """Holds uploads in memory; by default large ones are spooled to the disk."""

        def _get_file_stream(self, *_: Any, **__: Any) -> Any:
            return io.BytesIO()

    app.request_class = InMemory
    # Flask escapes only in files that end in .html.
    app.jinja_env.autoescape = True
    memory, root = Memory(), f"/{token}"

    @app.before_request
    def guard() -> None:
        """Refuse other names of this computer (rebinding), and addresses without the token."""
        name = request.host.rsplit(":", 1)[0]
        given = request.path.split("/")[1]
        if name not in (HOST, "localhost") or not hmac.compare_digest(
            given.encode(), token.encode()
        ):
            abort(404)

    @app.after_request
    def shut(response: Response) -> Response:
        """Nothing is loaded from elsewhere, told elsewhere, framed, or cached."""
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    def shown(page: str, error: str = "", **known: Any) -> tuple[str, int]:
        text = render_template(f"{page}.html.j2", root=root, error=error, limit=limit_mb, **known)
        return text, 400 if error else 200

    def held(key: str) -> Held:
        found = memory.tables.get(key)
        if found is None:
            abort(404)
        return found

    @app.errorhandler(413)
    def too_large(_: Exception) -> tuple[str, int]:
        text = f"the table is larger than {limit_mb:g} MB: use the command line"
        return first(text)[0], 413

    @app.get(f"{root}/")
    def drop() -> Any:
        return first()

    def first(error: str = "") -> Any:
        return shown("drop", error, kinds=columns.KINDS, examples=EXAMPLES)

    @app.post(f"{root}/example")
    def take_example() -> Any:
        name = request.form.get("example", "")
        try:
            data = example_table(name)
            return keep(f"{name}.csv", f"{name}.csv", data, EXAMPLES[name].options)
        except AnnostatError as error:
            return first(str(error))

    def keep(name: str, file: str, data: bytes, options: dict[str, str]) -> Any:
        with tempfile.TemporaryDirectory(prefix="annostat-app-") as folder:
            path = Path(folder) / file
            path.write_bytes(data)
            table = columns.looked_at(path, name, options.get("kind", "auto"))
        roles = [c.role for c in table.columns]
        key = memory.add(Held(table, file, data, roles, dict(options)))
        return redirect(f"{root}/{key}/columns", code=303)

    @app.post(f"{root}/table")
    def take() -> Any:
        upload = request.files.get("table")
        kind = request.form.get("kind", "auto")
        if upload is None or not upload.filename:
            return first("choose a table first")
        name = Path(upload.filename.replace("\\", "/")).name
        suffix = Path(name).suffix.lower()
        if suffix not in columns.SUFFIXES:
            text = f"{name}: a table is one of {', '.join(columns.SUFFIXES)}"
            return first(text)
        stem = re.sub(r"[^A-Za-z0-9_.]", "_", Path(name).stem)[:60].lstrip(".") or "table"
        data = upload.read()
        try:
            return keep(name, f"{stem}{suffix}", data, {"kind": kind})
        except AnnostatError as error:
            return first(str(error))

    @app.get(f"{root}/<key>/columns")
    def correct(key: str) -> Any:
        return asked(key)

    def asked(key: str, error: str = "") -> Any:
        found = held(key)
        known = {"kinds": columns.KINDS, "roles": columns.ROLES, "key": key, "held": found}
        if not error:
            try:
                known["read"] = words_of(found)
            except AnnostatError as refused:
                known["refused"] = columns.in_words_of_the_page(str(refused))
        return shown("columns", columns.in_words_of_the_page(error), **known)

    def words_of(found: Held) -> str:
        with tempfile.TemporaryDirectory(prefix="annostat-app-") as folder:
            path = Path(folder) / found.file
            path.write_bytes(found.data)
            with spoken_to_a_shell():
                return columns.what_is_read(path, found.table, found.roles, found.options)

    def filled_in(found: Held) -> None:
        """Take what the form says of a table."""
        roles = request.form.getlist("role")
        if len(roles) == len(found.table.columns):
            found.roles = roles
        found.options = {k: request.form.get(k, "") for k in ("kind", "unit", "exchangeable")}

    @app.post(f"{root}/<key>/columns")
    def look_again(key: str) -> Any:
        filled_in(held(key))
        return asked(key)

    @app.post(f"{root}/<key>/report")
    def compute(key: str) -> Any:
        found = held(key)
        filled_in(found)
        try:
            args, _ = columns.arguments(found.table, found.roles, found.options)
            _, found.page = run("report", args, table=(found.file, found.data), writes=PAGE)
        except AnnostatError as error:
            return asked(key, str(error))
        return redirect(f"{root}/{key}/report", code=303)

    @app.get(f"{root}/<key>/report")
    def read(key: str) -> Any:
        found = held(key)
        if not found.page:
            return redirect(f"{root}/{key}/columns", code=303)
        bar = render_template("bar.html.j2", root=root, key=key)
        return found.page.replace("<body>", f"<body>\n{bar}", 1)

    @app.get(f"{root}/<key>/annostat.html")
    def save(key: str) -> Any:
        response = Response(held(key).page, mimetype="text/html")
        response.headers["Content-Disposition"] = 'attachment; filename="annostat.html"'
        return response

    @app.route(f"{root}/published", methods=["GET", "POST"])
    def calculator() -> Any:
        form = {k: str(v) for k, v in request.form.items()}
        known: dict[str, Any] = {
            "form": form,
            "readings": published.READINGS,
            "numbers": published.NUMBERS,
            "missing": published.missing(form) if form else [],
            "text": "",
            "picture": "",
            "line": "",
        }
        if not form:
            return shown("published", **known)
        try:
            args = published.arguments(form)
            known["text"], drawn = run("bounds", args, writes=PICTURE)
            known["picture"] = base64.b64encode(drawn.encode()).decode()
            known["line"] = shlex.join(["annostat", "bounds", *args])
        except AnnostatError as error:
            return shown("published", str(error), **known)
        return shown("published", **known)

    return app


def serve(*, port: int = 0, limit_mb: float = LIMIT, browser: bool = True) -> None:
    """Serve the application on this computer until it is stopped; print its address.

    Parameters
    ----------
    port : int
        0 for one that is free.
    limit_mb : float
        The largest table, in MB.
    browser : bool
        Whether to open a browser.
    """
    token = secrets.token_urlsafe(24)
    app = create_app(token=token, limit_mb=limit_mb)
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        """Writes no line for a request: the address has the token."""

        def log(self, type: str, message: str, *args: Any) -> None:
            """Say nothing."""

    try:
        server = make_server(HOST, port, app, threaded=True, request_handler=Quiet)
    except (OSError, SystemExit):
        raise AnnostatError(f"port {port} of this computer is taken: choose another one") from None
    address = f"http://{HOST}:{server.port}/{token}/"
    print(f"annostat app: {address}\nOn this computer only, nothing is kept. Ctrl-C ends it.")
    if browser:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("annostat app: ended")
    finally:
        server.server_close()
