from __future__ import annotations

from django.urls import path

from . import api

urlpatterns = [
    path("reports", api.Catalog.as_view()),
    path("reports/<str:name>", api.Table.as_view()),
    path("reports/<str:name>/export", api.Export.as_view()),
]
