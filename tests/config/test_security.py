"""Who is really calling, how long a session lives, how passwords are kept, what the page may load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from web.config import logging as product_logging
from web.config import pages, rest, security


# --- addresses ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "peer, forwarded, trusted, expected",
    [
        ("203.0.113.9", "10.1.1.1", [], "203.0.113.9"),
        ("203.0.113.9", "10.1.1.1", ["10.0.0.0/8"], "203.0.113.9"),  # a header anybody can write
        ("10.0.0.2", "198.51.100.7", ["10.0.0.0/8"], "198.51.100.7"),
        ("10.0.0.2", "1.2.3.4, 198.51.100.7, 10.0.0.3", ["10.0.0.0/8"], "198.51.100.7"),  # 1.2.3.4 was written by him
        ("10.0.0.2", "", ["10.0.0.0/8"], "10.0.0.2"),
        ("10.0.0.2", "nonsense", ["10.0.0.0/8"], "nonsense"),
        ("::1", "2001:db8::5", ["::1"], "2001:db8::5"),
    ],
)
def test_the_address_is_the_last_one_no_trusted_proxy_wrote(
    peer: str, forwarded: str, trusted: list[str], expected: str
) -> None:
    assert security.real_address(peer, forwarded, trusted) == expected


# --- sessions ----------------------------------------------------------------------------------------------------
def visit(rf: RequestFactory, session: SessionStore) -> HttpRequest:
    request = rf.get("/api/session")
    request.session = session
    request.COOKIES[live_settings.SESSION_COOKIE_NAME] = session.session_key or "x"
    security.SessionLife(lambda request: HttpResponse())(request)
    return request


def test_a_session_is_rewritten_once_a_minute_not_at_every_click(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [1_000_000.0]
    monkeypatch.setattr(security.time, "time", lambda: at[0])
    session = SessionStore()
    session._session_cache = {"user": "8001"}
    written = []
    for seconds in (0, 5, 50, 61, 62, 130):
        at[0] = 1_000_000.0 + seconds
        session.modified = False
        visit(rf, session)
        written.append(session.modified)
    assert written == [True, False, False, True, False, True]


@pytest.mark.django_db
def test_a_session_ends_twelve_hours_after_sign_in_however_busy(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [1_000_000.0]
    monkeypatch.setattr(security.time, "time", lambda: at[0])
    session = SessionStore()
    session["user"] = "8001"
    session.save()
    for _ in range(24):
        at[0] += 29 * 60
        assert visit(rf, session).session.get("user") == "8001"
    at[0] += 60 * 60
    assert visit(rf, session).session.get("user") is None


@pytest.mark.req("X-17")
def test_an_idle_session_lives_half_an_hour_and_its_cookie_is_out_of_reach_of_scripts() -> None:
    assert live_settings.SESSION_COOKIE_AGE == 30 * 60
    assert live_settings.SESSION_COOKIE_HTTPONLY is True
    assert live_settings.SESSION_COOKIE_SAMESITE == "Lax"


# --- passwords ---------------------------------------------------------------------------------------------------
def test_passwords_are_argon2id_with_owasp_parameters(settings: Any) -> None:
    settings.ARGON2_MEMORY_KIB = 19 * 1024
    kept = make_password("correct horse battery")
    assert re.search(r"^argon2\$argon2id\$v=19\$m=19456,t=2,p=1\$", kept)
    assert identify_hasher(kept).algorithm == "argon2"
    assert check_password("correct horse battery", kept)
    assert not check_password("correct horse", kept)


# --- pages -------------------------------------------------------------------------------------------------------
PAGE = """<html><head><script type="module" crossorigin src="/static/ui/assets/app.js"></script>
<link rel="modulepreload" href="/static/ui/assets/vue.js"><style nonce="__CSP_NONCE__">a{}</style></head></html>"""


@pytest.fixture
def built(tmp_path: Path, settings: Any) -> Path:
    (tmp_path / "index.html").write_text(PAGE)
    settings.UI_DIST = tmp_path
    return tmp_path


def test_each_answer_has_a_nonce_of_its_own_on_everything_it_loads(built: Path, rf: RequestFactory) -> None:
    said = []
    for nonce in ("first", "second"):
        request = rf.get("/tasks/12")
        request.csp_nonce = nonce
        answer = pages.index(request, "tasks/12")
        said.append(answer.content.decode())
        assert said[-1].count(f'nonce="{nonce}"') == 3
        assert "no-store" in answer["Cache-Control"]
    assert said[0] != said[1]


def test_a_new_build_is_served_without_a_restart(built: Path, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.csp_nonce = "n"
    assert b"app.js" in pages.index(request).content
    (built / "index.html").write_text(PAGE.replace("app.js", "app2.js"))
    assert b"app2.js" in pages.index(request).content


def test_without_a_build_the_page_says_how_to_get_one(tmp_path: Path, settings: Any, rf: RequestFactory) -> None:
    settings.UI_DIST = tmp_path / "nowhere"
    answer = pages.index(rf.get("/"))
    assert answer.status_code == 503
    assert b"dev.py ui" in answer.content


def test_scripts_run_only_from_here_or_by_nonce() -> None:
    policy = live_settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert "'unsafe-inline'" not in policy["script-src"] + policy["style-src-elem"]
    assert all("'unsafe-eval'" not in sources for sources in policy.values())
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["default-src"] == ["'self'"]


# --- answers and logs --------------------------------------------------------------------------------------------
def test_json_carries_instants_in_utc_and_refuses_what_is_no_data() -> None:
    from datetime import UTC, datetime
    from decimal import Decimal

    made = rest.JSONRenderer().render({"at": datetime(2026, 11, 23, 1, tzinfo=UTC), 1: Decimal("2.50")})
    assert made == b'{"at":"2026-11-23T01:00:00Z","1":"2.50"}'
    assert rest.JSONRenderer().render(None) == b""
    with pytest.raises(TypeError):
        rest.JSONRenderer().render({"user": object()})


@pytest.mark.parametrize(
    "said, kept",
    [
        ("call from 13800138000 ended", "call from *** ended"),
        ("+8613800138000", "***"),
        ("id 11010519491231002X", "id ***"),
        ("trace 13800138000abcdef", "trace 13800138000abcdef"),
        ("took 1380013 ms", "took 1380013 ms"),
    ],
)
def test_no_phone_or_identity_number_reaches_the_log(said: str, kept: str) -> None:
    assert product_logging.without_numbers(None, "info", {"event": said})["event"] == kept


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(OperationalError("database is locked"), 503, "database_unavailable"), (KeyError("x"), 500, "server_error")],
)
def test_what_breaks_around_the_views_is_told_in_the_apis_own_shape(
    db: None, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    """The session is written after the view is done: there too a locked database is a 503, no page of HTML."""

    def breaks(*_: Any) -> None:
        raise error

    monkeypatch.setattr("web.config.security.SessionLife.__call__", breaks)
    answer = Client(raise_request_exception=False).get("/api/session")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["trace"]
