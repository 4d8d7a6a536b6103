"""`python -m api`: serve on NAUTES_API_HOST and NAUTES_API_PORT."""

from __future__ import annotations

import uvicorn

from api.app import create_app
from nautes.clients.settings import Settings


def main() -> None:
    """Serve until TERM."""
    settings = Settings()
    uvicorn.run(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        log_level="info",
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
