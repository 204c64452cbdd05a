from __future__ import annotations

import getpass
import os

from django.core.management.base import BaseCommand, CommandError

from web.accounts import services
from web.common.errors import BadInput


class Command(BaseCommand):
    help = "Add an account, the first administrator of an installation for one. The password is asked for, or taken from NEW_PASSWORD."

    def add_arguments(self, parser):
        parser.add_argument("number", help="the number it signs in with")
        parser.add_argument("--name", required=True)
        parser.add_argument("--role", action="append", required=True, help="may be given several times")
        parser.add_argument("--group")
        parser.add_argument("--leads", action="store_true", help="leads the group")

    def handle(self, *args, number, name, role, group, leads, **options):
        password = os.environ.get("NEW_PASSWORD") or getpass.getpass("Password: ")
        try:
            services.add_user(number, name, password, roles=role, group=group, leads=leads)
        except BadInput as refused:
            wrong = (f"{field}: {found[0]['code']}" for field, found in refused.facts["fields"].items())
            raise CommandError("; ".join(wrong)) from None
        self.stdout.write(f"{number} may sign in")
