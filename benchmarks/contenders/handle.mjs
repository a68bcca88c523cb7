// Neither WebSocket nor stream: a bare echo at the handles under Node's sockets, the line of what Node's I/O allows. A handle
// reads into one buffer of its connection and writes out of it, and reads no further while the system has not taken that.
import { createServer } from 'node:net'
import process from 'node:process'
import { ready } from './shared.mjs'

// Not documented, and deprecated: only a program that is no library may.
const { kLastWriteWasAsync, kReadBytesOrError, streamBaseState, WriteWrap } = process.binding('stream_wrap')

const READ_BYTES = 256 * 1024
const end = () => undefined

/** Node 26 makes the request itself where one is needed. */
const makeRequest = () => (typeof WriteWrap === 'function' ? new WriteWrap() : null)

/** That of the next write: a write that the system takes at once leaves it untouched. */
let spare = makeRequest()

function onWritten() {
  this.owner.readStart()
}

function echo(handle) {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  handle.setNoDelay?.(true)
  handle.useUserBuffer(buffer)
  handle.onread = () => {
    const length = streamBaseState[kReadBytesOrError]
    if (length === 0) return
    if (length < 0) {
      handle.close(end)
      return
    }
    const result = handle.writeBuffer(spare, buffer.subarray(0, length))
    const request = typeof result === 'number' ? spare : result
    if (typeof result === 'number' && result < 0) handle.close(end)
    else if (typeof result !== 'number' || streamBaseState[kLastWriteWasAsync] !== 0) {
      request.owner = handle
      request.oncomplete = onWritten
      spare = makeRequest()
      handle.readStop()
    }
  }
  handle.readStart()
}

const server = createServer()
server.listen(0, '127.0.0.1', () => {
  server._handle.onconnection = (status, handle) => {
    if (handle) echo(handle)
  }
  ready(server.address().port)
})
