"""What this installation keeps outside the repository: its data folder, its secret key and its sealing keys.

Everything here runs before Django's settings exist, so it depends on the standard library alone.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

PRIVATE = 0o600


class SetupRefused(SystemExit):
    """The product cannot start here. Leaves one line on standard error and exit code 1, no traceback."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"zuoxi: {reason}")


def data_folder(path: Path) -> Path:
    """The data folder, made when absent. Raises SetupRefused when this user cannot write in it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # As root the permission bits say nothing and a read-only mount everything: only writing tells.
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise SetupRefused(f"the data folder {path} cannot be written ({error.strerror}); set ZUOXI_DATA") from None
    return path


def _made_once(path: Path, content: str) -> str:
    """The content of a private file, written by whichever process comes first.

    The file appears complete or not at all: it is written beside its place and then linked into it.
    """
    if not path.exists():
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(content)
            Path(draft).chmod(PRIVATE)
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            Path(draft).unlink()
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SetupRefused(f"{path} cannot be read ({error.strerror})") from None


def secret_key(path: Path) -> str:
    """Django's SECRET_KEY of this installation, made on its first start."""
    return _made_once(path, secrets.token_urlsafe(64)).strip()


def seal_keys(path: Path) -> Path:
    """The file of the keys that seal personal fields, made on the first start.

    JSON: {"active": key id, "keys": {key id: 32 bytes in base64}, "blind": 32 bytes in base64}, as web.common.seals
    reads it. Losing this file loses every sealed field, so it belongs in a backup of its own, never beside the
    database's.
    """

    def fresh() -> str:
        return base64.b64encode(secrets.token_bytes(32)).decode()

    text = _made_once(path, json.dumps({"active": "k1", "keys": {"k1": fresh()}, "blind": fresh()}, indent=1))
    try:
        content = json.loads(text)
        lengths = {len(base64.b64decode(key)) for key in [*content["keys"].values(), content["blind"]]}
        usable = content["active"] in content["keys"] and lengths == {32}
    except (ValueError, KeyError, TypeError, AttributeError):
        usable = False
    if not usable:
        raise SetupRefused(f"{path} is not a file of sealing keys")
    return path
