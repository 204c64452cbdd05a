from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from engine import cases
from engine.definitions import Bundle, DefinitionError, read_folder
from engine.exceptions import Problem
from engine.verbs import REGISTRY
from web.common.errors import DomainError
from web.workflow import services
from web.workflow.services.acts import find_user
from web.workflow.services.publishing import folders, problems_of


class Command(BaseCommand):
    help = "Flows: check [FOLDER…] | deploy [FOLDER] | start KEY [--data JSON]"

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        check = acts.add_parser("check", help="lint flows and play their cases; exit 1 when anything is wrong")
        check.add_argument("folders", nargs="*", help="folders of single flows; all in FLOWS_DIR when none is given")
        deploy = acts.add_parser("deploy", help="publish the flows of a folder")
        deploy.add_argument("folder", nargs="?", help="FLOWS_DIR when not given")
        start = acts.add_parser("start", help="start the current version of a flow")
        start.add_argument("key")
        start.add_argument("--data", default="{}", help="start data as a JSON object")
        start.add_argument("--business-key", default="")
        start.add_argument("--as", dest="number", default="", help="工号 of the person who starts it")

    def handle(self, *args: Any, **options: Any) -> None:
        acts = {"check": self.check_flows, "deploy": self.deploy_flows, "start": self.start_flow}
        acts[options["act"]](options)

    # check

    def check_flows(self, options: dict[str, Any]) -> None:
        wrong = 0
        for folder in self._asked(options["folders"]):
            wrong += self._check_one(folder)
        if wrong:
            raise CommandError(f"{wrong} errors", returncode=1)

    def _asked(self, given: list[str]) -> list[Path]:
        root = Path(settings.FLOWS_DIR)
        if not given:
            return [root / key for key in folders(root)]
        return [Path(one) if Path(one).is_dir() else root / one for one in given]

    def _check_one(self, folder: Path) -> int:
        folder = folder.resolve()
        if not folder.is_dir():
            return self._tell(folder.name, None, [Problem(folder.name, "no_folder", f"there is no folder {folder}")])
        try:
            bundle = read_folder(folder.parent, folder.name, shared=Path(settings.FLOWS_DIR))
        except DefinitionError as error:
            return self._tell(folder.name, None, error.problems)
        wrong = self._tell(folder.name, bundle, problems_of(bundle))
        if wrong:
            return wrong
        wrong, told = self._play(folder.name, bundle)
        self.stdout.write(f"{folder.name}: {'ok' if not wrong else 'refused'}{told}")
        return wrong

    def _tell(self, key: str, bundle: Bundle | None, problems: list[Problem]) -> int:
        for problem in problems:
            where = f"{_file_of(key, bundle, problem.element_id)}:{problem.element_id}"
            mark = "" if problem.severity == "error" else "warning: "
            self.stderr.write(f"{where}: {mark}{problem.code} {problem.message}")
        return sum(problem.severity == "error" for problem in problems)

    def _play(self, key: str, bundle: Bundle) -> tuple[int, str]:
        """Cases beside the flow: every one must hold, and together they must walk every way."""
        if f"{key}/cases.yaml" not in bundle.files:
            self.stderr.write(f"{key}/cases.yaml:{key}: no_cases the flow has no cases")
            return 1, ""
        try:
            report = cases.run_cases(bundle, REGISTRY)
        except Exception as error:
            self.stderr.write(f"{key}/cases.yaml:{key}: cases_unreadable {error}")
            return 1, ""
        failed = [case for case in report.cases if not case.ok]
        for case in failed:
            for problem in case.problems:
                self.stderr.write(f"{key}/cases.yaml:{case.name}: case_failed {problem}")
        for identifier in report.missing:
            self.stderr.write(f"{key}/{key}.bpmn:{identifier}: not_walked no case takes this way")
        return len(failed) + len(report.missing), f", {len(report.cases)} cases"

    # deploy

    def deploy_flows(self, options: dict[str, Any]) -> None:
        done = services.deploy_folder(Path(options["folder"] or settings.FLOWS_DIR))
        for key in done.published:
            self.stdout.write(f"{key}: version {services.current_version(key).number}")
        for key in done.unchanged:
            self.stdout.write(f"{key}: unchanged")
        for key, problems in done.refused.items():
            self._tell(key, None, problems)
        if done.refused:
            raise CommandError(f"{len(done.refused)} flows refused", returncode=1)

    # start

    def start_flow(self, options: dict[str, Any]) -> None:
        try:
            data = json.loads(options["data"])
        except ValueError as error:
            raise CommandError(f"--data is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise CommandError("--data is not a JSON object")
        key = options["key"]
        try:
            user = find_user(options["number"]) if options["number"] else None
            instance = services.start(
                key, key=options["business_key"] or f"manual:{uuid4()}", data=data, acting_user=user
            )
        except DomainError as error:
            raise CommandError(f"{error.code} {error.facts or ''}".strip()) from error
        view = services.instance_view(instance)
        waiting = ", ".join(token["element"] for token in view["tokens"]) or "-"
        self.stdout.write(f"instance {instance.pk} {instance.business_key} {view['status']}: {waiting}")


def _file_of(key: str, bundle: Bundle | None, element: str) -> str:
    """The file in which an id stands, a diagram before a list of names; the flow's own diagram when none has it."""
    quoted = f'"{element}"'.encode()
    files = sorted(bundle.files.items(), key=lambda file: (not file[0].endswith(".bpmn"), file)) if bundle else []
    return next((name for name, content in files if element == name or quoted in content), f"{key}/{key}.bpmn")
