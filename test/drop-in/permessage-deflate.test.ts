import { IMPLEMENTATIONS } from './implementations.js'

const HELLO = Buffer.from('f248cdc9c90700', 'hex')
const HELLO_AGAIN = Buffer.from('f200110000', 'hex')

describe.each(IMPLEMENTATIONS)('PerMessageDeflate of %s', (_name, { PerMessageDeflate, extension }) => {
  type Options = NonNullable<ConstructorParameters<typeof PerMessageDeflate>[0]>
  type Codec = InstanceType<typeof PerMessageDeflate>

  const NAME = PerMessageDeflate.extensionName

  /** The parameters of some offers, as a header has them. */
  const parse = (...offers: string[]): Parameters<Codec['accept']>[0] =>
    extension.parse(offers.map((offer) => NAME + (offer === '' ? '' : `; ${offer}`)).join(', '))[NAME]!

  const accepted = (options: Options = {}, ...offers: string[]): Codec => {
    const codec = new PerMessageDeflate(options)
    codec.accept(parse(...(offers.length === 0 ? [''] : offers)))
    return codec
  }

  const run = (codec: Codec, method: 'compress' | 'decompress', data: string | Buffer, fin = true) =>
    new Promise<Buffer>((resolve, reject) => {
      codec[method](data as Buffer, fin, (error, result) =>
        error === null ? resolve(result!) : reject(error),
      )
    })

  it('has the name of the extension', () => {
    expect(NAME).toBe('permessage-deflate')
  })

  describe('An offer', () => {
    it.each<[Options, object]>([
      [{}, { client_max_window_bits: true }],
      [{ serverNoContextTakeover: true }, { server_no_context_takeover: true, client_max_window_bits: true }],
      [{ clientNoContextTakeover: true }, { client_no_context_takeover: true, client_max_window_bits: true }],
      [{ serverMaxWindowBits: 10 }, { server_max_window_bits: 10, client_max_window_bits: true }],
      [{ clientMaxWindowBits: 11 }, { client_max_window_bits: 11 }],
      [{ clientMaxWindowBits: false }, {}],
      [
        { serverMaxWindowBits: true, clientMaxWindowBits: true },
        { server_max_window_bits: true, client_max_window_bits: true },
      ],
    ])('of %j has the parameters %j', (options, parameters) => {
      expect(new PerMessageDeflate(options).offer()).toEqual(parameters)
    })
  })

  const NONE = 'None of the extension offers can be accepted'
  it.each<[Options, string[], object | string]>([
    [{}, [''], {}],
    [{}, ['client_max_window_bits'], {}],
    [{}, ['client_max_window_bits=10'], { client_max_window_bits: 10 }],
    [{}, ['server_max_window_bits=10'], { server_max_window_bits: 10 }],
    [
      {},
      ['server_no_context_takeover; client_no_context_takeover'],
      { server_no_context_takeover: true, client_no_context_takeover: true },
    ],
    [{ serverMaxWindowBits: 12 }, ['client_max_window_bits'], { server_max_window_bits: 12 }],
    [{ serverMaxWindowBits: 10 }, ['server_max_window_bits=12'], { server_max_window_bits: 10 }],
    [{ serverMaxWindowBits: 12 }, ['server_max_window_bits=10'], NONE],
    [{ serverMaxWindowBits: false }, ['server_max_window_bits=10'], NONE],
    [{ serverNoContextTakeover: true }, [''], { server_no_context_takeover: true }],
    [{ serverNoContextTakeover: false }, ['server_no_context_takeover'], NONE],
    [{ clientNoContextTakeover: true }, [''], { client_no_context_takeover: true }],
    [
      { clientNoContextTakeover: false },
      ['client_no_context_takeover'],
      { client_no_context_takeover: true },
    ],
    [{ clientMaxWindowBits: 10 }, ['client_max_window_bits'], { client_max_window_bits: 10 }],
    [{ clientMaxWindowBits: 10 }, ['client_max_window_bits=12'], { client_max_window_bits: 10 }],
    [{ clientMaxWindowBits: 10 }, ['client_max_window_bits=9'], NONE],
    [{ clientMaxWindowBits: 10 }, ['', 'client_max_window_bits'], { client_max_window_bits: 10 }],
    [{ clientMaxWindowBits: false }, ['client_max_window_bits=9'], {}],
    [{ clientMaxWindowBits: true }, ['client_max_window_bits=9'], { client_max_window_bits: 9 }],
  ])('as a server of %j takes of %j: %j', (options, offers, result) => {
    const codec = new PerMessageDeflate({ ...options, isServer: true })
    if (typeof result === 'string') {
      expect(() => codec.accept(parse(...offers))).toThrow(new Error(result))
      expect(codec.params).toBeNull()
    } else {
      expect(codec.accept(parse(...offers))).toEqual(result)
      expect(codec.params).toEqual(result)
    }
  })

  it.each<[Options, string, object | string]>([
    [{}, '', {}],
    [{}, 'server_max_window_bits=10', { server_max_window_bits: 10 }],
    [{ clientMaxWindowBits: 10 }, '', { client_max_window_bits: 10 }],
    [{ clientMaxWindowBits: 10 }, 'client_max_window_bits=9', { client_max_window_bits: 9 }],
    [
      { clientMaxWindowBits: 10 },
      'client_max_window_bits=12',
      'Unexpected or invalid parameter "client_max_window_bits"',
    ],
    [
      { clientMaxWindowBits: false },
      'client_max_window_bits=9',
      'Unexpected or invalid parameter "client_max_window_bits"',
    ],
    [
      { clientNoContextTakeover: false },
      'client_no_context_takeover',
      'Unexpected parameter "client_no_context_takeover"',
    ],
  ])('as a client of %j takes the answer %j: %j', (options, answer, result) => {
    const codec = new PerMessageDeflate(options)
    if (typeof result === 'string') expect(() => codec.accept(parse(answer))).toThrow(new Error(result))
    else expect(codec.accept(parse(answer))).toEqual(result)
  })

  it.each([
    ['foo', 'Unknown parameter "foo"'],
    ['server_max_window_bits', 'Invalid value for parameter "server_max_window_bits": true'],
    ['server_max_window_bits=7', 'Invalid value for parameter "server_max_window_bits": 7'],
    ['server_max_window_bits=16', 'Invalid value for parameter "server_max_window_bits": 16'],
    ['server_max_window_bits=8.5', 'Invalid value for parameter "server_max_window_bits": 8.5'],
    ['client_max_window_bits=a', 'Invalid value for parameter "client_max_window_bits": a'],
    ['server_no_context_takeover=1', 'Invalid value for parameter "server_no_context_takeover": 1'],
    [
      'client_no_context_takeover; client_no_context_takeover',
      'Parameter "client_no_context_takeover" must have only a single value',
    ],
  ])('refuses %j in both roles: %s', (parameters, message) => {
    for (const isServer of [true, false]) {
      expect(() => new PerMessageDeflate({ isServer }).accept(parse(parameters))).toThrow(message)
    }
  })

  it('refuses client_max_window_bits without a size in an answer', () => {
    expect(() => new PerMessageDeflate().accept(parse('client_max_window_bits'))).toThrow(
      'Invalid value for parameter "client_max_window_bits": true',
    )
  })

  describe('Messages', () => {
    it('are compressed with their context, and inflated', async () => {
      const codec = accepted()
      expect(await run(codec, 'compress', 'Hello')).toEqual(HELLO)
      expect(await run(codec, 'compress', Buffer.from('Hello'))).toEqual(HELLO_AGAIN)
      expect((await run(codec, 'decompress', HELLO)).toString()).toBe('Hello')
      expect((await run(codec, 'decompress', HELLO_AGAIN)).toString()).toBe('Hello')
      codec.cleanup()
    })

    it('are compressed by themselves where that is agreed', async () => {
      const client = accepted({}, 'client_no_context_takeover; server_no_context_takeover')
      const server = accepted({ isServer: true }, 'client_no_context_takeover; server_no_context_takeover')
      for (const codec of [client, server]) {
        expect(await run(codec, 'compress', 'Hello')).toEqual(HELLO)
        expect(await run(codec, 'compress', 'Hello')).toEqual(HELLO)
        expect((await run(codec, 'decompress', HELLO)).toString()).toBe('Hello')
        await expect(run(codec, 'decompress', HELLO_AGAIN)).rejects.toMatchObject({ code: 'Z_DATA_ERROR' })
        codec.cleanup()
      }
    })

    it('may come in fragments', async () => {
      const codec = accepted()
      const first = await run(codec, 'compress', 'Hel', false)
      expect(first.toString('hex')).toBe('f248cd01000000ffff')
      const last = await run(codec, 'compress', 'lo', true)
      expect((await run(codec, 'decompress', first, false)).toString()).toBe('Hel')
      expect((await run(codec, 'decompress', last)).toString()).toBe('lo')
      codec.cleanup()
    })

    it('may overlap: the results are in their order', async () => {
      const codec = accepted()
      const results = await Promise.all([run(codec, 'compress', 'Hel', false), run(codec, 'compress', 'lo')])
      expect(results.map((result) => result.toString('hex'))).toEqual(['f248cd01000000ffff', 'cac90700'])
      codec.cleanup()
    })

    it('may be empty', async () => {
      const codec = accepted()
      expect([...(await run(codec, 'compress', ''))]).toEqual([0])
      expect(await run(codec, 'decompress', Buffer.from([0]))).toHaveLength(0)
      codec.cleanup()
    })

    it('may end in a final block, and the next stands by itself', async () => {
      const codec = accepted()
      const final = Buffer.from('f348cdc9c9070000', 'hex')
      expect((await run(codec, 'decompress', final)).toString()).toBe('Hello')
      expect((await run(codec, 'decompress', HELLO)).toString()).toBe('Hello')
      codec.cleanup()
    })

    it('are large', async () => {
      const codec = accepted()
      const data = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) >> 3))
      const payload = await run(codec, 'compress', data)
      expect((await run(codec, 'decompress', payload)).equals(data)).toBe(true)
      codec.cleanup()
    })

    it('keep to the windows that were agreed', async () => {
      const codec = accepted({}, 'client_max_window_bits=9; server_max_window_bits=9')
      const random = Buffer.from(Array.from({ length: 600 }, (_, i) => (i * 7919) >> (i & 3)))
      const twice = Buffer.concat([random, random])
      const [small, large] = [await run(codec, 'compress', twice), await run(accepted(), 'compress', twice)]
      expect(small.length).toBeGreaterThan(large.length)
      codec.cleanup()
    })

    it('are compressed with the options of zlib', async () => {
      const codec = accepted({ zlibDeflateOptions: { level: 0 } })
      expect((await run(codec, 'compress', 'Hello')).toString('hex')).toBe('000500faff48656c6c6f00')
      codec.cleanup()
    })

    it('above maxPayload are refused', async () => {
      const codec = accepted({ maxPayload: 4 })
      await expect(run(codec, 'decompress', HELLO)).rejects.toMatchObject({
        name: 'RangeError',
        message: 'Max payload size exceeded',
        code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
      })
      const exact = accepted({ maxPayload: 5 })
      expect((await run(exact, 'decompress', HELLO)).toString()).toBe('Hello')
      exact.cleanup()
    })

    it('that zlib does not take give its error', async () => {
      const codec = accepted()
      await expect(run(codec, 'decompress', Buffer.from([1, 2, 3]))).rejects.toMatchObject({
        code: 'Z_DATA_ERROR',
        errno: -3,
        message: 'invalid stored block lengths',
      })
      expect((await run(codec, 'decompress', HELLO)).toString()).toBe('Hello')
      codec.cleanup()
    })
  })

  it('calls back with an error where cleanup ends a compression', async () => {
    const codec = accepted()
    const result = run(codec, 'compress', 'Hello')
    codec.cleanup()
    await expect(result).rejects.toThrow('The deflate stream was closed while data was being processed')
    codec.cleanup()
  })

  it('throws for options that zlib does not take', () => {
    const codec = accepted({ zlibDeflateOptions: { level: 99 } })
    expect(() => codec.compress('a', true, () => {})).toThrow(/out of range/)
  })
})

