/**
 * Metrics of all servers of Hawser in this process, by the API of OpenTelemetry. It knows no exporter: what the program
 * registers as its MeterProvider gets them. Call `observeHawser` before the first server is made.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { metrics } from '@opentelemetry/api'

/** A peer chooses these codes, and each value would be a series of its own. */
const codeOf = ({ code }) => (code < 3000 ? String(code) : `${Math.floor(code / 1000)}xxx`)

const kindOf = (error) => error.code ?? error.name

/** In seconds: the default boundaries of OpenTelemetry are for milliseconds. */
const seconds = {
  unit: 's',
  advice: {
    explicitBucketBoundaries: [
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ],
  },
}

/** @returns a function that ends it */
export function observeHawser(meter = metrics.getMeter('hawser')) {
  const connections = meter.createUpDownCounter('hawser.connections', {
    description: 'Connections that are open or closing',
  })
  const upgrades = meter.createCounter('hawser.upgrades', {
    description: 'Upgrades that were answered, by the HTTP status: 101, or why they were refused',
  })
  const upgradeTimes = meter.createHistogram('hawser.upgrade.duration', {
    ...seconds,
    description: 'From the accept of a connection to the answer to its upgrade',
  })
  const closes = meter.createCounter('hawser.closes', {
    description: 'Connections that ended, by Close code',
  })
  const errors = meter.createCounter('hawser.errors', {
    description: 'Errors of peers, of the network and of handlers',
  })
  const handlerTimes = meter.createHistogram('hawser.handler.duration', {
    ...seconds,
    description: 'Calls of handlers, to the end of their promises',
  })
  const quotas = meter.createCounter('hawser.quota.excesses', {
    description: 'How often a connection exceeded a quota, and what happened',
  })

  const listeners = {
    'hawser:upgrade': ({ route, status, error, durationMs }) => {
      const attributes = { route: route ?? '', status: status ?? 0 }
      upgrades.add(1, error === null ? attributes : { ...attributes, reason: error.code })
      upgradeTimes.record(durationMs / 1000, attributes)
    },
    'hawser:open': ({ route }) => connections.add(1, { route }),
    'hawser:close': ({ route, info }) => {
      connections.add(-1, { route })
      closes.add(1, { route, code: codeOf(info), clean: info.wasClean })
    },
    'hawser:error': ({ route, error }) => errors.add(1, { route, kind: kindOf(error) }),
    'hawser:server-error': ({ error }) => errors.add(1, { route: '', kind: kindOf(error) }),
    'hawser:handler': ({ route, handler, durationMs, error }) =>
      handlerTimes.record(durationMs / 1000, { route, handler, failed: error !== null }),
    'hawser:quota': ({ route, quota, action }) => quotas.add(1, { route, quota, action }),
    ...watchTraffic(meter),
  }
  for (const [name, listener] of Object.entries(listeners)) subscribe(name, listener)
  return () => {
    for (const [name, listener] of Object.entries(listeners)) unsubscribe(name, listener)
  }
}

/** Messages and bytes are read from the servers when an exporter asks: a message itself costs nothing. */
function watchTraffic(meter) {
  const messages = meter.createObservableCounter('hawser.messages', { description: 'Whole messages' })
  const bytes = meter.createObservableCounter('hawser.io', {
    unit: 'By',
    description: 'Bytes on the transports, before TLS',
  })
  const waiting = meter.createObservableGauge('hawser.output.waiting', {
    unit: 'By',
    description: 'Bytes that wait for peers to read',
  })
  const servers = new Set()
  // What servers that are closed have counted: a counter does not go back.
  const ended = { messagesReceived: 0, messagesSent: 0, messagesDropped: 0, bytesReceived: 0, bytesSent: 0 }
  const add = (sum, stats) => {
    for (const name of Object.keys(sum)) sum[name] += stats[name]
  }

  meter.addBatchObservableCallback(
    (result) => {
      const sum = { ...ended }
      let buffered = 0
      for (const server of servers) {
        add(sum, server.stats())
        for (const socket of server.sockets) buffered += socket.bufferedAmount
      }
      result.observe(messages, sum.messagesReceived, { direction: 'received' })
      result.observe(messages, sum.messagesSent, { direction: 'sent' })
      result.observe(messages, sum.messagesDropped, { direction: 'dropped' })
      result.observe(bytes, sum.bytesReceived, { direction: 'received' })
      result.observe(bytes, sum.bytesSent, { direction: 'sent' })
      result.observe(waiting, buffered)
    },
    [messages, bytes, waiting],
  )
  return {
    'hawser:server': ({ server }) => servers.add(server),
    'hawser:closed': ({ server }) => {
      if (servers.delete(server)) add(ended, server.stats())
    },
  }
}
