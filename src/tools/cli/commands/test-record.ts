/** `postern test --record`: a session in the real world, written down as a test. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { formatIp, parseIp } from '../../../base/ip.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { createCallout } from '../../../flow/delivery/index.ts'
import { createDoors } from '../../../language/expand/doors/index.ts'
import { createRecordedWorld } from '../../../server/offline/recorded-world.ts'
import { createTlsContexts } from '../../../wire/tls/contexts.ts'
import { createTlsSessions } from '../../../wire/tls/sessions.ts'
import { readBytes } from '../../inspect/test/find-files.ts'
import { recordSession, type RecordedSession } from '../../inspect/test/record.ts'
import { printYaml } from '../../inspect/test/yaml-text.ts'
import type { Terminal } from '../terminal.ts'
import { withServer } from '../with-server.ts'

export async function record(words: readonly string[], terminal: Terminal, usage: string): Promise<number> {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern test --record: ${options}\n${usage}`))
    return 2
  }
  return withServer({ config: options.config }, 'postern test --record', terminal, async (server) => {
    const { configuration, facts, ports } = server
    const { callouts, session } = options
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
    const written = await recordSession(configuration, world, session)
    const file =
      configuration.file.startsWith('/') || options.config === undefined
        ? configuration.file
        : resolve(configuration.file)
    terminal.out(
      encodeUtf8(
        options.json
          ? `${JSON.stringify({ configuration: file, ...written })}\n`
          : `# Written by "postern test --record": what the configuration asked, and what it was answered.\n${printYaml({ configuration: file, tests: [written] })}`,
      ),
    )
    return 0
  })
}

interface Options {
  readonly session: RecordedSession
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
        from: { type: 'string' },
        helo: { type: 'string', default: 'client.example' },
        mail: { type: 'string', default: '' },
        rcpt: { type: 'string', multiple: true, default: [] },
        message: { type: 'string' },
        callouts: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    })
    const parsed = values.from === undefined ? undefined : parseIp(values.from)
    if (parsed === undefined) return '--from IP: the address of the client'
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
      config: values.config,
      callouts: values.callouts,
      json: values.json,
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
