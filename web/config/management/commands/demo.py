from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from web.accounts.models import User
from web.config.demo import load

# Nobody mistakes one of these for another when typing the password from a screen.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def new_password() -> str:
    """Fifteen signs in three groups, about 74 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(3))


def lay(path: Path, text: str) -> None:
    """Write a file that only this account may read, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


class Command(BaseCommand):
    help = "Load invented people, customers and lines; print one account per role. Again: nothing new."

    def handle(self, *args, **options):
        if settings.PRODUCTION:
            raise CommandError("Demo data are refused in production.")
        if User.objects.filter(is_demo=False).exists():
            raise CommandError("There are real accounts in this database: demo data stay out.")
        try:
            known = json.loads(settings.DEMO_MARK.read_text(encoding="utf-8"))["password"]
        except (OSError, ValueError, KeyError):
            known = None
        password = known or new_password()
        people = load.load(password, renew=known is None)
        accounts = [{name: person[name] for name in ("number", "role", "extension")} for person in people]
        lay(settings.DEMO_MARK, json.dumps({"password": password, "accounts": accounts}))
        if not settings.TOKEN_FILE.exists():
            lay(settings.TOKEN_FILE, secrets.token_urlsafe(32))
        self.stdout.write(f"\nDemo accounts (password of all: {password})")
        for person in people:
            seat = f"分机 {person['extension']}" if person["extension"] else ""
            self.stdout.write(f"  {person['number']}  {person['role']:<12} {person['name']}  {seat}".rstrip())
