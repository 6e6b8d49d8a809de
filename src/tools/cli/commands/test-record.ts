/** `postern test --record`: a session in the real world, written down as a test. */
import { resolve } from 'node:path'
import { isMessageId } from '../../../base/message-id.ts'
import { formatIp, parseIp } from '../../../base/ip.ts'
import { type ByteString, encodeUtf8, fromBytes } from '../../../base/text.ts'
import { createCallout } from '../../../flow/delivery/index.ts'
import { isNamed } from '../../../mail/header.ts'
import { createDoors } from '../../../language/expand/doors/index.ts'
import { createRecordedWorld } from '../../../server/offline/recorded-world.ts'
import type { Server } from '../../../server/server.ts'
import { createTlsContexts } from '../../../wire/tls/contexts.ts'
import { createTlsSessions } from '../../../wire/tls/sessions.ts'
import { findRecorded, mayNotRead, nothingFound, type Wanted } from '../../inspect/explain/recorded.ts'
import { readBytes } from '../../inspect/test/find-files.ts'
import { testOfTrace } from '../../inspect/test/from-trace.ts'
import { recordSession, type RecordedSession } from '../../inspect/test/record.ts'
import { printYaml } from '../../inspect/test/yaml-text.ts'
import { asCaller, giveUpBorrowedPrivilege } from '../privilege.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'
import { notAdmin, withServer } from '../with-server.ts'

export async function record(words: readonly string[], terminal: Terminal, usage: string): Promise<number> {
  const borrowed = process.geteuid?.() !== process.getuid?.()
  const options = asCaller(() => readOptions(words))
  // What the daemon has kept needs the launcher's power, and is for admins; all else is the caller's own.
  if (typeof options === 'string' || options.session !== undefined) giveUpBorrowedPrivilege()
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern test --record: ${options}\n${usage}`))
    return 2
  }
  return withServer(
    { config: options.config, defines: options.defines },
    'postern test --record',
    terminal,
    async (server, { rights }) => {
      const { session } = options
      if (borrowed && session === undefined && !rights.admin) {
        terminal.err(`postern test --record: ${notAdmin}\n`)
        return 1
      }
      const written =
        session === undefined
          ? await kept(server, options.trace ?? '', options.message, !borrowed)
          : await live(server, session, options.callouts)
      if ('missing' in written) {
        terminal.err(encodeUtf8(`postern test --record: ${written.missing}\n`))
        return 1
      }
      const { configuration } = server
      const file =
        configuration.file.startsWith('/') || options.config === undefined
          ? configuration.file
          : resolve(configuration.file)
      const macros = Object.fromEntries(
        options.defines.map((each) => [each.replace(/=.*/s, ''), /=(.*)/s.exec(each)?.[1] ?? '']),
      )
      const given = { configuration: file, ...(options.defines.length === 0 ? {} : { macros }) }
      terminal.out(
        encodeUtf8(
          options.json
            ? `${JSON.stringify({ ...given, ...written.test })}\n`
            : `# Written by "postern test --record": what the configuration asked, and what it was answered.\n${written.lacks.map((each) => `# Note: ${each}\n`).join('')}${printYaml({ ...given, tests: [written.test] })}`,
        ),
      )
      return 0
    },
  )
}

type Written =
  | { readonly test: Readonly<Record<string, unknown>>; readonly lacks: readonly string[] }
  | { readonly missing: string }

/** Files that are written into a test. */
const largestFile = 1024 * 1024

