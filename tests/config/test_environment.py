"""What an installation keeps outside the repository, and how it refuses in one line."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.servers import ROOT, product_environment
from web.config.env import SetupRefused, data_folder, seal_keys, secret_key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_start_makes_a_key_of_its_own_and_later_ones_keep_it(tmp_path: Path) -> None:
    first = secret_key(tmp_path / "secret.key")
    assert len(first) >= 64
    assert secret_key(tmp_path / "secret.key") == first
    assert secret_key(tmp_path / "another.key") != first
    assert mode(tmp_path / "secret.key") == 0o600
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_sealing_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    file = seal_keys(tmp_path / "seal.keys")
    content = json.loads(file.read_text())
    assert content["active"] in content["keys"]
    assert {len(base64.b64decode(key)) for key in [*content["keys"].values(), content["blind"]]} == {32}
    assert mode(file) == 0o600
    assert json.loads(seal_keys(file).read_text()) == content


def test_two_processes_that_start_at_once_agree_on_the_keys(tmp_path: Path) -> None:
    made: list[str] = []
    barrier = threading.Barrier(8)

    def begin() -> None:
        barrier.wait()
        made.append(secret_key(tmp_path / "secret.key"))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(made) == 8
    assert len(set(made)) == 1


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"active": "k2", "keys": {"k1": "QQ=="}, "blind": "QQ=="}'])
def test_a_broken_file_of_sealing_keys_is_refused_not_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "seal.keys"
    file.write_text(text)
    with pytest.raises(SetupRefused, match=r"seal\.keys is not a file of sealing keys"):
        seal_keys(file)
    assert file.read_text() == text


def test_a_data_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupRefused, match="cannot be written"):
        data_folder(tmp_path / "file" / "var")


def test_manage_py_says_it_in_one_line_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    env = product_environment(tmp_path / "file" / "var")
    command = [sys.executable, "manage.py", "run_all"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("zuoxi: the data folder ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    folder.mkdir(mode=0o555)
    become_nobody = "os.setuid(65534)" if os.geteuid() == 0 else "None"  # permission bits do not stop root
    script = (
        f"import os, pathlib, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from web.config.env import data_folder\n"
        f"{become_nobody}\n"
        f"data_folder(pathlib.Path({str(folder)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
