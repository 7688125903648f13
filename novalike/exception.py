"""Errors in a few families, each with its HTTP status. A leaf exists only where someone catches it.

`str(error)` is text fit for users: no host names, paths, SQL or tracebacks. What an operator needs goes to the log.
"""

from __future__ import annotations

import re


class NovalikeError(Exception):
    """Any error of ours. `code` is the HTTP status with which the API answers it."""

    code = 500

    def __init__(self, message: str = "", *, details: str = "") -> None:
        super().__init__(message or self.__class__.__doc__ or "")
        self.details = details                   # for admins and logs only

    @classmethod
    def machine_code(cls) -> str:
        """Answer the class's name as programs see it, such as `over-quota`. Renaming a class changes an interface."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()


class Invalid(NovalikeError):
    """The request is malformed; the message names the field."""

    code = 400


class AddressInUse(Invalid):
    """A fixed address which was asked for is taken. Invalid for a new server, a conflict for one more port."""


class Unauthorized(NovalikeError):
    """The caller did not prove who it is."""

    code = 401


class Forbidden(NovalikeError):
    """The caller may not do this."""

    code = 403


class OverQuota(Forbidden):
    """A limit of the project or user would be exceeded. 403, as Nova answers it."""

    def __init__(self, message: str = "", *, overs: tuple[str, ...] = (), details: str = "") -> None:
        super().__init__(message, details=details)
        self.overs = overs


class NotFound(NovalikeError):
    """There is no such thing, or the caller may not know that there is."""

    code = 404


class Conflict(NovalikeError):
    """The thing is in a state which does not allow this now."""

    code = 409


class Duplicate(Conflict):
    """The name or id is taken."""


class Gone(NovalikeError):
    """What was asked for once existed and never will again."""

    code = 410


class TooLarge(NovalikeError):
    """The request is larger than the limit."""

    code = 413


class Unprocessable(NovalikeError):
    """The request contradicts an earlier one which it claims to repeat."""

    code = 422


class NotBuilt(NovalikeError):
    """The feature does not exist here (yet); the message names it."""

    code = 501


class Unavailable(NovalikeError):
    """Something this depends on (database, broker, remote service, host) does not answer now; trying later helps."""

    code = 503


class NoValidHost(NovalikeError):
    """No host can take the server; the message says what removed how many hosts, and what would have fitted."""

    code = 500


class Fenced(NovalikeError):
    """A newer operation took the instance over: this one's writes are refused and its work is undone."""

    code = 409


class BuildFailed(NovalikeError):
    """A host could not build the server. `retry`: another host may."""

    code = 500

    def __init__(self, message: str = "", *, retry: bool = True, details: str = "") -> None:
        super().__init__(message, details=details)
        self.retry = retry
