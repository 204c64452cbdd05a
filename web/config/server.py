"""The one application both stacks serve.

HTTP goes through Django's WSGI handler on a shared pool of threads: Django's own ASGI handler starts a thread pool
per request and costs twelve times as much on a small answer. Beside it, because all of its threads may wait for the
database, the health page. WebSockets go through Channels, same origin only.
"""

from __future__ import annotations

import os

from a2wsgi import WSGIMiddleware
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator

from web.config.health import Beside
from web.config.wsgi import application as wsgi  # sets Django up: the sockets below need its models
from web.desk.sockets import websocket_urlpatterns

application = ProtocolTypeRouter(
    {
        "http": Beside(WSGIMiddleware(wsgi, workers=int(os.environ.get("HTTP_THREADS", "8")))),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
