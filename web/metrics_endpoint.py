"""Who may read the metrics, and where: /metrics, beside the pages, and not below the path of the site."""

import hmac
import os
import re
import sys
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pages.shared import metrics

METRICS_SETTING = "PETROL_METRICS"
_KEY = re.compile(r"[!-~]{16,}")


def routes() -> Sequence[Route]:
    """Return the route to the metrics, if somebody may read them; end the process if the setting is malformed."""
    key = os.environ.get(METRICS_SETTING, "").strip()
    if key in ("", "off"):
        return []
    if key != "open" and not _KEY.fullmatch(key):
        sys.exit(
            f"{METRICS_SETTING}: {key[:3]!r}... is neither off nor open nor a key of at least 16 characters. "
            "openssl rand -hex 16 writes one."
        )
    figures = metrics.start_counting()

    async def send(request: Request) -> Response:
        authorization = request.headers.get("authorization", "").encode()
        if key != "open" and not hmac.compare_digest(authorization, f"Bearer {key}".encode()):
            message = f"Send the header Authorization: Bearer KEY, with the key that {METRICS_SETTING} has.\n"
            return PlainTextResponse(message, 401, {"WWW-Authenticate": "Bearer"})
        return Response(await run_in_threadpool(figures.text), media_type="text/plain; version=0.0.4")

    return [Route("/metrics", send)]
