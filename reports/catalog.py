from __future__ import annotations

from .base import Report
from .call_detail.report import CallDetail
from .overdue_tasks.report import OverdueTasks

REPORTS: dict[str, Report] = {report.name: report for report in (CallDetail(), OverdueTasks())}
