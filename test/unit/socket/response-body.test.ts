/** The body of a response that is not a 101: what is kept of it, and where it is known to end (RFC 9112 section 6). */
import { HeaderFields } from '../../../src/handshake/header-fields.js'
import { MAX_RESPONSE_BODY_BYTES, ResponseBody } from '../../../src/socket/response-body.js'

const bodyWith = (fields: readonly string[], status = 200): ResponseBody =>
  new ResponseBody({
    status,
    statusText: '',
    httpVersion: '1.1',
    headers: HeaderFields.fromRawHeaders(fields),
  })

const chunked = (): ResponseBody => bodyWith(['Transfer-Encoding', 'chunked'])

/** Feeds a text byte by byte. @returns what was kept, and how many bytes it took until the end; null: it did not end */
function readOf(body: ResponseBody, text: string): [kept: string, endedAfter: number | null] {
  let endedAfter: number | null = null
  for (const [at, byte] of [...Buffer.from(text, 'latin1')].entries()) {
    if (body.isDone && endedAfter === null) endedAfter = at
    body.push(Uint8Array.of(byte))
  }
  if (body.isDone && endedAfter === null) endedAfter = text.length
  return [body.bytes.toString('latin1'), endedAfter]
}

/** The same, where all of it comes at once. */
function readAtOnce(body: ResponseBody, text: string): [kept: string, isDone: boolean] {
  body.push(Buffer.from(text, 'latin1'))
  return [body.bytes.toString('latin1'), body.isDone]
}

describe('where a body ends by its head', () => {
  it.each([204, 304])('at once for %i, whatever the fields say', (status) => {
    for (const fields of [
      ['Content-Length', '5'],
      ['Transfer-Encoding', 'chunked'],
    ]) {
      const body = bodyWith(fields, status)
      expect(body.isDone).toBe(true)
      expect(readAtOnce(body, 'hello')).toEqual(['', true])
    }
  })

  it.each([200, 203, 205, 303, 305, 404])('not at once for %i', (status) => {
    expect(bodyWith(['Content-Length', '5'], status).isDone).toBe(false)
  })

  it('after the announced length, which may be 0', () => {
    expect(bodyWith(['Content-Length', '0']).isDone).toBe(true)
    expect(readOf(bodyWith(['Content-Length', '5']), 'hello and more')).toEqual(['hello', 5])
    expect(readAtOnce(bodyWith(['Content-Length', '5']), 'hello and more')).toEqual(['hello', true])
    expect(readAtOnce(bodyWith(['Content-Length', '5']), 'hell')).toEqual(['hell', false])
    expect(readOf(bodyWith(['Content-Length', '000000000000005']), 'hello!')).toEqual(['hello', 5])
  })

  it.each(['5x', 'x5', '-5', '5.0', '0000000000000005', ''])(
    'not by its length where that is no length: %p',
    (length) => {
      expect(readOf(bodyWith(['Content-Length', length]), 'hello!')).toEqual(['hello!', null])
    },
  )

  it('not by its head without a length', () => {
    expect(readOf(bodyWith([]), 'hello!')).toEqual(['hello!', null])
  })

  it.each(['chunked', 'Chunked', 'gzip, chunked', 'CHUNKED'])(
    'with its last chunk for the coding %p, even beside a length',
    (coding) => {
      const body = bodyWith(['Content-Length', '2', 'Transfer-Encoding', coding])
      expect(readOf(body, '3\r\nabc\r\n0\r\n\r\n')).toEqual(['abc', 11])
    },
  )

  it.each(['gzip', 'chunked, gzip', 'chunkedx'])('not with a chunk for the coding %p', (coding) => {
    const text = '3\r\nabc\r\n0\r\n\r\n'
    expect(readOf(bodyWith(['Transfer-Encoding', coding]), text)).toEqual([text, null])
  })
})

