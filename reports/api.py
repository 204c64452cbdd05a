from __future__ import annotations

from itertools import islice

from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts import services as accounts
from web.common import clock
from web.common.audit import audit
from web.common.errors import BadInput, NotFound
from web.common.names import BilingualName

from .base import Report
from .catalog import REPORTS
from .exports import WRITERS, watermark

PAGE = 100


class ParamOut(serializers.Serializer):
    name = serializers.CharField()
    kind = serializers.CharField()
    title = BilingualName()
    choices = serializers.ListField(child=serializers.CharField())
    default = serializers.JSONField(allow_null=True)


class ReportOut(serializers.Serializer):
    name = serializers.CharField()
    title = BilingualName()
    params = ParamOut(many=True)


class ColumnOut(serializers.Serializer):
    key = serializers.CharField()
    title = BilingualName()
    kind = serializers.CharField()


class TableOut(serializers.Serializer):
    columns = ColumnOut(many=True)
    rows = serializers.ListField(child=serializers.ListField(child=serializers.JSONField(allow_null=True)))
    next = serializers.CharField(allow_null=True)


def permitted(request, name: str) -> Report:
    report = REPORTS.get(name)
    if report is None:
        raise NotFound(what="report")
    accounts.require(request.user, report.permission)
    return report


class Catalog(APIView):
    @extend_schema(responses=ReportOut(many=True), operation_id="reports_list")
    def get(self, request):
        seen = [report for report in REPORTS.values() if accounts.has_permission(request.user, report.permission)]
        return Response(
            [
                {
                    "name": report.name,
                    "title": report.title,
                    "params": [
                        {
                            "name": p.name,
                            "kind": p.kind,
                            "title": p.title,
                            "choices": list(p.choices),
                            "default": p.default,
                        }
                        for p in report.params
                    ],
                }
                for report in seen
            ]
        )


class Table(APIView):
    @extend_schema(responses=TableOut, parameters=[OpenApiParameter("cursor", str)], operation_id="reports_read")
    def get(self, request, name: str):
        report = permitted(request, name)
        asked = report.check(request.query_params)
        cursor = request.query_params.get("cursor") or "0"
        if not cursor.isdigit() or int(cursor) > 1_000_000:
            raise BadInput("bad_cursor")
        begin = int(cursor)
        rows = list(islice(report.rows(asked, request.user), begin, begin + PAGE + 1))
        columns = [{"key": c.key, "title": c.title, "kind": c.kind} for c in report.columns]
        return Response(
            {"columns": columns, "rows": rows[:PAGE], "next": str(begin + PAGE) if len(rows) > PAGE else None}
        )


class Export(APIView):
    @extend_schema(
        responses={(200, "text/csv"): OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter("type", str, enum=list(WRITERS)),
            OpenApiParameter("lang", str, enum=["zh", "en"]),
        ],
        operation_id="reports_export",
    )
    def get(self, request, name: str):
        report = permitted(request, name)
        accounts.require(request.user, "reports.export")
        kind, language = request.query_params.get("type", "csv"), request.query_params.get("lang", "zh")
        choices = {"type": (kind, WRITERS), "lang": (language, ("zh", "en"))}
        wrong = {name: [{"code": "not_a_choice"}] for name, (given, known) in choices.items() if given not in known}
        if wrong:
            raise BadInput("bad_parameters", fields=wrong)
        asked = report.check(request.query_params)
        writer, content_type = WRITERS[kind]
        audit(
            "report.exported",
            f"report:{report.name}",
            actor=request.user,
            format=kind,
            asked=dict(request.query_params.items()),
        )
        mark = watermark(report, request.user, clock.now(), language)
        answer = StreamingHttpResponse(
            writer(report, report.rows(asked, request.user), mark=mark, language=language), content_type=content_type
        )
        answer["Content-Disposition"] = f'attachment; filename="{report.name}.{kind}"'
        return answer
