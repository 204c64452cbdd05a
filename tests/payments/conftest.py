from __future__ import annotations

from types import SimpleNamespace

import pytest

from integrations.fakes.payment_provider import Ledger
from tests.payments.cast import SECRET, Gateway, people
from web.common import clock as product_clock


@pytest.fixture
def ledger(settings, monkeypatch) -> Ledger:
    """The provider's own book; what the product sends reaches it without a wire."""
    settings.PAYMENT_URL, settings.PAYMENT_SECRET, settings.SMS_URL = "https://pay.example", SECRET, ""
    ledger = Ledger(now=product_clock.now)
    ledger.gateway = Gateway(ledger)
    monkeypatch.setattr("web.payments.services.sending.open_port", lambda *_, **__: ledger.gateway)
    return ledger


@pytest.fixture
def cast(db, clock, ledger) -> SimpleNamespace:
    return SimpleNamespace(**people(), clock=clock, ledger=ledger, gateway=ledger.gateway)
