"""Which messages a subscription wants: SQL and correlation filters, and what a rule's action changes. Pure."""

from localcloud.servicebus.filters.actions import Changes
from localcloud.servicebus.filters.errors import BadFilter, FilterFailed
from localcloud.servicebus.filters.facts import Facts
from localcloud.servicebus.filters.rules import Compiled, compile_rule

__all__ = ["BadFilter", "Changes", "Compiled", "Facts", "FilterFailed", "compile_rule"]
