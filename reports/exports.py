"""Reports as files (X-28): the same rows and masks as on the screen, who took them in the first line, formulas disarmed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from tempfile import TemporaryFile
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter
from django.conf import settings

from .base import Column, Report

XLSX_MOST_ROWS = 1_000_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def disarm(text: str) -> str:
    """A cell that a spreadsheet would run becomes text."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(value: Any, column: Column) -> Any:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(settings.TIME_ZONE)).strftime("%Y-%m-%d %H:%M:%S")
    if column.kind == "duration_ms":
        return round(value / 1000, 1)
    return disarm(value) if isinstance(value, str) else value


def watermark(report: Report, user: Any, at: datetime, language: str) -> str:
    when = at.astimezone(ZoneInfo(settings.TIME_ZONE)).strftime("%Y-%m-%d %H:%M:%S")
    return f"{report.title[language]} · {user.number} · {when}"


def as_csv(report: Report, rows: Iterable[tuple], *, mark: str, language: str) -> Iterator[bytes]:
    """UTF-8 with a byte order mark, in pieces; the memory needed does not grow with the rows."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([mark])
    writer.writerow([column.title[language] for column in report.columns])
    yield b"\xef\xbb\xbf"
    for row in rows:
        writer.writerow([_plain(value, column) for value, column in zip(row, report.columns, strict=True)])
        if buffer.tell() > 64 * 1024:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def as_xlsx(report: Report, rows: Iterable[tuple], *, mark: str, language: str) -> Iterator[bytes]:
    """One sheet of at most a million rows, written row by row to a temporary file."""
    with TemporaryFile() as file:
        book = xlsxwriter.Workbook(
            file, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        )
        sheet = book.add_worksheet(report.name[:31])
        sheet.write_string(0, 0, mark)
        for index, column in enumerate(report.columns):
            sheet.write_string(1, index, column.title[language])
        for line, row in enumerate(rows, start=2):
            if line > XLSX_MOST_ROWS:
                sheet.write_string(line, 0, "…")
                break
            for index, (value, column) in enumerate(zip(row, report.columns, strict=True)):
                cell = _plain(value, column)
                sheet.write_string(line, index, cell) if isinstance(cell, str) else sheet.write(line, index, cell)
        book.close()
        file.seek(0)
        while piece := file.read(64 * 1024):
            yield piece


WRITERS = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "xlsx": (as_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}
