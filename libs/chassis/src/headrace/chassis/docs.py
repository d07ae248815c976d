"""The pages under /docs: Swagger UI from files of a package, so that they work where there is no internet."""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from fastapi.openapi.docs import get_swagger_ui_html

PAGE = "/docs"
TYPES: Mapping[str, str] = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon.png": "image/png",
}
"""The files beside the page, by name, with their content type."""
PATHS = frozenset({PAGE, *(f"{PAGE}/{name}" for name in TYPES)})
CACHED = "public, max-age=86400"  # they change with a release only
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@cache
def page(title: str) -> bytes:
    """The page that shows /openapi.json."""
    return bytes(
        get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=title,
            swagger_js_url=f"{PAGE}/swagger-ui-bundle.js",
            swagger_css_url=f"{PAGE}/swagger-ui.css",
            swagger_favicon_url=f"{PAGE}/favicon.png",
        ).body
    )


@cache
def file(name: str) -> bytes:
    """A file beside the page; raises KeyError where there is none of that name."""
    if name not in TYPES:
        raise KeyError(name)
    return files("fastapi_offline").joinpath("static", name).read_bytes()


@cache
def policy(title: str) -> str:
    """What the page may load: its own files, and the one script that stands in it."""
    scripts = (hashlib.sha256(each.encode()).digest() for each in _SCRIPT.findall(page(title).decode()))
    allowed = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in scripts)
    return (
        f"default-src 'none'; connect-src 'self'; frame-ancestors 'none'; script-src 'self' {allowed}; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
    )
