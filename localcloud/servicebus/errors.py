"""What the broker refuses: the AMQP condition by which SDKs know it, and the status of a `$management` answer."""

from typing import ClassVar


class Refused(Exception):
    """The broker could not do this."""

    condition: ClassVar[str] = "amqp:internal-error"
    status: ClassVar[int] = 500

    def __str__(self) -> str:
        return ": ".join([self.__doc__ or "", *map(str, self.args)])


class Malformed(Refused):
    """These bytes are not AMQP 1.0."""

    condition, status = "amqp:decode-error", 400


class IllegalState(Refused):
    """This frame may not come here."""

    condition, status = "amqp:illegal-state", 400


class BadArgument(Refused):
    """The request lacks an argument, or has one of the wrong kind."""

    condition, status = "com.microsoft:argument-error", 400


class NotAllowed(Refused):
    """This is not allowed here."""

    condition, status = "amqp:not-allowed", 400


class NotImplementedHere(Refused):
    """This broker does not do that."""

    condition, status = "amqp:not-implemented", 501


class Unauthorized(Refused):
    """Unauthorized access: the token put for this entity lacks the claim."""

    condition, status = "amqp:unauthorized-access", 401


class InvalidToken(Refused):
    """The token is not one that is taken here."""

    condition, status = "amqp:unauthorized-access", 401


class UnknownEntity(Refused, KeyError):
    """The messaging entity could not be found."""

    condition, status = "amqp:not-found", 404

    def __str__(self) -> str:
        """With the name where JavaScript's SDK looks for it: by that it knows this from a lost connection."""
        return f"The messaging entity '{self.args[0]}' could not be found."


class QueueFull(Refused):
    """The queue has reached its maximum size."""

    condition, status = "amqp:resource-limit-exceeded", 403


class TooLarge(Refused, ValueError):
    """The message is larger than the link's max-message-size."""

    condition, status = "amqp:link:message-size-exceeded", 400


class LockLost(Refused):
    """The lock supplied is invalid: it has expired, or the message was settled already."""

    condition, status = "com.microsoft:message-lock-lost", 410


class Busy(Refused):
    """More is waiting to be written than the broker holds; try again."""

    condition, status = "com.microsoft:server-busy", 503


class SessionLockLost(Refused):
    """The session lock has expired on the session receiver. Accept the session again."""

    condition, status = "com.microsoft:session-lock-lost", 410


class SessionCannotBeLocked(Refused):
    """The requested session cannot be accepted: another receiver holds it."""

    condition, status = "com.microsoft:session-cannot-be-locked", 409


class NoSession(Refused):
    """The operation did not complete within the allotted time: there is no session with messages."""

    condition, status = "com.microsoft:timeout", 408


class MessageNotFound(Refused):
    """The messages with these sequence numbers are not there in the state that this needs."""

    condition, status = "com.microsoft:message-not-found", 404


class Disabled(Refused):
    """The messaging entity is disabled for this operation."""

    condition, status = "com.microsoft:entity-disabled", 400


class OutOfRange(Refused):
    """The argument is out of the allowed range."""

    condition, status = "com.microsoft:argument-out-of-range", 400


class AlreadyExists(Refused):
    """An entity or a rule with this name is there already."""

    condition, status = "com.microsoft:entity-already-exists", 409
