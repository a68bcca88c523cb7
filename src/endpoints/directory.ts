import { watch, type FSWatcher } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { toError } from '../errors.js'
import { showValue } from '../check.js'
import type { ServerService, ServiceFactory } from '../server/server-service.js'
import { findModule, loadModule } from './load-module.js'
import { checkEndpointName, serviceOf } from './names.js'

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
  private watcher: FSWatcher | null = null
  private timer: NodeJS.Timeout | undefined
  private reading: Promise<void> = Promise.resolve()
  private isClosed = false

  constructor(directory: string, host: EndpointHost) {
    if (typeof directory !== 'string' || directory === '') {
      throw new TypeError(`directory must be the path of a directory, not ${showValue(directory)}`)
    }
    this.directory = path.resolve(directory)
    this.host = host
  }

  /** Loads all there is. @throws what is wrong with the first file that is wrong, which it names, or with the directory */
  async open(): Promise<void> {
    await this.readAll((error) => {
      throw error
    })
    if (this.isClosed) return
    this.watcher = watch(this.directory, () => {
      this.changed()
    })
    this.watcher.unref()
    this.watcher.on('error', (error) => {
      this.host.onError(error)
    })
  }

  /** Watches no more; what is served stays. */
  close(): void {
    this.isClosed = true
    clearTimeout(this.timer)
    this.watcher?.close()
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
    const files = (await readdir(this.directory))
      .filter((file) => SUFFIXES.some((suffix) => file.endsWith(suffix)))
      .sort()
    for (const [file, name] of [...this.served]) {
      if (files.includes(file)) continue
      this.served.delete(file)
      this.host.remove(name)
    }
    for (const file of files) {
      if (this.isClosed) return
      try {
        await this.load(file)
      } catch (error) {
        onError(withFile(file, toError(error)))
      }
    }
  }

  private async load(file: string): Promise<void> {
    const whole = path.join(this.directory, file)
    if ((await stat(whole)).size > MAX_FILE_BYTES) {
      throw new RangeError(`${file} must be at most ${String(MAX_FILE_BYTES)} bytes`)
    }
    const { handler, endpoint, description } = readDescription(file, await readFile(whole, 'utf8'))
    for (const [other, name] of this.served) {
      if (name === endpoint && other !== file) throw new TypeError(`${file} has the endpoint of ${other}`)
    }
    const service = serviceOf(await loadModule(await findModule(this.pathsOf(handler))))
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
