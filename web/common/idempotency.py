"""Every POST may carry an Idempotency-Key (X-22): the same request again gets the same answer and does nothing again."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

from django.db import IntegrityError, transaction
from rest_framework.response import Response

from . import clock, seals
from .errors import DomainError
from .models import IdempotentAnswer


class KeyReused(DomainError):
    code, status = "idempotency_key_reused", 422


class StillWorking(DomainError):
    code, status = "request_in_progress", 409


ABANDONED_AFTER = timedelta(seconds=60)  # longer than any request lives: its process was killed at work


def _forget_abandoned(key: str) -> bool:
    """True when the first request with this key died at work, so that this one may be it."""
    before = clock.now() - ABANDONED_AFTER
    return bool(IdempotentAnswer.objects.filter(key=key, status=None, created_at__lt=before).delete()[0])


class Idempotent:
    """View mixin. The key row is written first (another request with the key waits for nobody: 409 while the first works)."""

    def dispatch(self, request, *args, **kwargs):
        key = request.headers.get("Idempotency-Key")
        if (
            request.method != "POST"
            or not key
            or len(key) > 80
            or not getattr(request, "user", None)
            or not request.user.is_authenticated
        ):
            return super().dispatch(request, *args, **kwargs)
        row_key = f"{request.user.pk}:{key}"
        digest = hashlib.sha256(request.path.encode() + b"\n" + request.body).hexdigest()
        try:
            with transaction.atomic():
                row = IdempotentAnswer.objects.create(key=row_key, request_hash=digest)
        except IntegrityError:
            if _forget_abandoned(row_key):
                return self.dispatch(request, *args, **kwargs)
            return self._repeat(request, IdempotentAnswer.objects.get(key=row_key), digest, *args, **kwargs)
        try:
            response = super().dispatch(request, *args, **kwargs)
        except BaseException:
            row.delete()
            raise
        if response.status_code < 500 and response.status_code not in (401, 403):
            body = response.render().content.decode() if hasattr(response, "render") else ""
            IdempotentAnswer.objects.filter(pk=row.pk).update(
                status=response.status_code, sealed_body=seals.seal(body, bound_to="answer")
            )
        else:
            row.delete()
        return response

    def _repeat(self, request, row, digest, *args, **kwargs):
        self.args, self.kwargs, self.headers = args, kwargs, self.default_response_headers
        request = self.initialize_request(request, *args, **kwargs)
        self.request = request
        try:
            self.initial(request, *args, **kwargs)
            if row.request_hash != digest:
                raise KeyReused()
            if row.status is None:
                raise StillWorking()
            body = seals.unseal(row.sealed_body, bound_to="answer")
            response = Response(json.loads(body) if body else None, status=row.status)
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(request, response, *args, **kwargs)
        return self.response
