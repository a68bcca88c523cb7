/**
 * Who may connect: a name and a password, for programs, or a signed token that runs out, for pages, which got it from your
 * login over HTTP. `onUpgrade` decides; whoever it rejects never has a connection. After `npm run build`:
 *
 *   node examples/authentication.mjs
 */
import { createHmac, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import { accept, connect, reject, WebSocketServer } from 'hawser'

// Passwords are kept as hashes with a salt; the key of the tokens comes from where you keep secrets.
const hash = (password, salt = randomBytes(16)) => ({ salt, hash: scryptSync(password, salt, 32) })
const users = new Map([['ada', hash('hunter2')]])
const nobody = hash('')
const tokenKey = randomBytes(32)

/** Basic authentication (RFC 7617). @returns the user, or undefined */
function userOfPassword(header = '') {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]{1,500})$/i.exec(header) ?? []
  if (encoded === undefined) return undefined
  const [name, ...rest] = Buffer.from(encoded, 'base64').toString().split(':')
  // As long for names that there are not: the time tells nothing. On a busy server, use the async scrypt.
  const { salt, hash: expected } = users.get(name) ?? nobody
  const isRight = timingSafeEqual(scryptSync(rest.join(':'), salt, 32), expected)
  return isRight && users.has(name) ? name : undefined
}

const sign = (payload) => createHmac('sha256', tokenKey).update(payload).digest()

/** What your login gives to its page: the payload and its signature. For JSON Web Tokens take a library, such as jose. */
function makeToken(user, lifeMs) {
  const payload = Buffer.from(JSON.stringify({ user, until: Date.now() + lifeMs })).toString('base64url')
  return `${payload}.${sign(payload).toString('base64url')}`
}

function userOfToken(token = '') {
  const [payload = '', signature = ''] = token.split('.')
  const given = Buffer.from(signature, 'base64url')
  const expected = sign(payload)
  // The signature first: nothing is read that was not written here.
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  const { user, until } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  return Date.now() < until ? user : undefined
}

// A page cannot set headers for a WebSocket; what it offers as subprotocol is no part of the URL, and so of no log.
const server = new WebSocketServer({ protocols: ['app.v1'] })
server.route('/private', {
  onUpgrade({ headers, protocols }) {
    const token = protocols.find((name) => name.startsWith('token.'))?.slice('token.'.length)
    const user = token === undefined ? userOfPassword(headers.get('Authorization')) : userOfToken(token)
    if (user !== undefined) return accept({ data: { user } })
    return reject(401, 'who are you?\n', { 'WWW-Authenticate': 'Basic realm="private"' })
  },
  onOpen: (socket) => socket.send(`hello ${socket.data.user}`),
})
const { port } = await server.listen(0)

const withToken = (token) => ({ protocols: ['app.v1', `token.${token}`] })
for (const [what, credentials, options] of [
  ['nobody', '', {}],
  ['a password', 'ada:hunter2@', {}],
  ['a wrong one', 'ada:hunter3@', {}],
  ['a token', '', withToken(makeToken('ada', 60_000))],
  ['one that ran out', '', withToken(makeToken('ada', -1))],
  ['one that was changed', '', withToken(makeToken('ada', 60_000).replace(/^./, 'f'))],
]) {
  const result = await connect(`ws://${credentials}localhost:${port}/private`, options).catch(
    (error) => error,
  )
  console.log(`${what}: ${result.httpStatus ?? (await result.receive())}`)
}
await server.close()
