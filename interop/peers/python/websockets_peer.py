"""websockets, in both roles."""

import asyncio
from http import HTTPStatus

from program import MAX_BYTES, PROTOCOL, main, report, settings
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)

NAMES = {
    "serverNoContextTakeover": "server_no_context_takeover",
    "clientNoContextTakeover": "client_no_context_takeover",
    "serverMaxWindowBits": "server_max_window_bits",
    "clientMaxWindowBits": "client_max_window_bits",
}


def options(deflate, factory):
    common = {"max_size": MAX_BYTES, "compression": None, "ping_interval": None}
    if deflate is None:
        return common
    given = {NAMES[name]: value for name, value in deflate.items()}
    return {**common, "extensions": [factory(**given)]}


def thirds(data):
    size = -(-len(data) // 3)
    return [data[at * size : (at + 1) * size] for at in range(3)]


async def ping(socket):
    await (await socket.ping(b"peer"))
    await socket.send("pong peer")


async def exchange(socket, wanted):
    """Gives what is reported at the end."""
    if wanted.action == "close":
        await socket.close(wanted.code, wanted.reason)
    pinging = asyncio.create_task(ping(socket)) if wanted.action == "ping" else None
    try:
        async for message in socket:
            await socket.send(thirds(message) if wanted.action == "fragments" else message)
    except ConnectionClosed:
        pass
    if pinging:
        pinging.cancel()
    return {
        "open": True,
        "protocol": socket.subprotocol or "",
        "closeCode": socket.close_code,
        "closeReason": socket.close_reason,
    }


async def serve(deflate):
    async def handle(socket):
        wanted = settings(socket.request.path)
        report(case=wanted.id, **await exchange(socket, wanted))

    def refuse(socket, request):
        if settings(request.path).is_refused:
            return socket.respond(HTTPStatus.UNAUTHORIZED, "who are you?\n")

    def choose(socket, offered):
        return PROTOCOL if PROTOCOL in offered else None

    given = options(deflate, ServerPerMessageDeflateFactory)
    server = await listen(handle, "127.0.0.1", 0, process_request=refuse, select_subprotocol=choose, **given)
    return server.sockets[0].getsockname()[1]


async def run(spec):
    given = options(spec["deflate"], ClientPerMessageDeflateFactory)
    try:
        socket = await connect(spec["url"], subprotocols=spec["protocols"] or None, proxy=None, **given)
    except InvalidStatus as error:
        return {"open": False, "status": error.response.status_code}
    return await exchange(socket, settings(spec["url"]))


asyncio.run(main(serve, run))
