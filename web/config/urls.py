"""Every address of the product. Rooms bring their own below /api/; what is left belongs to the browser's router."""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from web.config import health, pages

handler500 = "web.config.pages.failed"
urlpatterns = [
    path("healthz", health.healthz),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/", include("web.accounts.api")),
    path("api/", include("web.announcements.api")),
    path("api/", include("web.agents.api")),
    path("api/", include("web.customers.api")),
    path("api/", include("web.clinics.api")),
    path("api/", include("web.membership.api")),
    path("api/", include("web.calls.api")),
    path("api/", include("web.routing.api")),
    path("api/", include("web.workflow.api")),
    path("api/", include("web.messaging.api")),
    path("api/", include("web.tickets.api")),
    path("api/", include("web.payments.api")),
    path("api/", include("web.appointments.api")),
    path("api/", include("web.orders.api")),
    path("api/", include("web.telephony.api")),
    path("api/", include("web.desk.api")),
    path("api/", include("reports.urls")),
    re_path(r"^(?:api|static|ws)(?:/(?P<path>.*))?$", pages.no_such_address),
    re_path(r"^(?P<path>.*)$", pages.index),
]
