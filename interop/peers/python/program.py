"""What the programs of this folder have in common: README.md of interop has the protocol."""

import asyncio
import json
import sys
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

PROTOCOL = "interop.b"
MAX_BYTES = 32 * 1024 * 1024


@dataclass
class Settings:
    id: str
    action: str
    code: int | None
    reason: str
    is_refused: bool


def settings(url):
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    code = int(query["code"]) if "code" in query else None
    return Settings(
        query.get("case", ""), query.get("do", "echo"), code, query.get("reason", ""), parts.path == "/401"
    )


def report(**fields):
    print(json.dumps(fields), flush=True)


async def main(serve, run):
    """`serve(deflate)` gives the port, `run(spec)` the report."""
    role, *rest = sys.argv[1:]
    if role == "serve":
        for config in json.loads(rest[0]):
            report(listening=config["name"], port=await serve(config["deflate"]))
        await asyncio.Event().wait()
    while line := await asyncio.to_thread(sys.stdin.readline):
        spec = json.loads(line)
        try:
            fields = await run(spec)
        except Exception as error:
            fields = {"error": f"{type(error).__name__}: {error}"}
        report(case=spec["case"], **fields)
