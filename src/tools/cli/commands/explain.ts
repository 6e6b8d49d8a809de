/** `postern explain`: why a session would be, or was, answered as it was. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { encodeUtf8, fromBytes } from '../../../base/text.ts'
import { dryRun, type Question } from '../../inspect/explain/dry-run.ts'
import { renderExplanation } from '../../inspect/explain/render-text.ts'
import type { Terminal } from '../terminal.ts'
import { withServer } from '../with-server.ts'

const usage = `usage: postern explain --from IP --mail ADDRESS --rcpt ADDRESS... [--helo NAME] [--message FILE] [-C FILE] [--json]
  plays a session as if from IP and tells why each command is answered as it is; nothing is kept
`

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern explain: ${options}\n${usage}`))
    return 2
  }
  return withServer({ config: options.config }, 'postern explain', terminal, async (server) => {
    const { root, replies } = await dryRun(server, options.question)
    terminal.out(
      encodeUtf8(options.json ? `${JSON.stringify({ replies, root }, null, 1)}\n` : renderExplanation(root)),
    )
    return 0
  })
}

interface Options {
  readonly question: Question
  readonly config: string | undefined
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
        json: { type: 'boolean', default: false },
      },
    })
    const { from, helo, mail, rcpt, message } = values
    if (from === undefined || isIP(from) === 0) return '--from IP: the address of the client'
    return {
      question: {
        from,
        helo: encodeUtf8(helo),
        mail: encodeUtf8(mail),
        rcpt: rcpt.map(encodeUtf8),
        message: message === undefined ? undefined : fromBytes(readFileSync(message)),
      },
      config: values.config,
      json: values.json,
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
