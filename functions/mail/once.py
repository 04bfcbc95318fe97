"""What was posted lately is not posted again: a function is called again where what it does after the letter failed."""

import asyncio
from dataclasses import dataclass, field
from email.message import EmailMessage

from functions.mail import POST_SECONDS, Mail
from libs.common.errors import Unavailable

MOST_REMEMBERED = 10_000  # letters: some megabytes


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    posted: bool = False


@dataclass(slots=True)
class Once:
    """A way out for letters that remembers their Message-IDs, as long as the process lives and room is left."""

    mail: Mail
    most: int = MOST_REMEMBERED
    _turns: dict[str, _Turn] = field(default_factory=dict)  # by Message-ID, the oldest first

    async def post(self, letter: EmailMessage) -> None:
        """Two of the same at once take turns, so the second hears what became of the first."""
        turn = self._turn(str(letter["Message-ID"]))
        try:
            async with asyncio.timeout(POST_SECONDS), turn.lock:
                if not turn.posted:
                    await self.mail.post(letter)
                    turn.posted = True
        except TimeoutError:
            raise Unavailable("the letter can't be posted now: there was no time for it") from None

    def _turn(self, message_id: str) -> _Turn:
        if message_id not in self._turns and len(self._turns) >= self.most:
            del self._turns[next(iter(self._turns))]
        return self._turns.setdefault(message_id, _Turn())
