"""What the tests of customers over HTTP have in common."""

from typing import Any
from uuid import UUID

from aiohttp.test_utils import TestClient

ADA, BOB = UUID(int=1), UUID(int=2)
HOME = {"street": "Ärmelgasse 1", "city": "Köln", "postal_code": "50667", "country": "DE"}
PROFILE: dict[str, Any] = {"name": "Ada Müller", "email": "ada@example.org", "language": "en", "address": HOME}
PATH = f"/api/customers/{ADA}"
OF_THE_VERSION_BEFORE = {"name", "email", "language", "address", "id", "status", "version"}
OFFICE = {"name": "Büro", "street": "Weg 2", "city": "Bonn", "postal_code": "53111", "country": "DE", "phone": ""}
FARM = OFFICE | {"name": "Hof", "street": "Feld 3", "phone": "+49 (228) 12-34.5/6"}
JSON = {"Content-Type": "application/json"}
Client = TestClient[Any, Any]


async def call(client: Client, method: str, path: str, who: dict[str, str], **options: Any) -> tuple[int, Any]:
    headers = who | options.pop("headers", {})
    async with client.request(method, path, headers=headers, **options) as response:
        return response.status, await response.json(content_type=None) if await response.read() else None
