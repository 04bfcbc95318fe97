"""What is wrong with a filter: its text, or what it meets in a message."""


class BadFilter(ValueError):
    """The filter or the action is not one."""


class FilterFailed(Exception):
    """It cannot be said whether the message fits."""
