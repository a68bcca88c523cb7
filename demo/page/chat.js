/* global location, WebSocket */
import { CappedList } from './capped-list.js'
import { byId, make } from './dom.js'
import { formatTime } from './format.js'
import { Retries } from './retries.js'
import { askServer, describeClose } from './why.js'

const CHAT_PROTOCOL = 'chat.hawser'
const MAX_MESSAGES = 200

/** The panel of the chat: one room at a time, with a connection of its own, which is made again if it is lost. */
export class Chat {
  #list = new CappedList(byId('chat-messages'), byId('chat-scroll'), MAX_MESSAGES)
  #note = byId('chat-note')
  #error = byId('chat-error')
  #room = byId('chat-room')
  #name = byId('chat-name')
  #toggle = byId('chat-toggle')
  #input = byId('chat-input')
  #send = byId('chat-send')
  #socket = null
  /** The room and the name that were given last. */
  #place = ['', '']
  /** On from the loss of the room until it is joined again, or left. */
  #retries = new Retries({
    onCountdown: (seconds) => (this.#note.textContent = `next try in ${seconds} s`),
    onTry: () => void this.#tryAgain(),
  })
  /** What was told last of a try that failed: each would say the same. */
  #told = ''
  #isLeaving = false

  constructor() {
    this.#name.value = `guest ${String(crypto.getRandomValues(new Uint16Array(1))[0] % 1000)}`
    byId('chat-entry').addEventListener('submit', (event) => {
      event.preventDefault()
      if (this.#socket === null && !this.#retries.isOn) this.#join()
      else this.#leave()
    })
    byId('chat-composer').addEventListener('submit', (event) => {
      event.preventDefault()
      const text = this.#input.value.trim()
      if (text === '' || this.#socket?.readyState !== WebSocket.OPEN) return
      this.#socket.send(text)
      this.#input.value = ''
    })
    this.#show()
  }

  #join() {
    const [room, name] = (this.#place = [this.#room.value.trim(), this.#name.value.trim()])
    this.#error.textContent = ''
    if (room === '' || name === '') this.#error.textContent = 'A room and a name are needed'
    else this.#connect()
  }

  #leave() {
    this.#retries.stop()
    this.#note.textContent = ''
    this.#isLeaving = true
    this.#socket?.close(1000, 'bye')
    this.#show()
  }

  #connect() {
    this.#isLeaving = false
    const [room, name] = this.#place
    const base = `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}`
    const target = `/chat/${encodeURIComponent(room)}?name=${encodeURIComponent(name)}`
    const socket = new WebSocket(base + target, CHAT_PROTOCOL)
    this.#socket = socket
    let hasOpened = false
    socket.addEventListener('open', () => {
      hasOpened = true
      const isAgain = this.#retries.isOn
      this.#retries.stop()
      this.#told = ''
      this.#show()
      // Joined by itself: the user may be typing elsewhere.
      if (!isAgain) this.#input.focus()
    })
    socket.addEventListener('message', ({ data }) => this.#receive(JSON.parse(data), room))
    socket.addEventListener('close', (event) => {
      this.#socket = null
      this.#note.textContent = ''
      if (this.#isLeaving) {
        if (hasOpened) this.#tell(`You left ${room}`)
      } else if (hasOpened) {
        this.#tell(`You are out of ${room}. ${describeClose(event, false)}`)
        this.#retries.later()
      } else void this.#explain()
      this.#show()
    })
    this.#show()
  }

  /** Says why the room could not be joined; where it was lost, tries again later. */
  async #explain() {
    const isAgain = this.#retries.isOn
    const plain = 'The room could not be joined'
    if (!isAgain) this.#error.textContent = plain
    const { canConnect, text } = await askServer()
    // Meanwhile the button may have been used.
    if (this.#socket !== null || this.#retries.isOn !== isAgain) return
    if (isAgain) this.#tryLater(canConnect ? plain : text)
    else if (!canConnect) this.#error.textContent = text
  }

  async #tryAgain() {
    const { canConnect, text } = await askServer()
    if (this.#socket !== null || !this.#retries.isOn) return
    if (canConnect) this.#connect()
    else this.#tryLater(text)
  }

  #tryLater(text) {
    if (text !== this.#told) this.#tell(text)
    this.#told = text
    this.#retries.later()
  }

  #receive(event, room) {
    if (event.kind === 'said') {
      this.#addMessage(event)
      return
    }
    this.#note.textContent = event.people === 1 ? `${room}: you alone` : `${room}: ${event.people} people`
    if (event.kind === 'welcome') this.#tell(`You joined ${room} as ${event.name}`)
    else this.#tell(`${event.name} ${event.kind === 'joined' ? 'joined' : 'left'}`)
  }

  #addMessage({ name, text, isOwn = false }) {
    const at = Date.now()
    this.#list.add(() => {
      const head = make(
        'p',
        'message-head',
        make('span', 'direction', isOwn ? 'You' : name),
        make('time', '', formatTime(at)),
      )
      const row = make('li', `message ${isOwn ? 'sent' : 'received'}`, head, make('pre', 'text', text))
      row.dataset.kind = 'said'
      return row
    })
  }

  #tell(text) {
    const at = Date.now()
    this.#list.add(() =>
      make('li', 'event', make('time', '', formatTime(at)), ' ', make('span', 'event-text', text)),
    )
  }

  #show() {
    const isOut = this.#socket === null && !this.#retries.isOn
    const isIn = this.#socket?.readyState === WebSocket.OPEN
    this.#room.disabled = this.#name.disabled = !isOut
    this.#toggle.textContent = isOut ? 'Join' : this.#retries.isOn ? 'Stop trying' : 'Leave'
    this.#toggle.classList.toggle('primary', isOut)
    this.#input.disabled = this.#send.disabled = !isIn
  }
}
