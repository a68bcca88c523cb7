// slow: the event loop is blocked for longer than the timeouts, by every transport and in both roles
/**
 * The application blocks the event loop for longer than every timeout. Meanwhile the peer reads, answers and asks; the
 * system holds what it sent and has room for more. No deadline may judge the peer by what the engine did not look at.
 */
import { accept, connect, WebSocketServer } from '../../src/index.js'
import { afterwards, ENDS, KIB, open, pause, QUIET, stopAll } from '../helpers/liveness.js'
import { SlowPeer } from '../helpers/slow-peer.js'

afterEach(stopAll)

const BLOCKED_MS = 900

/** Nothing else runs in this thread until the time is over. */
function blockLoop(ms = BLOCKED_MS): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

describe.each(ENDS)('%s, %s', (...end) => {
  test('a peer that reads while the event loop is blocked is not cut by sendTimeoutMs', async () => {
    const { socket, peer, journal } = await open(end, {}, { sendTimeoutMs: 400 })
    socket.send(Buffer.alloc(600 * KIB))
    await pause(50)
    peer.do({ do: 'read', bytes: 32 * KIB, everyMs: 5 })
    blockLoop()
    await peer.frame(({ op }) => op === 2)
    expect(journal.lines).toEqual([])
    expect(peer.frames).toMatchObject([{ op: 2, length: 600 * KIB }])
  })

  test('a peer that reads while the event loop is blocked is not cut by closeTimeoutMs', async () => {
    const { socket, peer, ended } = await open(end, {}, { closeTimeoutMs: 700 })
    socket.send(Buffer.alloc(600 * KIB))
    const closed = socket.close(1000)
    await pause(50)
    peer.do({ do: 'read', bytes: 32 * KIB, everyMs: 5 })
    blockLoop()
    expect(await ended()).toMatchObject({ code: 1000, wasClean: true, unsentBytes: 0 })
    await closed
    expect(peer.frames).toMatchObject([{ op: 2, length: 600 * KIB }, { op: 8 }])
  })

  test('a peer that answered a ping while the event loop was blocked is not cut by heartbeatTimeoutMs', async () => {
    const { peer, journal } = await open(end, {}, { heartbeatIntervalMs: 100, heartbeatTimeoutMs: 800 })
    peer.readAll()
    await peer.frame(({ op }) => op === 9)
    for (let i = 0; i < 2; i++) {
      blockLoop(1_000)
      await pause(i * 25)
    }
    expect(journal.lines).toEqual([])
  })
})

describe.each([true, false])('with directIo %s', (directIo) => {
  test('a client whose application blocks the event loop during the handshake connects all the same', async () => {
    const peer = await SlowPeer.listen()
    const connecting = connect(`ws://127.0.0.1:${String(peer.port)}/`, {
      ...QUIET,
      directIo,
      handshakeTimeoutMs: 300,
    })
    blockLoop()
    const socket = await connecting
    afterwards(() => socket.terminate())
    expect(socket.readyState).toBe(1)
  })

  test('a server whose application blocks the event loop during a handshake accepts it all the same', async () => {
    const server = new WebSocketServer({ ...QUIET, directIo, handshakeTimeoutMs: 300 })
    afterwards(() => server.terminate())
    let opened = 0
    server.route('/', {
      onUpgrade: async () => {
        await pause(20)
        blockLoop(600)
        await pause(1)
        return accept()
      },
      onOpen: () => {
        opened++
      },
    })
    const { port } = await server.listen(0, '127.0.0.1')
    await SlowPeer.connect(port)
    expect(opened).toBe(1)
  })

  test('receive does not give up on a message that arrived while the event loop was blocked', async () => {
    const peer = await SlowPeer.listen()
    const socket = await connect(`ws://127.0.0.1:${String(peer.port)}/`, { ...QUIET, directIo })
    afterwards(() => socket.terminate())
    peer.sendTexts('arrived')
    const received = socket.receive({ timeoutMs: 200 })
    blockLoop(500)
    expect(await received).toBe('arrived')
  })

  test('receive of a client that reconnects does not give up on such a message either', async () => {
    const peer = await SlowPeer.listen()
    const url = `ws://127.0.0.1:${String(peer.port)}/`
    const socket = await connect(url, { ...QUIET, directIo, reconnect: true })
    afterwards(() => socket.terminate())
    peer.sendTexts('arrived')
    const received = socket.receive({ timeoutMs: 200 })
    blockLoop(500)
    expect(await received).toBe('arrived')
  })
})
