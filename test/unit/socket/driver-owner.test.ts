/** The errors of the network, and the counts of a connection, as the application gets them. */
import { TransportError } from '../../../src/errors.js'
import { failureOf, transportError } from '../../../src/socket/driver-owner.js'
import { NEVER_OPEN } from '../../../src/socket/end-of-connection.js'
import { trafficOf } from '../../../src/socket/traffic.js'
import type { Transport } from '../../../src/transport/transport.js'

describe('an error of the network', () => {
  it('has the message and the cause, and no stack, which would cost more than all else', () => {
    const { stackTraceLimit } = Error
    const cause = new Error('read ECONNRESET')
    const error = transportError(cause)
    expect(error).toBeInstanceOf(TransportError)
    expect([error.message.includes('read ECONNRESET'), error.cause]).toEqual([true, cause])
    expect(error.stack).not.toContain('\n    at ')
    expect(Error.stackTraceLimit).toBe(stackTraceLimit)
    expect(new Error('another').stack).toContain('\n    at ')
  })

  it('is that of a transport that failed, and none of one that did not', () => {
    expect(failureOf({ failure: null } as Transport)).toBeUndefined()
    const failure = new Error('EPIPE')
    const error = failureOf({ failure } as Transport)
    expect(error).toBeInstanceOf(TransportError)
    expect(error?.cause).toBe(failure)
  })
})

describe('the counts of a connection', () => {
  it('are those of its socket', () => {
    const counts = { flow: { messagesSent: 3 }, counter: { bytesRead: 5, bytesWritten: 7 } }
    expect(trafficOf(counts)).toEqual({ messagesSent: 3, bytesReceived: 5, bytesSent: 7 })
  })

  it('are 0 where a stream counts nothing', () => {
    const counts = { flow: { messagesSent: 0 }, counter: {} }
    expect(trafficOf(counts)).toEqual({ messagesSent: 0, bytesReceived: 0, bytesSent: 0 })
  })
})

it('a client that never had a connection ends with 1006, by its own side', () => {
  expect(NEVER_OPEN).toEqual({
    ...{ code: 1006, reason: '', wasClean: false, initiator: 'local' },
    ...{ droppedMessages: 0, unsentBytes: 0 },
  })
  expect(Object.isFrozen(NEVER_OPEN)).toBe(true)
})
