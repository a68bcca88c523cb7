import { Agent, type ClientRequestArgs } from 'node:http'
import { connect as connectTcp, type NetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls'
import { FrameTap, type WireReport } from '../frame-tap.js'
import { TappedDuplex } from '../tapped-duplex.js'

/** What Hawser asks an agent for: the options of node:http, whether there is to be TLS, and what node:tls takes. */
type Request = ClientRequestArgs & TlsOptions & { readonly secureEndpoint?: boolean }

/** Makes connections as Hawser does without an agent, and reports the frames of each, both ways. */
export class FramesAgent extends Agent {
  private readonly report: (report: WireReport) => void

  constructor(report: (report: WireReport) => void) {
    super()
    this.report = report
  }

  override createConnection(request: Request): Duplex {
    const { socketPath, path: _target, secureEndpoint, ...rest } = request
    const options = { ...rest, ...(socketPath === undefined ? {} : { path: socketPath }) }
    const socket =
      secureEndpoint === true
        ? connectTls(options as TlsOptions)
        : connectTcp(options as unknown as NetConnectOpts)
    return new TappedDuplex(socket, new FrameTap(this.report, 'client'))
  }
}
