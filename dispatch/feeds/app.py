"""The web application: REST, live socket, metrics, and the built dashboard under a strict content policy."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from dispatch.feeds.context import Context
from dispatch.feeds.metrics import MetricsPage
from dispatch.feeds.models import Problem
from dispatch.feeds.rest import rest_router
from dispatch.feeds.socket import live_socket

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; worker-src 'self'; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NO_DASHBOARD = (
    "<!doctype html><title>Dashboard not built</title><p>The dashboard is not built. In a clone run "
    "<code>make dashboard</code>; an installed package brings it. The data is at <code>/api</code>."
)


def create_app(context: Context) -> FastAPI:
    """All addresses of one running system."""
    app = FastAPI(title="Bus command centre", version="0.1.0", docs_url=None, redoc_url=None)
    app.include_router(rest_router(context))
    app.include_router(live_socket(context))
    metrics = MetricsPage(context)

    @app.get("/metrics", response_model=None, include_in_schema=False)
    async def metrics_page() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        if request.url.path.startswith("/assets/") and response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            response.headers.setdefault("Cache-Control", "no-cache")
        return response

    app.add_exception_handler(HTTPException, _problem_of_status)
    app.add_exception_handler(RequestValidationError, _problem_of_request)
    static = context.static or built_dashboard()
    if static is not None:
        app.mount("/", StaticFiles(directory=static, html=True), name="dashboard")
    else:

        @app.get("/", include_in_schema=False)
        async def no_dashboard() -> Response:
            return Response(_NO_DASHBOARD, media_type="text/html")

    return app


def built_dashboard() -> Path | None:
    """The folder of the built dashboard: in the installed package, or in a clone; None when there is none."""
    here = Path(__file__).parent
    for folder in (here / "static", here.parents[1] / "dashboard" / "dist"):
        if (folder / "index.html").exists():
            return folder
    return None


async def _problem_of_status(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, str(error.detail))


async def _problem_of_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _problem(422, f"{where}: {first['msg']}")


def _problem(status: int, detail: str) -> Response:
    titles = {404: "Not found", 405: "Method not allowed", 422: "Request not understood"}
    body = Problem(title=titles.get(status, "Error"), status=status, detail=detail)
    return Response(body.model_dump_json(), status_code=status, media_type="application/problem+json")
