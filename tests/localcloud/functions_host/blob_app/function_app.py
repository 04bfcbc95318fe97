"""An app that takes blobs; what it was given can be asked for at /api/heard."""

import json
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
heard = list[dict[str, Any]]()


@app.blob_trigger(arg_name="blob", path="media/in/{name}.txt", connection="Storage", source=func.BlobSource.EVENT_GRID)
async def take(blob: func.InputStream) -> None:
    about = {"name": blob.name, "length": blob.length, "metadata": getattr(blob, "metadata", None)}
    heard.append(about | {"body": blob.read().decode()})


@app.route("heard")
async def tell(req: func.HttpRequest) -> str:
    return json.dumps(heard)
