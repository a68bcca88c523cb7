"""aiohttp, in both roles."""

import asyncio

from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError, web
from program import MAX_BYTES, PROTOCOL, main, report, settings


def protocol_of(socket):
    return (socket.ws_protocol if isinstance(socket, web.WebSocketResponse) else socket.protocol) or ""


async def exchange(socket, wanted):
    """Gives what is reported at the end."""
    closing = {}
    if wanted.action == "close":
        await socket.close(code=wanted.code, message=wanted.reason.encode())
    if wanted.action == "ping":
        await socket.ping(b"peer")
    while True:
        message = await socket.receive()
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
        elif message.type is WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type is WSMsgType.PONG:
            await socket.send_str(f"pong {bytes(message.data).decode()}")
        else:
            break
    if message.type is WSMsgType.CLOSE:
        closing = {"closeCode": message.data or 1005, "closeReason": message.extra or ""}
        await socket.close(code=message.data or 1000)
    return {"open": True, "protocol": protocol_of(socket), **closing}


async def serve(deflate):
    async def handle(request):
        wanted = settings(str(request.rel_url))
        if wanted.is_refused:
            return web.Response(status=401, text="who are you?\n")
        socket = web.WebSocketResponse(
            protocols=[PROTOCOL],
            compress=deflate is not None,
            max_msg_size=MAX_BYTES,
            autoping=False,
            autoclose=False,
        )
        await socket.prepare(request)
        report(case=wanted.id, **await exchange(socket, wanted))
        return socket

    app = web.Application()
    app.add_routes([web.get("/echo", handle), web.get("/401", handle)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner.addresses[0][1]


async def run(spec):
    deflate = spec["deflate"]
    compress = 0 if deflate is None else deflate.get("serverMaxWindowBits", 15)
    async with ClientSession() as session:
        try:
            socket = await session.ws_connect(
                spec["url"],
                protocols=spec["protocols"],
                compress=compress,
                max_msg_size=MAX_BYTES,
                autoping=False,
                autoclose=False,
            )
        except WSServerHandshakeError as error:
            return {"open": False, "status": error.status}
        return await exchange(socket, settings(spec["url"]))


asyncio.run(main(serve, run))
