import { CappedList } from './capped-list.js'
import { byId, make } from './dom.js'
import { formatAscii, formatBytes, formatHex, formatMs, formatTime } from './format.js'

const MAX_MESSAGES = 200
const SHOWN_CHARACTERS = 240
const SHOWN_BYTES = 32

/** The messages, sent and received. Only the start of a long one is kept. */
export class MessageLog {
  #list = new CappedList(byId('messages'), byId('messages-scroll'), MAX_MESSAGES)
  #note = byId('messages-note')
  #sent = 0
  #received = 0

  constructor() {
    byId('clear-messages').addEventListener('click', () => {
      this.#sent = 0
      this.#received = 0
      this.#count()
      this.#list.clear()
    })
  }

  /** @param {string | Uint8Array} data */
  sent(data) {
    this.#sent++
    this.#add('sent', data, '')
  }

  /**
   * @param {string | Uint8Array} data
   * @param {number | null} ms since the message that it echoes was sent
   */
  received(data, ms) {
    this.#received++
    this.#add('received', data, ms === null ? '' : `echoed in ${formatMs(ms)}`)
  }

  /** @param {string} text of the page itself */
  tell(text) {
    const at = Date.now()
    this.#list.add(() => {
      const row = make('li', 'event', make('time', '', formatTime(at)), ' ', make('span', 'event-text', text))
      row.dataset.kind = 'event'
      return row
    })
  }

  #add(direction, data, note) {
    const at = Date.now()
    const isText = typeof data === 'string'
    const size = isText ? textBytes(data) : formatBytes(data.length)
    const body = isText ? startOfText(data) : startOfBytes(data)
    this.#count()
    this.#list.add(() => {
      const head = make(
        'p',
        'message-head',
        make('span', 'direction', direction === 'sent' ? '↑ Sent' : '↓ Received'),
        make('span', 'kind', isText ? 'text' : 'binary'),
        make('span', 'size', size),
        make('span', 'echo', note),
        make('time', '', formatTime(at)),
      )
      const row = make('li', `message ${direction}`, head, make('pre', isText ? 'text' : 'binary', body))
      row.dataset.kind = 'message'
      row.dataset.direction = direction
      return row
    })
  }

  #count() {
    const isEmpty = this.#sent + this.#received === 0
    this.#note.textContent = isEmpty ? '' : `${this.#sent} sent, ${this.#received} received`
  }
}

/** As UTF-8, the form that it has on the wire. */
const textBytes = (text) => formatBytes(new TextEncoder().encode(text).length)

function startOfText(text) {
  if (text === '') return '(empty)'
  if (text.length <= SHOWN_CHARACTERS) return text
  // Not between the halves of a surrogate pair.
  const start = text.slice(0, SHOWN_CHARACTERS).replace(/[\ud800-\udbff]$/, '')
  return `${start.trimEnd()} …`
}

function startOfBytes(bytes) {
  if (bytes.length === 0) return '(empty)'
  const start = bytes.subarray(0, SHOWN_BYTES)
  const lines = []
  const width = start.length > 8 ? 23 : 0
  for (let at = 0; at < start.length; at += 8) {
    const line = start.subarray(at, at + 8)
    lines.push(`${formatHex(line).padEnd(width)}  ${formatAscii(line)}`)
  }
  if (bytes.length > SHOWN_BYTES) lines.push('…')
  return lines.join('\n')
}