/** From what the daemon has kept. */
async function kept(
  server: Server,
  id: string,
  message: ByteString | undefined,
  mayReadFiles: boolean,
): Promise<Written> {
  const { spoolDirectory } = server.facts
  const wanted: Wanted = isMessageId(id) ? { is: 'message', id } : { is: 'trace', id }
  const found = findRecorded(spoolDirectory, wanted).filter(({ kind }) => kind === 'session')
  if (found.length === 0)
    return { missing: mayNotRead(server, process.geteuid?.() ?? 0) ?? nothingFound(server, wanted) }
  const queued =
    message === undefined ? await fromQueue(server, [...new Set(found.flatMap(({ ids }) => ids))]) : undefined
  const made = testOfTrace(found, {
    message: message ?? queued,
    readFile(path) {
      // Borrowed rights are not for files that hold who knows what.
      if (!mayReadFiles) return undefined
      const read = server.ports.files.read(path, largestFile)
      return 'error' in read ? undefined : read.bytes
    },
  })
  if (made === undefined) return { missing: `${id} did not come from a host by SMTP` }
  const note =
    'the text of the message is that in the queue: what was added to its headers here is part of it.'
  return { test: made.test, lacks: queued === undefined ? made.missing : [...made.missing, note] }
}

/** The text of a message that is still in the queue, without the Received: header that it got here. */
async function fromQueue(server: Server, ids: readonly string[]): Promise<ByteString | undefined> {
  const spool = await server.spool('read')
  for (const id of ids) {
    const found = await spool.read(id)
    if (found === undefined) continue
    const headers = found.envelope.headers.filter(({ type }) => type !== '*')
    const own = headers.findIndex((header) => isNamed(header, 'Received'))
    let text = headers
      .filter((_, i) => i !== own)
      .map((header) => header.text)
      .join('')
    text += '\n'
    for await (const piece of found.body()) text += fromBytes(piece)
    return text
  }
  return undefined
}

async function live(server: Server, session: RecordedSession, callouts: boolean): Promise<Written> {
  const { configuration, facts, ports } = server
  const world = createRecordedWorld({
    ports,
    doors: createDoors(),
    callout: callouts
      ? createCallout({
          tls: { contexts: createTlsContexts(), sessions: createTlsSessions(() => Date.now()) },
        })
      : undefined,
    hostname: facts.primaryHostname,
    interfaces: facts.localInterfaces(),
    time: Math.floor(Date.now() / 1000) * 1000,
    client: session,
  })
  return { test: await recordSession(configuration, world, session), lacks: [] }
}

interface Options {
  /** Undefined: a session that was kept, by `trace`. */
  readonly session: RecordedSession | undefined
  readonly trace: string | undefined
  /** The text of its message. */
  readonly message: ByteString | undefined
  readonly config: string | undefined
  readonly defines: readonly string[]
  readonly callouts: boolean
  readonly json: boolean
}

function readOptions(words: readonly string[]): Options | string {
  const read = readWords({
    args: [...words],
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'C' },
      define: { type: 'string', short: 'D', multiple: true, default: [] },
      trace: { type: 'string' },
      from: { type: 'string' },
      helo: { type: 'string', default: 'client.example' },
      mail: { type: 'string', default: '' },
      rcpt: { type: 'string', multiple: true, default: [] },
      message: { type: 'string' },
      callouts: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  if ('wrong' in read) return read.wrong
  const { values, positionals } = read
  const { callouts, json } = values
  const trace = values.trace ?? positionals[0]
  if (positionals.length > (values.trace === undefined ? 1 : 0)) return 'one session at a time'
  const message = values.message === undefined ? undefined : readBytes(values.message)
  if (message !== undefined && 'error' in message) return message.error
  if (trace !== undefined)
    return {
      session: undefined,
      trace,
      message: message?.bytes,
      config: values.config,
      defines: values.define,
      callouts,
      json,
    }
  const parsed = values.from === undefined ? undefined : parseIp(values.from)
  if (parsed === undefined) return '--from IP: the address of the client; or --trace ID'
  return {
    session: {
      address: formatIp(parsed),
      port: 40_000,
      helo: values.helo,
      mail: values.mail,
      rcpt: values.rcpt,
      message: message === undefined ? undefined : message.bytes,
    },
    trace: undefined,
    message: undefined,
    config: values.config,
    defines: values.define,
    callouts,
    json,
  }
}
