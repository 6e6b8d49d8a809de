/**
 * Debian's Chromium, unpacked into the test cache, without a window; spoken to with the DevTools protocol over a pipe.
 * It is large, so only tests that look at a page fetch it.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fetchDebian, libraryPath } from './debian.ts'

export interface Page {
  /** The value of a JavaScript expression in the page. */
  evaluate(expression: string): Promise<unknown>
  /** Clicks the middle of the first element that a selector finds, as a mouse does. */
  click(selector: string): Promise<void>
  size(width: number, height: number): Promise<void>
  colours(scheme: 'light' | 'dark'): Promise<void>
  /** PNG of what is visible, or of the whole page. */
  screenshot(whole?: boolean): Promise<Buffer>
  /** URLs that were asked for beside the page itself. */
  readonly requested: readonly string[]
  /** What the page complained about. */
  readonly errors: readonly string[]
}

export interface Browser {
  open(url: string): Promise<Page>
  close(): Promise<void>
}

/** The folder of Chromium, or why it cannot be had. */
export function fetchChromium(): { readonly root: string } | { readonly missing: string } {
  const fetched = fetchDebian(['chromium', 'chromium-common', 'fonts-dejavu-core'])
  if ('missing' in fetched) return fetched
  const program = join(fetched.root, 'usr/lib/chromium/chromium')
  if (!existsSync(program)) return { missing: 'the package chromium holds no browser' }
  const tried = spawnSync(program, ['--version', '--no-sandbox'], {
    env: environment(fetched.root),
    encoding: 'utf8',
  })
  if (tried.status !== 0) return { missing: `chromium does not start: ${tried.stderr.slice(0, 200)}` }
  return fetched
}

function environment(root: string): NodeJS.ProcessEnv {
  const fonts = join(root, '.fonts.conf')
  writeFileSync(
    fonts,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>${join(root, 'usr/share/fonts')}</dir><dir>/usr/share/fonts</dir>${['monospace', 'ui-monospace'].map((name) => `<alias><family>${name}</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>`).join('')}</fontconfig>`,
  )
  const libraries = libraryPath(root)
  const sound = libraries.split(':').map((each) => join(each, 'pulseaudio'))
  return {
    PATH: process.env.PATH,
    LD_LIBRARY_PATH: [libraries, ...sound].join(':'),
    FONTCONFIG_FILE: fonts,
  }
}

/** @param folder for the profile */
export async function startChromium(root: string, folder: string): Promise<Browser> {
  const profile = join(folder, 'profile')
  mkdirSync(profile, { recursive: true })
  const child = spawn(
    join(root, 'usr/lib/chromium/chromium'),
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      '--hide-scrollbars',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
      'about:blank',
    ],
    {
      env: { ...environment(root), HOME: folder },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    },
  )
  // The third and fourth are pipes, as asked for above.
  const protocol = new DevTools(child.stdio[3] as Writable, child.stdio[4] as Readable)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  void ended.then(() => protocol.end())
  return {
    async open(url) {
      const { targetId } = await protocol.send<{ targetId: string }>('Target.createTarget', {
        url: 'about:blank',
      })
      const { sessionId } = await protocol.send<{ sessionId: string }>('Target.attachToTarget', {
        targetId,
        flatten: true,
      })
      return openPage(protocol, sessionId, url)
    },
    async close() {
      await protocol.send('Browser.close', {}).catch(() => undefined)
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(timer)
    },
  }
}

async function openPage(protocol: DevTools, session: string, url: string): Promise<Page> {
  const requested: string[] = []
  const errors: string[] = []
  const send = <T>(method: string, parameters: object = {}): Promise<T> =>
    protocol.send<T>(method, parameters, session)
  const loaded = new Promise<void>((resolve) => {
    protocol.listen(session, (method, parameters) => {
      if (method === 'Page.loadEventFired') resolve()
      if (method === 'Network.requestWillBeSent') requested.push(parameters.request?.url ?? '')
      if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded')
        errors.push(JSON.stringify(parameters))
    })
  })
  for (const domain of ['Page', 'Network', 'Runtime', 'Log']) await send(`${domain}.enable`)
  await send('Page.navigate', { url })
  await loaded
  const evaluate = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = await send<{
      result: { value?: unknown }
      exceptionDetails?: { text: string; exception?: { description?: string } }
    }>('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    }
    return result.value
  }
  return {
    requested,
    errors,
    evaluate,
    async click(selector) {
      const at = await evaluate(
        `(() => { const e = document.querySelector(${JSON.stringify(selector)}); e.scrollIntoView({ block: 'center' }); const r = e.getBoundingClientRect(); return [r.x + Math.min(r.width / 2, 40), r.y + Math.min(r.height / 2, 10)] })()`,
      )
      if (!Array.isArray(at)) throw new Error(`nothing at ${selector}`)
      const [x, y] = at.map(Number)
      for (const type of ['mousePressed', 'mouseReleased']) {
        await send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 })
      }
    },
    size: (width, height) =>
      send('Emulation.setDeviceMetricsOverride', {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: width < 600,
      }),
    colours: (scheme) =>
      send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] }),
    async screenshot(whole = false) {
      const { data } = await send<{ data: string }>('Page.captureScreenshot', {
        format: 'png',
        captureBeyondViewport: whole,
      })
      return Buffer.from(data, 'base64')
    },
  }
}

type Parameters = { readonly request?: { readonly url?: string } }
type Listener = (method: string, parameters: Parameters) => void

/** Messages are JSON, each ended by a NUL. */
class DevTools {
  readonly #to: Writable
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  readonly #listeners = new Map<string, Listener>()
  #next = 1
  #rest = ''

  constructor(to: Writable, from: Readable) {
    this.#to = to
    to.on('error', () => this.end())
    from.setEncoding('utf8')
    from.on('data', (piece: string) => {
      const parts = (this.#rest + piece).split('\0')
      this.#rest = parts.pop() ?? ''
      for (const part of parts) this.#take(part)
    })
  }

  send<T>(method: string, parameters: object, sessionId?: string): Promise<T> {
    const id = this.#next++
    return new Promise<T>((resolve, reject) => {
      // What comes back for a method has the shape that the protocol says.
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject })
      this.#to.write(
        `${JSON.stringify({ id, method, params: parameters, ...(sessionId === undefined ? {} : { sessionId }) })}\0`,
      )
    })
  }

  listen(session: string, listener: Listener): void {
    this.#listeners.set(session, listener)
  }

  end(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Error('the browser ended'))
    this.#waiting.clear()
  }

  #take(text: string): void {
    const message = JSON.parse(text) as {
      id?: number
      result?: unknown
      error?: { message: string }
      method?: string
      params?: Parameters
      sessionId?: string
    }
    if (message.id === undefined) {
      this.#listeners.get(message.sessionId ?? '')?.(message.method ?? '', message.params ?? {})
      return
    }
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.error === undefined) waiting?.resolve(message.result)
    else waiting?.reject(new Error(message.error.message))
  }
}
