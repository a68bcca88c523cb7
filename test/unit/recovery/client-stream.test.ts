import { ClientPositions } from '../../../src/recovery/client-positions.js'
import { ClientStream } from '../../../src/recovery/client-stream.js'
import { encodeControl, encodePublished } from '../../../src/recovery/wire.js'

/** More groups than a connection is in at a time, and fewer than have room by their bytes. */
const MANY = 11_000

describe('a client that is in a lobby', () => {
  let refusals: string[]
  let stream: ClientStream
  const begin = (id: number, group: string, epoch = 'e'): void => {
    expect(stream.take(encodeControl({ group, id, epoch, offset: 0 }))).toBeNull()
  }
  const left = (group: string): void => {
    expect(stream.take(encodeControl({ left: group }))).toBeNull()
  }
  beforeEach(() => {
    refusals = []
    stream = new ClientStream(new ClientPositions([]), {
      recovered: () => undefined,
      published: () => undefined,
      refuse: (detail) => refusals.push(detail),
    })
    begin(1, 'lobby')
  })

  it('gets its messages also after it was in very many rooms', () => {
    for (let i = 2; i <= MANY; i++) {
      begin(i, `room ${String(i)}`)
      left(`room ${String(i)}`)
    }
    expect(stream.take(encodePublished(1, 1, 'hello'))).toBe('hello')
    expect(refusals).toEqual([])
  })

  it('gets its messages also after another group began anew very often', () => {
    for (let i = 2; i <= MANY; i++) begin(i, 'room', `e${String(i)}`)
    expect(stream.take(encodePublished(1, 1, 'hello'))).toBe('hello')
    expect(stream.take(encodePublished(MANY, 1, 'new'))).toBe('new')
    expect(refusals).toEqual([])
  })

  it('refuses what comes under the id of a group that was left, or that has another id since', () => {
    begin(2, 'room')
    left('room')
    expect(stream.take(encodePublished(2, 1, 'late'))).toBeNull()
    begin(3, 'lobby')
    expect(stream.take(encodePublished(1, 1, 'late'))).toBeNull()
    expect(refusals).toHaveLength(2)
    expect(stream.take(encodePublished(3, 1, 'hello'))).toBe('hello')
  })

  it('knows a group under the id that another one had', () => {
    begin(2, 'room')
    begin(1, 'room')
    left('room')
    begin(1, 'lobby')
    expect(stream.take(encodePublished(1, 1, 'hello'))).toBe('hello')
    expect(refusals).toEqual([])
  })
})
