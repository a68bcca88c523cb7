/**
 * A real browser, driven by playwright-core, which brings none of its own. Only what the tests use of it is typed:
 * its own types need those of the DOM, which code for Node must not see.
 */
import { accessSync, constants } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

export interface Locator {
  click(): Promise<void>
  fill(text: string): Promise<void>
  press(key: string): Promise<void>
  count(): Promise<number>
  nth(index: number): Locator
  last(): Locator
  filter(options: { hasText: string | RegExp }): Locator
  locator(selector: string): Locator
  waitFor(options?: { state?: 'visible' | 'attached' }): Promise<void>
  textContent(): Promise<string | null>
  allTextContents(): Promise<string[]>
  getAttribute(name: string): Promise<string | null>
  isDisabled(): Promise<boolean>
}

export interface Page {
  goto(url: string): Promise<unknown>
  locator(selector: string): Locator
  /** @param expression evaluated in the page */
  evaluate(expression: string): Promise<unknown>
  on(event: 'console', listener: (message: { type(): string; text(): string }) => void): void
  on(event: 'pageerror', listener: (error: Error) => void): void
  on(event: 'requestfailed', listener: (request: { url(): string }) => void): void
  setViewportSize(size: { width: number; height: number }): Promise<void>
  setDefaultTimeout(timeoutMs: number): void
  close(): Promise<void>
}

export interface Browser {
  newPage(options?: { colorScheme?: 'light' | 'dark' }): Promise<Page>
  version(): string
  close(): Promise<void>
}

interface BrowserType {
  launch(options: { executablePath: string; headless: boolean; args: readonly string[] }): Promise<Browser>
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const ELSEWHERE = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome']

const ARGUMENTS = [
  // The page is our own, and in containers the sandbox lacks what it needs.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  // No traffic but that of the test.
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Where a Chromium is: `HAWSER_CHROMIUM`, or one on the PATH. Null: nowhere. */
export function findChromium(): string | null {
  const given = process.env['HAWSER_CHROMIUM']
  if (given !== undefined && given !== '') return given
  const directories = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/bin', '/usr/local/bin']
  const files = [
    ...NAMES.flatMap((name) => directories.map((directory) => path.join(directory, name))),
    ...ELSEWHERE,
  ]
  return files.find(isExecutable) ?? null
}

export function launchChromium(executablePath: string): Promise<Browser> {
  const { chromium } = createRequire(__filename)('playwright-core') as { chromium: BrowserType }
  return chromium.launch({ executablePath, headless: true, args: ARGUMENTS })
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
