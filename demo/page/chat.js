/* global location, WebSocket */
import { CappedList } from './capped-list.js'
import { byId, make } from './dom.js'
import { formatTime } from './format.js'
import { askServer, describeClose } from './why.js'

const CHAT_PROTOCOL = 'chat.hawser'
const MAX_MESSAGES = 200

/** The panel of the chat: one room at a time, with a connection of its own for as long as one is in it. */
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
  /** Whether the room was lost, and is to be joined again when the server is back. */
  #isLost = false
  #isLeaving = false

  constructor() {
    this.#name.value = `guest ${String(crypto.getRandomValues(new Uint16Array(1))[0] % 1000)}`
    byId('chat-entry').addEventListener('submit', (event) => {
      event.preventDefault()
      if (this.#socket === null) {
        this.#join()
        return
      }
      this.#isLeaving = true
      this.#socket.close(1000, 'bye')
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

  /** The server is back: joins the room again that was lost with it. */
  rejoin() {
    if (this.#isLost && this.#socket === null) this.#join()
  }

  #join() {
    this.#isLost = this.#isLeaving = false
    const [room, name] = [this.#room.value.trim(), this.#name.value.trim()]
    this.#error.textContent = ''
    if (room === '' || name === '') {
      this.#error.textContent = 'A room and a name are needed'
      return
    }
    const base = `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}`
    const target = `/chat/${encodeURIComponent(room)}?name=${encodeURIComponent(name)}`
    const socket = new WebSocket(base + target, CHAT_PROTOCOL)
    this.#socket = socket
    let hasOpened = false
    socket.addEventListener('open', () => {
      hasOpened = true
      this.#show()
      this.#input.focus()
    })
    socket.addEventListener('message', ({ data }) => this.#receive(JSON.parse(data), room))
    socket.addEventListener('close', (event) => {
      this.#socket = null
      this.#note.textContent = ''
      if (!hasOpened) void this.#explain()
      else if (this.#isLeaving) this.#tell(`You left ${room}`)
      else {
        this.#isLost = true
        this.#tell(`You are out of ${room}. ${describeClose(event, false)}`)
      }
      this.#show()
    })
    this.#show()
  }

  async #explain() {
    this.#error.textContent = 'The room could not be joined'
    const { canConnect, text } = await askServer()
    if (!canConnect && this.#socket === null) this.#error.textContent = text
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
    const isOut = this.#socket === null
    const isIn = this.#socket?.readyState === WebSocket.OPEN
    this.#room.disabled = this.#name.disabled = !isOut
    this.#toggle.textContent = isOut ? 'Join' : 'Leave'
    this.#toggle.classList.toggle('primary', isOut)
    this.#input.disabled = this.#send.disabled = !isIn
  }
}
