"""`/docs`: Swagger UI for the API's own description. Every byte comes from here, and the page may load nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response

router = APIRouter(include_in_schema=False)
POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{each}-src 'self'" for each in ("script", "style", "connect", "font")),
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SECURED = {"Content-Security-Policy": POLICY}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Nautes on Temporal: API</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({url: "openapi.json", dom_id: "#ui", deepLinking: true, validatorUrl: null});
"""
TYPES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon.png": "image/png",
}
Asset = Annotated[Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png", "start.js"], Path()]


@router.get("/docs")
async def page() -> Response:
    """The page."""
    return Response(PAGE, media_type="text/html; charset=utf-8", headers=SECURED)


@router.get("/docs/{asset}")
async def asset(asset: Asset) -> Response:
    """What the page loads; it never changes between two releases."""
    headers = {**SECURED, "Cache-Control": "public, max-age=3600"}
    if asset == "start.js":
        return Response(START, media_type="text/javascript; charset=utf-8", headers=headers)
    content = files("fastapi_offline").joinpath("static", asset).read_bytes()
    return Response(content, media_type=TYPES[asset], headers=headers)
