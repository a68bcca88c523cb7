import { watch, type FSWatcher } from 'node:fs'
import { stat } from 'node:fs/promises'
import { toError } from '../errors.js'

interface Watched {
  readonly watcher: FSWatcher
  /** Another folder of the same name needs another watcher. */
  readonly identity: string
}

/** What tells a folder from another one that has its name later; null: there is none. The system uses inodes again. */
async function identify(folder: string): Promise<string | null> {
  const stats = await stat(folder).catch(() => null)
  return stats?.isDirectory() === true ? `${String(stats.ino)} ${String(stats.birthtimeMs)}` : null
}

/** Folders whose files may change, without their subfolders. They do not keep the process alive. */
export class WatchedFolders {
  private readonly onChange: () => void
  private readonly onError: (error: Error) => void
  private readonly watched = new Map<string, Watched>()
  private isClosed = false

  /** @param onChange called when something in one of the folders changed, or one of them did */
  constructor(onChange: () => void, onError: (error: Error) => void) {
    this.onChange = onChange
    this.onError = onError
  }

  /** Watches a folder, unless it is watched. One that is not there is left out. */
  async add(folder: string): Promise<void> {
    const identity = await identify(folder)
    const known = this.watched.get(folder)
    if (this.isClosed || known?.identity === identity) return
    this.remove(folder)
    if (identity === null) return
    try {
      const watcher = watch(folder, this.onChange)
      watcher.unref()
      watcher.on('error', this.onError)
      this.watched.set(folder, { watcher, identity })
    } catch (error) {
      this.onError(toError(error))
    }
  }

  /** Watches no others than these any more. */
  keep(folders: ReadonlySet<string>): void {
    for (const folder of this.watched.keys()) {
      if (!folders.has(folder)) this.remove(folder)
    }
  }

  close(): void {
    this.isClosed = true
    this.keep(new Set())
  }

  private remove(folder: string): void {
    this.watched.get(folder)?.watcher.close()
    this.watched.delete(folder)
  }
}
