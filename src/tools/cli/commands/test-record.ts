/** `postern test --record`: a session in the real world, written down as a test. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { isMessageId } from '../../../base/message-id.ts'
import { formatIp, parseIp } from '../../../base/ip.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { createCallout } from '../../../flow/delivery/index.ts'
import { createDoors } from '../../../language/expand/doors/index.ts'
import { createRecordedWorld } from '../../../server/offline/recorded-world.ts'
import type { Server } from '../../../server/server.ts'
import { createTlsContexts } from '../../../wire/tls/contexts.ts'
import { createTlsSessions } from '../../../wire/tls/sessions.ts'
import { findRecorded, nothingFound, type Wanted } from '../../inspect/explain/recorded.ts'
import { readBytes } from '../../inspect/test/find-files.ts'
import { testOfTrace } from '../../inspect/test/from-trace.ts'
import { recordSession, type RecordedSession } from '../../inspect/test/record.ts'
import { printYaml } from '../../inspect/test/yaml-text.ts'
import { giveUpBorrowedPrivilege } from '../privilege.ts'
import type { Terminal } from '../terminal.ts'
import { withServer } from '../with-server.ts'

export async function record(words: readonly string[], terminal: Terminal, usage: string): Promise<number> {
  const borrowed = process.geteuid?.() !== process.getuid?.()
  // What the daemon has kept needs the launcher's power, and is for admins; all else is the caller's own.
  if (!words.includes('--trace')) giveUpBorrowedPrivilege()
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern test --record: ${options}\n${usage}`))
    return 2
  }
  return withServer(
    { config: options.config },
    'postern test --record',
    terminal,
    async (server, { rights }) => {
      const { session } = options
      if (borrowed && session === undefined && !rights.admin) {
        terminal.err('postern test --record: Permission denied\n')
        return 1
      }
      const written =
        session === undefined
          ? kept(server, options.trace ?? '')
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
      terminal.out(
        encodeUtf8(
          options.json
            ? `${JSON.stringify({ configuration: file, ...written.test })}\n`
            : `# Written by "postern test --record": what the configuration asked, and what it was answered.\n${printYaml({ configuration: file, tests: [written.test] })}`,
        ),
      )
      return 0
    },
  )
}

type Written = { readonly test: Readonly<Record<string, unknown>> } | { readonly missing: string }

/** From what the daemon has kept. */
function kept(server: Server, id: string): Written {
  const { spoolDirectory } = server.facts
  const wanted: Wanted = isMessageId(id) ? { is: 'message', id } : { is: 'trace', id }
  const found = findRecorded(spoolDirectory, wanted).filter(({ kind }) => kind === 'session')
  if (found.length === 0)
    return { missing: nothingFound(spoolDirectory, server.settings.explain_store, wanted) }
  const test = testOfTrace(found)
  return test === undefined ? { missing: `${id} did not come from a host by SMTP` } : { test }
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
  return { test: await recordSession(configuration, world, session) }
}

interface Options {
  /** Undefined: a session that was kept, by `trace`. */
  readonly session: RecordedSession | undefined
  readonly trace: string | undefined
  readonly config: string | undefined
  readonly callouts: boolean
  readonly json: boolean
}

function readOptions(words: readonly string[]): Options | string {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        config: { type: 'string', short: 'C' },
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
    const { trace, callouts, json } = values
    if (trace !== undefined) return { session: undefined, trace, config: values.config, callouts, json }
    const parsed = values.from === undefined ? undefined : parseIp(values.from)
    if (parsed === undefined) return '--from IP: the address of the client; or --trace ID'
    const message = values.message === undefined ? undefined : readBytes(values.message)
    if (message !== undefined && 'error' in message) return message.error
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
      config: values.config,
      callouts,
      json,
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
