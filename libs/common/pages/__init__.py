"""For people: /openapi.json, and Swagger UI at /docs. All of it is ours to serve; nothing comes from elsewhere.

Swagger UI is swagger-ui-dist 5.35.0 as its authors publish it (Apache-2.0: LICENSE, NOTICE), compressed.
"""

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from libs.common.errors import NotFound
from libs.common.http import reply
from libs.common.openapi import document
from libs.common.operations import Operation, allow

FOLDER = Path(__file__).parent
HTML, SCRIPT, STYLE = "text/html", "text/javascript", "text/css"
PAGE = "index.html"
TYPES = {PAGE: HTML, "start.js": SCRIPT, "swagger-ui-bundle.js": SCRIPT, "swagger-ui.css": STYLE}
# Wider than everywhere else: Swagger UI is a script and a style of ours, brings its icons along, and asks us.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def with_pages(service: str, routes: Iterable[web.AbstractRouteDef]) -> list[web.AbstractRouteDef]:
    """The routes, and the pages that tell of them."""
    declared = list(routes)
    told, files = msgspec.json.encode(document(service, declared)), _compressed()

    @allow()
    @Operation(answers={200: dict[str, Any]})
    async def read_document(_: web.Request) -> web.Response:
        return reply(told)

    @allow()
    @Operation(answers={200: bytes}, answer_types=[HTML, SCRIPT, STYLE], refuses=[NotFound])
    async def read_page(request: web.Request) -> web.Response:
        return _page(request, files)

    return [
        *declared,
        web.get("/openapi.json", read_document),
        web.get("/docs", read_page),
        web.get("/docs/{name}", read_page),
    ]


def _compressed() -> dict[str, bytes]:
    """In memory: half a megabyte, read once."""
    named = {name: FOLDER / f"{name}.gz" for name in TYPES}
    return {
        name: path.read_bytes() if path.exists() else gzip.compress((FOLDER / name).read_bytes(), mtime=0)
        for name, path in named.items()
    }


def _page(request: web.Request, files: Mapping[str, bytes]) -> web.Response:
    name = request.match_info.get("name", PAGE)
    if name not in files:
        raise NotFound
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "public, max-age=3600", "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=gzip.decompress(files[name]), content_type=TYPES[name], headers=headers)
    headers["Content-Encoding"] = "gzip"
    return web.Response(body=files[name], content_type=TYPES[name], headers=headers)
