"""WebSockets for the full stack (uvicorn behind /ws); answers HTTP as well, as the embedded default does."""

from __future__ import annotations

from web.config.server import application

__all__ = ["application"]
