import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { toError } from '../errors.js'
import { showValue } from '../check.js'
import type { ServerService, ServiceFactory } from '../server/server-service.js'
import { findModule, loadModule } from './load-module.js'
import { checkEndpointName, serviceOf } from './names.js'
import { WatchedFolders } from './watched-folders.js'

/** How the names of files end that describe an endpoint. */
const SUFFIXES = ['.websocket', '.websocket.json']
/** A description is read whole. */
const MAX_FILE_BYTES = 64 * 1024
/** An editor writes a file in several steps. */
const SETTLE_MS = 50

/** One `*.websocket` or `*.websocket.json`. */
interface Description {
  readonly handler: string
  readonly endpoint: string
  readonly description: string
}

/** @throws TypeError that names the file and what is wrong in it */
function readDescription(file: string, text: string): Description {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new TypeError(`${file} must be JSON`)
  }
  const {
    handler,
    endpoint,
    description = '',
  } = (typeof value === 'object' && value !== null ? value : {}) as Partial<
    Record<keyof Description, unknown>
  >
  if (typeof handler !== 'string' || handler === '')
    throw new TypeError(`${file} must name its handler, a module`)
  if (typeof description !== 'string') throw new TypeError(`${file} must have a string as description`)
  checkEndpointName(endpoint)
  return { handler, endpoint, description }
}

/** The error, with the file in its message. */
function withFile(file: string, error: Error): Error {
  if (error.message.startsWith(`${file} `)) return error
  const Kind = error instanceof TypeError ? TypeError : error instanceof RangeError ? RangeError : Error
  return new Kind(`${file}: ${error.message}`, { cause: error })
}

/** What a directory of endpoints does to a server. */
export interface EndpointHost {
  /** Serves it, in place of what was served there before. */
  set(name: string, service: ServerService | ServiceFactory, description: string): void
  remove(name: string): void
  /** Told what is wrong with a file that changed. */
  onError(error: Error): void
}

/**
 * The endpoints of a directory: loads what its files describe, and again what changes. New connections get the new
 * handlers, those that are open keep theirs.
 */
export class EndpointDirectory {
  private readonly directory: string
  private readonly host: EndpointHost
  /** Endpoints by file. */
  private readonly served = new Map<string, string>()
  private readonly folders: WatchedFolders
  private timer: NodeJS.Timeout | undefined
  private reading: Promise<void> = Promise.resolve()
  private isClosed = false

  constructor(directory: string, host: EndpointHost) {
    if (typeof directory !== 'string' || directory === '') {
      throw new TypeError(`directory must be the path of a directory, not ${showValue(directory)}`)
    }
    this.directory = path.resolve(directory)
    this.host = host
    this.folders = new WatchedFolders(
      () => {
        this.changed()
      },
      (error) => {
        host.onError(error)
      },
    )
  }

  /** Loads all there is. @throws what is wrong with the first file that is wrong, which it names, or with the directory */
  async open(): Promise<void> {
    const first = this.readAll((error) => {
      throw error
    })
    // What changes meanwhile is read afterwards.
    this.reading = first.catch(() => undefined)
    await first
  }

  /** Watches no more; what is served stays. */
  close(): void {
    this.isClosed = true
    clearTimeout(this.timer)
    this.folders.close()
  }

  private changed(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.reading = this.reading
        .then(() =>
          this.readAll((error) => {
            this.host.onError(error)
          }),
        )
        .catch((error: unknown) => {
          this.host.onError(toError(error))
        })
    }, SETTLE_MS).unref()
  }

  private async readAll(onError: (error: Error) => void): Promise<void> {
    const all = await readdir(this.directory)
    // Before its files are read: none of their changes is missed.
    const folders = new Set([this.directory])
    await this.folders.add(this.directory)
    const files = all.filter((file) => SUFFIXES.some((suffix) => file.endsWith(suffix))).sort()
    for (const [file, name] of [...this.served]) {
      if (files.includes(file)) continue
      this.served.delete(file)
      this.host.remove(name)
    }
    for (const file of files) {
      if (this.isClosed) return
      try {
        await this.load(file, folders)
      } catch (error) {
        onError(withFile(file, toError(error)))
      }
    }
    this.folders.keep(folders)
  }

  /** @param folders gets those in which the module of the handler may be, so that they are watched */
  private async load(file: string, folders: Set<string>): Promise<void> {
    const whole = path.join(this.directory, file)
    if ((await stat(whole)).size > MAX_FILE_BYTES) {
      throw new RangeError(`${file} must be at most ${String(MAX_FILE_BYTES)} bytes`)
    }
    const { handler, endpoint, description } = readDescription(file, await readFile(whole, 'utf8'))
    for (const [other, name] of this.served) {
      if (name === endpoint && other !== file) throw new TypeError(`${file} has the endpoint of ${other}`)
    }
    const paths = this.pathsOf(handler)
    for (const folder of paths.map((one) => path.dirname(one))) {
      folders.add(folder)
      await this.folders.add(folder)
    }
    const service = serviceOf(await loadModule(await findModule(paths)))
    const before = this.served.get(file)
    if (before !== undefined && before !== endpoint) this.host.remove(before)
    this.host.set(endpoint, service, description)
    this.served.set(file, endpoint)
  }

  /**
   * Where a handler may be: in the directory; or beside it, if its path begins with the directory's own name, as the paths of a
   * project in Dirigible do.
   */
  private pathsOf(handler: string): string[] {
    const inside = path.resolve(this.directory, handler)
    const isOfProject = handler.startsWith(`${path.basename(this.directory)}/`)
    return isOfProject ? [inside, path.resolve(this.directory, '..', handler)] : [inside]
  }
}
