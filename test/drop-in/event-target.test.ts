import { IMPLEMENTATIONS } from './implementations.js'

interface AnyEvent {
  readonly type: string
  readonly target: unknown
  readonly data: unknown
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
  readonly error: unknown
  readonly message: string
}

describe.each(IMPLEMENTATIONS)('Events of %s', (_name, { Target }) => {
  const listen = (
    type: string,
    event: string,
    ...values: unknown[]
  ): { event: AnyEvent; target: unknown; context: unknown } => {
    const target = new Target()
    target._closeFrameReceived = true
    target._closeFrameSent = true
    let heard: AnyEvent | undefined
    const handler = jest.fn((given: AnyEvent) => void (heard = given))
    target.addEventListener(type, handler)
    target.emit(event, ...values)
    return { event: heard!, target, context: handler.mock.contexts[0] }
  }

  it("have type and target, and the target is the listener's this", () => {
    const { event, target, context } = listen('open', 'open')
    expect(event.type).toBe('open')
    expect(event.target).toBe(target)
    expect(context).toBe(target)
    expect(event.constructor.name).toBe('Event')
  })

  it('give text as a string', () => {
    const { event } = listen('message', 'message', Buffer.from('héllo'), false)
    expect(event.constructor.name).toBe('MessageEvent')
    expect(event.type).toBe('message')
    expect(event.data).toBe('héllo')
  })

  it.each([[Buffer.from('a')], [new ArrayBuffer(2)], [[Buffer.from('a'), Buffer.from('b')]]])(
    'give bytes as they are: %p',
    (data) => {
      expect(listen('message', 'message', data, true).event.data).toBe(data)
    },
  )

  it('give code, reason and wasClean of a close', () => {
    const { event } = listen('close', 'close', 1001, Buffer.from('bye'))
    expect(event.constructor.name).toBe('CloseEvent')
    expect([event.type, event.code, event.reason, event.wasClean]).toEqual(['close', 1001, 'bye', true])
  })

  it.each([
    [true, false],
    [false, true],
    [false, false],
  ])('are not clean where Close frames are missing: received %p, sent %p', (received, sent) => {
    const target = new Target()
    target._closeFrameReceived = received
    target._closeFrameSent = sent
    const events: AnyEvent[] = []
    target.onclose = (event: AnyEvent) => events.push(event)
    target.emit('close', 1006, Buffer.alloc(0))
    expect(events.map(({ code, reason, wasClean }) => [code, reason, wasClean])).toEqual([[1006, '', false]])
  })

  it('give an error and its message', () => {
    const error = new Error('boo')
    const { event } = listen('error', 'error', error)
    expect(event.constructor.name).toBe('ErrorEvent')
    expect(event.type).toBe('error')
    expect(event.error).toBe(error)
    expect(event.message).toBe('boo')
  })

  it('have members that can be enumerated', () => {
    const { event } = listen('close', 'close', 1000, Buffer.from(''))
    const names: string[] = []
    for (const name in event) names.push(name)
    expect(names.sort()).toEqual(['code', 'reason', 'target', 'type', 'wasClean'])
  })

  it('call a handler once for each type, though it is added twice', () => {
    const target = new Target()
    const handler = jest.fn()
    target.addEventListener('open', handler)
    target.addEventListener('open', handler)
    target.addEventListener('close', handler)
    target.emit('open')
    expect(handler).toHaveBeenCalledTimes(1)
    target.emit('close', 1000, Buffer.alloc(0))
    expect(handler).toHaveBeenCalledTimes(2)
  })

  it('call the method handleEvent of an object, with the object as this', () => {
    const target = new Target()
    const handler = {
      events: [] as unknown[],
      handleEvent(event: AnyEvent) {
        this.events.push(event.data)
      },
    }
    target.addEventListener('message', handler)
    target.emit('message', Buffer.from('a'), false)
    target.removeEventListener('message', handler)
    target.emit('message', Buffer.from('b'), false)
    expect(handler.events).toEqual(['a'])
  })

  it('call a handler with `once` for the next event alone', () => {
    const target = new Target()
    const handler = jest.fn()
    target.addEventListener('message', handler, { once: true })
    target.emit('message', Buffer.from('a'), false)
    target.emit('message', Buffer.from('b'), false)
    expect(handler).toHaveBeenCalledTimes(1)
  })

  it('remove a handler with `once` before it is called', () => {
    const target = new Target()
    const handler = jest.fn()
    target.addEventListener('open', handler, { once: true })
    target.removeEventListener('open', handler)
    target.emit('open')
    expect(handler).not.toHaveBeenCalled()
    expect(target.listenerCount('open')).toBe(0)
  })

  it('ignore types that have no Event', () => {
    const target = new Target()
    target.addEventListener('ping', jest.fn())
    target.addEventListener('toString', jest.fn())
    expect(target.eventNames()).toEqual([])
    target.removeEventListener('ping', jest.fn())
  })

  it('know the listeners of the emitter from their own', () => {
    const target = new Target()
    const handler = jest.fn()
    target.on('open', handler)
    target.addEventListener('open', handler)
    expect(target.listenerCount('open')).toBe(2)
    target.removeEventListener('open', handler)
    expect(target.listeners('open')).toEqual([handler])
  })

  it('are called in the order in which listeners of both kinds were added', () => {
    const target = new Target()
    const order: string[] = []
    target.on('open', () => order.push('emitter'))
    target.onopen = () => order.push('attribute')
    target.addEventListener('open', () => order.push('listener'))
    target.emit('open')
    expect(order).toEqual(['emitter', 'attribute', 'listener'])
  })

  describe.each(['open', 'message', 'close', 'error'] as const)('The attribute on%s', (type) => {
    const attribute = `on${type}` as const
    const values = {
      open: [],
      message: [Buffer.from('a'), true],
      close: [1000, Buffer.from('')],
      error: [new Error('x')],
    }

    it('is null before it is set, and reads back what was set', () => {
      const target = new Target()
      expect(target[attribute]).toBeNull()
      const handler = jest.fn()
      target[attribute] = handler
      expect(target[attribute]).toBe(handler)
    })

    it('replaces the handler before it', () => {
      const target = new Target()
      const before = jest.fn()
      const after = jest.fn()
      target[attribute] = before
      target[attribute] = after
      target.emit(type, ...values[type])
      expect(before).not.toHaveBeenCalled()
      expect(after).toHaveBeenCalledTimes(1)
      expect(target.listenerCount(type)).toBe(1)
    })

    it.each([null, undefined, 'no', 5, {}])('is emptied by %p', (value) => {
      const target = new Target()
      target[attribute] = jest.fn()
      target[attribute] = value
      expect(target[attribute]).toBeNull()
      expect(target.listenerCount(type)).toBe(0)
    })

    it('leaves listeners alone, also the same function', () => {
      const target = new Target()
      const handler = jest.fn()
      target[attribute] = handler
      target.addEventListener(type, handler)
      target.emit(type, ...values[type])
      expect(handler).toHaveBeenCalledTimes(2)
      target.removeEventListener(type, handler)
      expect(target[attribute]).toBe(handler)
      target[attribute] = null
      expect(target.listenerCount(type)).toBe(0)
    })

    it('can be enumerated, as a member of the prototype', () => {
      const names: string[] = []
      for (const name in new Target()) names.push(name)
      expect(names).toEqual(expect.arrayContaining([attribute, 'addEventListener', 'removeEventListener']))
    })
  })
})
