"""The page as a web application: what it answers, and whom.

Every address begins with a token that only the judge has been told; whoever does not know it gets
404. Requests by another name than the loopback's are refused, so that no page of a foreign site
that had its name point here (DNS rebinding) reads anything.
"""

import hmac
import json
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, abort, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.exceptions import HTTPException

from indexes.errors import PairloomError
from pipelines.judge.session import JudgingSession
from pipelines.marks.marks_file import PARTS, VERDICTS
from transforms.package_data import find_package_data

FILES = {"page.css": "text/css", "page.js": "text/javascript"}
MOST_BYTES = 10_000
"""A request of the page is a few hundred bytes."""
LOOPBACK = ("127.0.0.1", "localhost")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def make_app(
    session: JudgingSession, *, name: str, token: str, finish: Callable[[], None]
) -> Flask:
    """The application for `session` on the data set called `name`; `finish` ends its server."""
    app = Flask("pairloom.judge", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES

    @app.before_request
    def refuse_others() -> None:
        if request.host.partition(":")[0] not in LOOPBACK:
            abort(403)
        given = str((request.view_args or {}).pop("token", ""))
        if not hmac.compare_digest(given.encode(), token.encode()):
            abort(404)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    @app.errorhandler(PairloomError)
    @app.errorhandler(ValueError)
    def tell(error: Exception) -> Response:
        code = 400 if isinstance(error, ValueError) else 500
        return _json({"error": str(error)}, code)

    @app.errorhandler(HTTPException)
    def tell_plainly(error: HTTPException) -> Response:
        return _json({"error": error.name}, error.code or 500)

    _add_pages(app, session, name)

    @app.post("/<token>/finish")
    def end() -> Response:
        finish()
        return _json({"ended": True})

    return app


def _add_pages(app: Flask, session: JudgingSession, name: str) -> None:
    folder = find_package_data("pipelines", "judge")
    templates = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined
    )

    @app.get("/<token>/")
    def page() -> str:
        return templates.get_template("page.html").render(name=name, judge=session.judge)

    @app.get("/<token>/<any('page.css', 'page.js'):file>")
    def part(file: str) -> Response:
        return Response((folder / file).read_bytes(), mimetype=FILES[file])

    @app.get("/<token>/picture/<int:position>/<picture>.png")
    def picture(position: int, picture: str) -> Response:
        return Response(session.picture(position, picture), mimetype="image/png")

    @app.get("/<token>/state")
    def state() -> Response:
        return _json(session.state())

    @app.get("/<token>/summary")
    def summary() -> Response:
        return _json(session.summary().as_dict())

    @app.post("/<token>/mark")
    def mark() -> Response:
        key, verdict, parts = _read_mark(request.get_json())
        return _json(session.mark(key, verdict, parts))

    @app.post("/<token>/undo")
    def undo() -> Response:
        return _json(session.undo())


def _read_mark(content: object) -> tuple[str, str, list[str]]:
    if not isinstance(content, dict) or not isinstance(content.get("key"), str):
        raise ValueError("a mark must have key, verdict and parts")
    verdict, parts = content.get("verdict"), content.get("parts")
    if verdict not in VERDICTS:
        raise ValueError(f"verdict must be {', '.join(VERDICTS)}, got {verdict!r}")
    if not isinstance(parts, list) or not all(part in PARTS for part in parts):
        raise ValueError(f"parts must be some of {', '.join(PARTS)}")
    return content["key"], str(verdict), parts


def _json(content: Any, code: int = 200) -> Response:
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return Response(text, code, mimetype="application/json")
