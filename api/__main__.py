"""`python -m api`: serve on NAUTES_API_HOST and NAUTES_API_PORT, and metrics on a port of their own."""

from __future__ import annotations

import uvicorn

from api.app import create_app
from nautes.clients.settings import Settings
from nautes.telemetry import logs, tracing
from nautes.telemetry.sdk import SdkMetrics


def main() -> None:
    """Serve until TERM."""
    settings = Settings()
    logs.setup(settings.log_format)
    with tracing.recorded("nautes-api"):
        uvicorn.run(
            create_app(settings, SdkMetrics() if settings.api_metrics_port else None),
            host=settings.api_host,
            port=settings.api_port,
            log_config=None,
            access_log=False,
            server_header=False,
        )


if __name__ == "__main__":
    main()
