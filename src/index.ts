/**
 * Postern as a library: start a server, read a configuration, expand a string.
 *
 * ```ts
 * import { startServer } from 'postern'
 * const server = await startServer({ configuration: { file: '/etc/postern/postern.conf' } })
 * console.log(server.addresses)
 * await server.stop()
 * ```
 */
import type { Diagnostic } from './base/diagnostic.ts'
import { isFailure } from './base/outcome.ts'
import { decodeUtf8, encodeUtf8, textOf } from './base/text.ts'
import type { Configuration } from './language/config/configuration.ts'
import { checkTexts } from './server/check-configuration.ts'
import { type ConfigurationRequest, loadConfiguration } from './server/configuration-file.ts'
import { listenSentence, wantedAddresses } from './server/daemon.ts'
import { MailService } from './server/mail-service.ts'
import { openServer } from './server/open-server.ts'
import type { Server } from './server/server.ts'

export { renderDiagnostic } from './base/diagnostic-frame.ts'
export type { Diagnostic } from './base/diagnostic.ts'
export type { Configuration } from './language/config/configuration.ts'

/** Where a configuration comes from: its text, or a file. */
export type ConfigurationSource = { readonly text: string } | { readonly file: string }

export interface CompileOptions {
  /** Macros, over any definition in the file: what `-D` does. */
  readonly macros?: Readonly<Record<string, string>>
}

export interface Compiled {
  readonly configuration: Configuration
  /** Everything that is wrong, each with its place; `renderDiagnostic` shows it. */
  readonly diagnostics: readonly Diagnostic[]
  /** True when a server can be started with it. */
  readonly usable: boolean
}

/** Reads a whole configuration and reports every mistake in it. Rejects only when the file cannot be found. */
export async function compileConfiguration(
  source: ConfigurationSource,
  options: CompileOptions = {},
): Promise<Compiled> {
  const loaded = await loadConfiguration(requestOf(source, options))
  if (loaded.is === 'none') throw new Error(loaded.message)
  const { configuration, fatal } = loaded
  const diagnostics = [...configuration.diagnostics, ...checkTexts(configuration)]
  return { configuration, diagnostics, usable: fatal.length === 0 }
}

export interface StartOptions extends CompileOptions {
  readonly configuration: ConfigurationSource
  /** In place of `daemon_smtp_ports` and `local_interfaces`, in the form of -oX: `127.0.0.1.0` for any free port. */
  readonly listen?: string
  /** Seconds between queue runs; left out: only what is accepted is delivered at once. */
  readonly queueRunEvery?: number
}

export interface RunningServer {
  readonly addresses: readonly { readonly address: string; readonly port: number }[]
  /** The first of them. */
  readonly address: { readonly address: string; readonly port: number }
  /** Sessions finish their message or get 421, deliveries under way are recorded, the spool is closed. */
  stop(): Promise<void>
}

/**
 * Starts a server in this process, under its user, and leaves the process else as it is: signals, the working folder
 * and the end of the process stay its owner's business. Rejects with a sentence when the configuration cannot be
 * used, an address cannot be had, or the process is root's: then nobody would give up root's power, which is what the
 * program's daemon does.
 */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const server = await open(options.configuration, options)
  try {
    return await start(server, options)
  } catch (error) {
    await server.close()
    throw error
  }
}

async function start(server: Server, { listen, queueRunEvery }: StartOptions): Promise<RunningServer> {
  if (process.geteuid?.() === 0 && server.user.uid !== 0) {
    throw new Error(`startServer does not run as root; start the process as ${server.user.name}`)
  }
  const wanted = await wantedAddresses(server, { listen: true, override: listen })
  if (wanted.is === 'wrong') throw new Error(wanted.message)
  const request = { force: false, thaw: false, firstOnly: false, localOnly: false, twoStage: false }
  await server.spool('write')
  const service = new MailService(server, {
    addresses: wanted.addresses,
    ...(queueRunEvery === undefined ? {} : { queueRuns: { everySeconds: queueRunEvery, request } }),
  })
  const trouble = await service.listen(wanted.addresses)
  if (trouble?.is === 'failed') {
    throw new Error(listenSentence(trouble.at, trouble.code, trouble.message))
  }
  service.startQueueRuns()
  const addresses = service.addresses.map(({ address, port }) => ({ address, port }))
  const [address = { address: '', port: 0 }] = addresses
  return {
    addresses,
    address,
    async stop() {
      await service.stop()
      await server.close()
    },
  }
}

export interface ExpandOptions extends CompileOptions {
  /** Left out: an empty one. */
  readonly configuration?: ConfigurationSource
}

export type Expanded =
  | { readonly is: 'value'; readonly value: string }
  | { readonly is: 'forced failure' | 'failure' | 'defer'; readonly message: string }

/** Expands a string as `-be` does. Source: Exim manual, "String expansions". */
export async function expandString(text: string, options: ExpandOptions = {}): Promise<Expanded> {
  const server = await open(options.configuration ?? { text: '' }, options)
  try {
    const value = await server.ports.expandText(encodeUtf8(text), server.context())
    if (!isFailure(value)) return { is: 'value', value: decodeUtf8(textOf(value)) }
    const is = value.kind === 'forced' ? 'forced failure' : value.kind
    return { is, message: decodeUtf8(value.message) }
  } finally {
    await server.close()
  }
}

async function open(source: ConfigurationSource, options: CompileOptions): Promise<Server> {
  const loaded = await loadConfiguration(requestOf(source, options))
  if (loaded.is === 'none') throw new Error(loaded.message)
  const [first] = loaded.fatal
  if (first !== undefined) throw new Error(first.message)
  const opened = await openServer({
    configuration: loaded.configuration,
    programPath: process.argv[1] ?? 'postern',
    environment: process.env,
    brief: false,
  })
  if (opened.is === 'wrong') throw new Error(opened.message)
  return opened.server
}

function requestOf(source: ConfigurationSource, { macros }: CompileOptions): ConfigurationRequest {
  const defines = new Map(Object.entries(macros ?? {}).map(([name, value]) => [name, encodeUtf8(value)]))
  return 'text' in source
    ? { embedded: { name: '(text)', text: source.text }, defines }
    : { files: [source.file], defines }
}