describe('PerMessageDeflate of the drop-in', () => {
  const [, [, { PerMessageDeflate }]] = IMPLEMENTATIONS as readonly [
    unknown,
    (typeof IMPLEMENTATIONS)[number],
  ]
  const DATA = Buffer.alloc(100_000, 'abc')

  const codecs = (count: number): InstanceType<typeof PerMessageDeflate>[] =>
    Array.from({ length: count }, () => {
      const codec = new PerMessageDeflate()
      codec.accept([{}])
      return codec
    })

  it('calls back once for each call that cleanup ends, also those that have not begun', async () => {
    const all = codecs(30)
    const errors: (string | undefined)[] = []
    for (const codec of all) {
      codec.compress(DATA, true, (error) => errors.push(error?.message))
      codec.decompress(HELLO, true, (error) => errors.push(error?.message))
    }
    for (const codec of all) codec.cleanup()
    expect(errors).toEqual(Array(60).fill('The deflate stream was closed while data was being processed'))
    // Their places are free again, and no stream was made for what never began.
    const [next] = codecs(1) as [InstanceType<typeof PerMessageDeflate>]
    await new Promise((resolve) => next.compress('Hello', true, resolve))
    next.cleanup()
    expect(errors).toHaveLength(60)
    expect(all.every((codec) => codec._deflate === null && codec._inflate === null)).toBe(true)
  })

  it('gives the place of a call that throws to the next', async () => {
    for (let i = 0; i < 20; i++) {
      const codec = new PerMessageDeflate({ zlibDeflateOptions: { level: 99 } })
      codec.accept([{}])
      expect(() => codec.compress('a', true, () => {})).toThrow(/out of range/)
    }
    const [next] = codecs(1) as [InstanceType<typeof PerMessageDeflate>]
    const result = await new Promise((resolve) =>
      next.compress('Hello', true, (_error, data) => resolve(data)),
    )
    expect(result).toEqual(HELLO)
    next.cleanup()
  })

  it('runs at most ten calls of zlib at once, of all connections', async () => {
    const all = codecs(25)
    const done = all.map((codec) => new Promise((resolve) => codec.compress(DATA, true, resolve)))
    expect(all.filter((codec) => codec._deflate !== null)).toHaveLength(10)
    await Promise.all(done)
    for (const codec of all) codec.cleanup()
  })
})
