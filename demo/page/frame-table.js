import { CappedList } from './capped-list.js'
import { byId, make } from './dom.js'
import { formatAscii, formatBytes, formatHex, formatTime, parseHex } from './format.js'

const MAX_FRAMES = 400
const SHOWN_BYTES = 16
const BYTES_PER_LINE = 8
const COLUMNS = 7

/** The frames on the wire, as the server reports them. */
export class FrameTable {
  #table = byId('frames')
  #list = new CappedList(this.#table, byId('frames-scroll'), MAX_FRAMES)
  #note = byId('frames-note')
  #counts = { client: { frames: 0, bytes: 0 }, server: { frames: 0, bytes: 0 } }

  constructor() {
    byId('clear-frames').addEventListener('click', () => {
      this.#counts = { client: { frames: 0, bytes: 0 }, server: { frames: 0, bytes: 0 } }
      this.#count()
      this.#list.clear()
    })
    const showPings = byId('show-pings')
    showPings.addEventListener('change', () => {
      this.#table.classList.toggle('without-pings', !showPings.checked)
    })
  }

  /** @param {{ kind: 'frame' | 'violation' }} report as frame-tap.ts makes them */
  add(report) {
    if (report.kind === 'violation') {
      this.#line(
        'violation',
        `${report.from} broke the protocol: ${report.message} (${report.code})`,
        report.at,
      )
      return
    }
    const count = this.#counts[report.from]
    count.frames++
    count.bytes += report.headerLength + report.payloadLength
    this.#count()
    this.#list.add(() => frameRow(report))
  }

  /** @param {number} count of frames that came faster than they could be shown */
  addGap(count) {
    this.#line('gap', `${count} more frames, faster than they could be shown`, Date.now())
  }

  /** @param {string} text marks where another connection begins */
  addMark(text) {
    this.#line('mark', text, Date.now())
  }

  #line(className, text, at) {
    this.#list.add(() => {
      const cell = make('td', '', text)
      cell.colSpan = COLUMNS - 1
      return make('tr', className, make('td', 'time', formatTime(at)), cell)
    })
  }

  #count() {
    const { client, server } = this.#counts
    const isEmpty = client.frames + server.frames === 0
    const parts = isEmpty
      ? []
      : [
          make('span', '', `↑ ${client.frames} frames, ${formatBytes(client.bytes)}`),
          make('span', '', `↓ ${server.frames} frames, ${formatBytes(server.bytes)}`),
        ]
    this.#note.replaceChildren(...parts)
  }
}

function frameRow(report) {
  const isSent = report.from === 'client'
  const isControl = ['CLOSE', 'PING', 'PONG'].includes(report.opcode)
  const row = make(
    'tr',
    isSent ? 'sent' : 'received',
    make('td', 'time', formatTime(report.at)),
    make('td', 'direction', isSent ? '↑ ' : '↓ ', make('span', 'word', isSent ? 'Sent' : 'Received')),
    make('td', 'opcode', make('span', isControl ? 'tag control' : 'tag', report.opcode)),
    make('td', 'flags', flag('FIN', report.fin), ' ', flag('RSV1', report.rsv1)),
    make('td', 'masked', ...maskCell(report.maskingKey)),
    make('td', 'length right', lengthText(report)),
    make('td', 'bytes', ...payloadCell(report)),
  )
  row.dataset.from = report.from
  row.dataset.opcode = report.opcode
  return row
}

function flag(name, isSet) {
  if (isSet) return make('span', 'flag set', name)
  const unset = make('span', 'flag', name)
  unset.append(make('span', 'hidden', ' not set'))
  return unset
}

const maskCell = (key) => (key === null ? ['no'] : ['yes ', make('span', 'key', key)])

const lengthText = (report) => {
  const cell = make('span', '', report.payloadLength.toLocaleString('en'))
  cell.title = `header ${report.headerLength} bytes, payload ${report.payloadLength} bytes`
  return cell
}

/** As in a hex dump: bytes, and beside them what they say. */
function payloadCell({ bytes, payloadLength, close }) {
  if (payloadLength === 0) return [make('span', 'ascii', 'empty')]
  const shown = parseHex(bytes).subarray(0, SHOWN_BYTES)
  const lines = []
  for (let at = 0; at < shown.length; at += BYTES_PER_LINE) {
    const part = shown.subarray(at, at + BYTES_PER_LINE)
    const ascii = close === undefined ? formatAscii(part) : ''
    lines.push(make('span', 'line', make('span', 'hex', formatHex(part)), make('span', 'ascii', ascii)))
  }
  if (close !== undefined) {
    const reason = close.reason === '' ? '' : ` “${close.reason}”`
    lines.push(make('span', 'line close', `${close.code}${reason}`))
  } else if (payloadLength > shown.length) {
    lines.at(-1).lastElementChild.append(' …')
  }
  return lines
}
