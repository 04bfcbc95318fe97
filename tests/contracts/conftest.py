"""The functions' surroundings, for what they ask of the services."""

from tests.functions.conftest import credential, mailbox, owners, payments, till, to

__all__ = ["credential", "mailbox", "owners", "payments", "till", "to"]
