from __future__ import annotations


class AdapterError(Exception):
    """The other side did not do it. `permanent` = trying again makes no sense; `in_doubt` = it may have been done all the same."""

    def __init__(self, code: str, *, permanent: bool = False, in_doubt: bool = False):
        super().__init__(code)
        self.code, self.permanent, self.in_doubt = code, permanent, in_doubt