describe('the size that is kept', () => {
  it('is 16 KiB: the body ends there', () => {
    const whole = bodyWith([])
    whole.push(Buffer.alloc(MAX_RESPONSE_BODY_BYTES - 1, 'x'))
    expect([whole.bytes.length, whole.isDone]).toEqual([MAX_RESPONSE_BODY_BYTES - 1, false])
    whole.push(Buffer.from('yz'))
    expect([whole.bytes.length, whole.isDone]).toEqual([MAX_RESPONSE_BODY_BYTES, true])
    expect(whole.bytes.subarray(-2).toString()).toBe('xy')
    whole.push(Buffer.from('later'))
    expect(whole.bytes).toHaveLength(MAX_RESPONSE_BODY_BYTES)
  })

  it('is the same for what comes at once, and for chunks', () => {
    const atOnce = bodyWith([])
    atOnce.push(Buffer.alloc(MAX_RESPONSE_BODY_BYTES + 5_000))
    expect([atOnce.bytes.length, atOnce.isDone]).toEqual([MAX_RESPONSE_BODY_BYTES, true])
    const inChunks = chunked()
    // 0x4000 is 16 KiB.
    inChunks.push(Buffer.from(`4000\r\n${'x'.repeat(0x4000)}`))
    expect([inChunks.bytes.length, inChunks.isDone]).toEqual([MAX_RESPONSE_BODY_BYTES, true])
  })

  it('is as large as the length where exactly 16 KiB are announced', () => {
    const body = bodyWith(['Content-Length', '16384'])
    body.push(Buffer.alloc(MAX_RESPONSE_BODY_BYTES))
    expect([body.bytes.length, body.isDone]).toEqual([MAX_RESPONSE_BODY_BYTES, true])
  })

  it('of what is between chunks is bounded as well: 64 KiB on the wire are enough', () => {
    const body = chunked()
    body.push(Buffer.from(`1;${'x'.repeat(65_533)}`))
    expect(body.isDone).toBe(false)
    body.push(Buffer.from('x'))
    expect(body.isDone).toBe(true)
  })
})

describe('RFC 9112 7.1: chunks', () => {
  it.each<[text: string, kept: string, endedAfter: number | null]>([
    ['5\r\nhello\r\n0\r\n\r\n', 'hello', 13],
    ['5\r\nhello\r\n2\r\n, \r\n0\r\n', 'hello, ', 20],
    ['5\nhello\n0\n', 'hello', 10],
    ['A\r\n0123456789\r\n', '0123456789', null],
    ['a\r\n0123456789\r\n', '0123456789', null],
    ['F\r\n0123456789abcde\r\n', '0123456789abcde', null],
    ['f\r\n0123456789abcde\r\n', '0123456789abcde', null],
    ['9\r\n012345678\r\n', '012345678', null],
    ['10\r\n0123456789abcdef\r\n', '0123456789abcdef', null],
    ['1f\r\n0123456789abcdef0123456789abcde\r\n', '0123456789abcdef0123456789abcde', null],
    ['3;name="a b"\r\nabc\r\n0\r\n', 'abc', 22],
    ['3\rx\nabc\r\n0\r\n', 'abc', 12],
    ['3\r\nabc\r\r\n0\r\n', 'abc', 12],
    ['00000003\r\nabc\r\n00000003\r\ndef\r\n', 'abcdef', null],
    ['ab', '', null],
  ])('are put together: %j', (text, kept, endedAfter) => {
    expect(readOf(chunked(), text)).toEqual([kept, endedAfter])
    expect(readAtOnce(chunked(), text)).toEqual([kept, endedAfter !== null])
  })

  it.each<[text: string, kept: string, endedAfter: number]>([
    ['000000003\r\nabc', '', 9],
    ['\r\nabc', '', 1],
    ['\nabc', '', 1],
    [';\r\nabc', '', 1],
    ['3 \r\nabc', '', 2],
    ['/\r\n', '', 1],
    [':\r\n', '', 1],
    ['@\r\n', '', 1],
    ['`\r\n', '', 1],
    ['G\r\n', '', 1],
    ['g\r\n', '', 1],
    ['3\r\nabcd\r\n', 'abc', 7],
    ['3\r\nabc3\r\nabc', 'abc', 7],
  ])('end the body where they are broken: %j', (text, kept, endedAfter) => {
    expect(readOf(chunked(), text)).toEqual([kept, endedAfter])
    expect(readAtOnce(chunked(), text)).toEqual([kept, true])
  })

  it('may be cut anywhere', () => {
    const text = '5\r\nhello\r\n2;x\r\n, \r\n5\r\nworld\r\n0\r\n\r\n'
    for (let cut = 0; cut <= text.length; cut++) {
      const body = chunked()
      body.push(Buffer.from(text.slice(0, cut)))
      body.push(Buffer.from(text.slice(cut)))
      expect([body.bytes.toString(), body.isDone]).toEqual(['hello, world', true])
    }
  })
})
