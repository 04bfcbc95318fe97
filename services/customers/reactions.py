"""Messages in: customers hear nothing yet; what comes to their queue all the same is dead-lettered, to be seen."""

from libs.common.inbox import Reactions
from services.customers.store import Store

REACTIONS: Reactions[Store] = {}
