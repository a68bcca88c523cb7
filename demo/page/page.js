/* global document */
import { Chat } from './chat.js'
import { byId } from './dom.js'
import { EchoConnection } from './echo-connection.js'
import { formatBytes, formatMs, parseHex } from './format.js'
import { FrameTable } from './frame-table.js'
import { MessageLog } from './message-log.js'
import { Retries } from './retries.js'
import { sampleBytes, sampleText } from './samples.js'
import { askServer, describeClose } from './why.js'

const STATE_NAMES = {
  connecting: 'Connecting',
  open: 'Open',
  closing: 'Closing',
  closed: 'Closed',
  waiting: 'Reconnecting',
}
const NONE = '–'
const BUFFERED_EVERY_MS = 250

const messages = new MessageLog()
const frames = new FrameTable()
const input = byId('input')
const composer = byId('composer')

let connection = null
/** When the messages that were not echoed yet were sent, oldest first. */
let sentAt = []
/** What was told last of a connection that did not open: each try would say the same. */
let told = ''

const retries = new Retries({
  onCountdown: (seconds) => showWhy(`${told}. Next try in ${seconds} s`),
  onTry: () => void tryAgain(),
})

function connect() {
  sentAt = []
  let isMarked = false
  const mark = () => {
    if (isMarked) return
    isMarked = true
    frames.addMark('A new connection')
  }
  const opened = new EchoConnection({
    onState: () => {
      if (opened.state === 'open') {
        mark()
        if (!opened.hasFrames) frames.addMark('The frames of this connection cannot be shown')
        told = ''
        retries.stop()
        showWhy('')
      }
      showState()
    },
    onMessage: (data) => {
      const since = sentAt.shift()
      messages.received(data, since === undefined ? null : performance.now() - since)
    },
    onClose: (event) => {
      if (!event.hasOpened) {
        if (!event.isOwn) void explain()
        return
      }
      told = describeClose(event, event.isOwn)
      messages.tell(told)
      if (event.isOwn) showWhy('')
      else retryLater()
    },
    onReports: (reports) => {
      mark()
      for (const report of reports.frames) frames.add(report)
      if (reports.missed > 0) frames.addGap(reports.missed)
      if (opened === connection && opened.state === 'open') showRoundTrip(reports.rttMs)
    },
  })
  connection = opened
  showState()
}

/** Says why a connection did not open, once, and tries again later. */
async function explain() {
  const failed = connection
  const { text } = await askServer()
  // Meanwhile the button may have been used.
  if (connection === failed && failed.state === 'closed' && !failed.isOwnEnd) tellRefused(text)
}

function tellRefused(text) {
  if (text !== told) messages.tell(text)
  told = text
  retryLater()
}

async function tryAgain() {
  const failed = connection
  const { canConnect, text } = await askServer()
  if (connection !== failed || !retries.isOn) return
  if (canConnect) connect()
  else tellRefused(text)
}

function retryLater() {
  retries.later()
  showState()
}

function showWhy(text) {
  byId('why').textContent = text
}

const stateNow = () => {
  const state = connection?.state ?? 'closed'
  return state === 'closed' && retries.isOn ? 'waiting' : state
}

function showState() {
  const state = stateNow()
  const isOpen = state === 'open'
  byId('state').dataset.state = state
  byId('state-text').textContent = STATE_NAMES[state]
  const toggle = byId('toggle')
  toggle.textContent = state === 'closed' ? 'Connect' : state === 'waiting' ? 'Stop trying' : 'Disconnect'
  toggle.classList.toggle('primary', state === 'closed')
  toggle.disabled = state === 'closing'
  byId('endpoint').textContent = connection?.url ?? NONE
  byId('extension').textContent = isOpen ? connection.extensions || 'none' : NONE
  byId('subprotocol').textContent = isOpen ? connection.protocol || 'none' : NONE
  byId('ping').disabled = !isOpen
  if (!isOpen) showRoundTrip(null)
  byId('send').disabled = !isOpen
  for (const button of document.querySelectorAll('[data-sample]')) button.disabled = !isOpen
  showBuffered()
}

function showRoundTrip(rttMs) {
  byId('rtt').textContent = rttMs === null ? NONE : formatMs(rttMs)
}

function showBuffered() {
  byId('buffered').textContent = formatBytes(connection?.bufferedAmount ?? 0)
}

function send(data) {
  const at = performance.now()
  if (!connection.send(data)) return
  sentAt.push(at)
  messages.sent(data)
  showBuffered()
}

function showInputError(text) {
  byId('input-error').textContent = text
  input.setAttribute('aria-invalid', String(text !== ''))
}

const chosenType = () => composer.elements.namedItem('type').value

function sendInput() {
  if (connection?.state !== 'open') return
  const data = chosenType() === 'text' ? input.value : parseHex(input.value)
  if (data === null) {
    showInputError('Bytes are written in hexadecimal, two digits each, such as 48 65 6c 6c 6f')
    return
  }
  showInputError('')
  send(data)
  input.select()
}

composer.addEventListener('submit', (event) => {
  event.preventDefault()
  sendInput()
})
composer.addEventListener('change', () => {
  showInputError('')
  const isText = chosenType() === 'text'
  byId('input-label').textContent = isText ? 'Message' : 'Bytes in hexadecimal'
  byId('composer-hint').textContent = isText
    ? 'Enter sends, Shift+Enter makes a line'
    : 'In hexadecimal, such as 48 65 6c 6c 6f'
})
input.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  sendInput()
})
for (const button of document.querySelectorAll('[data-sample]')) {
  button.addEventListener('click', () => {
    const size = Number(button.dataset.size)
    send(button.dataset.sample === 'text' ? sampleText(size) : sampleBytes(size))
  })
}
byId('ping').addEventListener('click', () => connection.ping())
byId('toggle').addEventListener('click', () => {
  const state = stateNow()
  retries.stop()
  showWhy('')
  if (state === 'closed') connect()
  else if (state !== 'waiting') connection.close()
  showState()
})

new Chat()
setInterval(showBuffered, BUFFERED_EVERY_MS)
connect()
