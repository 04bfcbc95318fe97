"""What the emulators' own tests start: here services' manners are proved against it."""

from tests.localcloud.conftest import issuer, store, topology_file
from tests.localcloud.eventgrid.conftest import cloud, files, queues

__all__ = ["cloud", "files", "issuer", "queues", "store", "topology_file"]
