/**
 * A server whose metrics Prometheus reads. After `npm run build`:
 *
 *   node examples/opentelemetry/server.mjs
 *   npx hawser connect ws://localhost:8080/echo
 *   curl http://localhost:9464/metrics
 *
 * PORT and METRICS_PORT choose other ports. It ends with the interrupt.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { metrics } from '@opentelemetry/api'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { accept, reject, WebSocketServer } from 'hawser'
import { observeHawser } from './telemetry.mjs'

const { PORT = '8080', METRICS_PORT = '9464' } = process.env

// Metrics tell how much goes on, and where: keep them on an address that only the monitoring reaches.
const host = '127.0.0.1'
const exporter = new PrometheusExporter({ host, port: Number(METRICS_PORT), preventServerStart: true })
const provider = new MeterProvider({ readers: [exporter] })
metrics.setGlobalMeterProvider(provider)
await exporter.startServer()
console.log(`metrics at http://${host}:${METRICS_PORT}/metrics`)

const stop = observeHawser()

const server = new WebSocketServer({
  quotas: { messagesPerSecond: 100, onExceeded: 'drop' },
  onError: (error) => console.error(error.message),
})

server.route('/echo', { onMessage: (socket, message) => message })

server.route('/rooms/:room', {
  onUpgrade: ({ params }) => (params.room === 'closed' ? reject(403) : accept()),
  onMessage: async (socket, text) => {
    await delay(20)
    if (text === 'fail') throw new Error('this handler fails')
    return `${socket.params.room}: ${text}`
  },
  onError: () => undefined,
})

const { port } = await server.listen(Number(PORT), host)
console.log(`listening on ws://${host}:${port}`)

process.once('SIGINT', end)
process.once('SIGTERM', end)

async function end() {
  await server.close()
  stop()
  await provider.shutdown()
}
