"""The inspector: a page, and a JSON API, of all that lies and moves in the local cloud. docs/localcloud/inspector.md"""

from localcloud.inspector.server import Inspector

__all__ = ["Inspector"]
