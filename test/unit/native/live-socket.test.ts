import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { readShared, writeLive } from '../../../src/native/live-socket.js'
import { isNativeOn } from '../../../src/native/native-switch.js'

let server: Server
beforeAll(async () => {
  server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  server.close()
})

async function pair(): Promise<{ here: Socket; there: Socket }> {
  const accepted = once(server, 'connection')
  const there = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [here] = (await accepted) as [Socket]
  await once(there, 'ready').catch(() => undefined)
  return { here, there }
}

/** Collects what a socket receives, as text. */
function receiver(): { receive(chunk: Buffer): void; text: string } {
  return {
    text: '',
    receive(chunk) {
      this.text += chunk.toString('latin1')
    },
  }
}

const never = (): void => {
  throw new Error('called back although the system took all')
}

describe('a socket that stays whole', () => {
  it('is not taken if it is another stream, is read already, or has bytes that wait', async () => {
    expect(readShared(new PassThrough(), receiver())).toBe(false)
    const { here, there } = await pair()
    here.on('data', () => undefined)
    expect(readShared(here, receiver())).toBe(false)
    here.destroy()
    expect(readShared(here, receiver())).toBe(false)
    there.destroy()
  })

  it('has its timeout begin anew with each write', async () => {
    const { here, there } = await pair()
    there.resume()
    readShared(here, receiver())
    const timeouts: string[] = []
    here.setTimeout(150, () => timeouts.push('timeout'))
    for (let i = 0; i < 8; i++) {
      if (isNativeOn) writeLive(here, Buffer.from('still here'), null, { onWritten: never })
      else here.write('still here')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(timeouts).toEqual([])
    await once(here, 'timeout')
    here.destroy()
    there.destroy()
  })

  it('is read and written, and ends as ever', async () => {
    const { here, there } = await pair()
    const input = receiver()
    expect(readShared(here, input)).toBe(isNativeOn)
    if (!isNativeOn) here.on('data', (chunk) => input.receive(chunk))
    here.resume()
    there.write('to here')
    there.end()
    await once(here, 'end')
    expect(input.text).toBe('to here')
    let output = ''
    there.setEncoding('latin1').on('data', (chunk: string) => (output += chunk))
    const done = isNativeOn ? never : (): void => undefined
    if (isNativeOn) {
      expect(writeLive(here, Buffer.from('one '), null, { onWritten: done })).toBe(true)
      expect(writeLive(here, Buffer.from('two '), Buffer.from('with a payload'), { onWritten: done })).toBe(
        true,
      )
    } else {
      here.write('one two with a payload')
    }
    expect(here.remoteAddress).toBe('127.0.0.1')
    here.end(' and the end')
    await once(there, 'end')
    expect(output).toBe('one two with a payload and the end')
  })

  it('counts what the system does not take, calls back, and emits drain', async () => {
    const { here, there } = await pair()
    if (!readShared(here, receiver())) {
      expect(isNativeOn).toBe(false)
      here.destroy()
      there.destroy()
      return
    }
    there.pause()
    const calls: unknown[] = []
    const chunk = Buffer.alloc(1024 * 1024)
    let writes = 0
    while (writeLive(here, chunk, null, { onWritten: (error) => calls.push(error ?? null) })) writes++
    expect(here.writableLength).toBe(chunk.length)
    expect(here.writableNeedDrain).toBe(true)
    // Behind it goes the stream's own way, in order.
    expect(
      writeLive(here, Buffer.from('last'), null, { onWritten: (error) => calls.push(error ?? null) }),
    ).toBe(false)
    let received = 0
    let tail = ''
    there.on('data', (bytes) => {
      received += bytes.length
      tail = bytes.subarray(-4).toString()
    })
    there.resume()
    await once(here, 'drain')
    while (received < (writes + 1) * chunk.length + 4) await once(there, 'data')
    expect([calls, tail, here.writableLength]).toEqual([[null, null], 'last', 0])
    here.destroy()
    there.destroy()
  })

  it('calls back without an error, as a socket of Node, for a write that is under way when it is destroyed', async () => {
    const { here, there } = await pair()
    const isTaken = readShared(here, receiver())
    expect(isTaken).toBe(isNativeOn)
    if (isTaken) {
      there.pause()
      const chunk = Buffer.alloc(1024 * 1024)
      const called = new Promise<unknown>((resolve) => {
        while (writeLive(here, chunk, null, { onWritten: resolve }));
      })
      here.destroy()
      expect(await called).toBeNull()
    }
    there.destroy()
  })
})
