/**
 * The bytes of a TCP connection as a stream that is not a net.Socket. TLS over a net.Socket takes its handle, and Node 20 ends with a
 * segmentation fault when that handle is reset: so the peers, which reset connections, have their TLS above this.
 */
import { Duplex } from 'node:stream'

export class BelowTls extends Duplex {
  #tcp

  constructor(tcp) {
    super({ allowHalfOpen: true })
    this.#tcp = tcp
    tcp.on('data', (chunk) => {
      if (!this.push(chunk)) tcp.pause()
    })
    tcp.on('end', () => this.push(null))
    tcp.on('error', () => undefined)
    tcp.on('close', () => this.destroy())
  }

  _read() {
    this.#tcp.resume()
  }

  _write(chunk, _encoding, done) {
    this.#tcp.write(chunk, done)
  }

  _final(done) {
    this.#tcp.end(done)
  }

  _destroy(error, done) {
    this.#tcp.destroy()
    done(error)
  }
}
