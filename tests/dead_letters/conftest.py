"""What the emulators' own tests start."""

from tests.localcloud.conftest import issuer, store, topology_file
from tests.localcloud.servicebus.conftest import access, bus, files

__all__ = ["access", "bus", "files", "issuer", "store", "topology_file"]
