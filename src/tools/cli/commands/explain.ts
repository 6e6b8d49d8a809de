/** `postern explain`: why a session would be, or was, answered as it was. */
import { readFileSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { encodeUtf8, fromBytes } from '../../../base/text.ts'
import { dryRun, type Question } from '../../inspect/explain/dry-run.ts'
import { renderPage } from '../../inspect/explain/render-html.ts'
import { renderExplanation, type Source } from '../../inspect/explain/render-text.ts'
import type { Terminal } from '../terminal.ts'
import { withServer } from '../with-server.ts'

const usage = `usage: postern explain --from IP --mail ADDRESS --rcpt ADDRESS... [--helo NAME] [--message FILE] [-C FILE] [--json | --html FILE]
  plays a session as if from IP and tells why each command is answered as it is; nothing is kept
`
/** Larger messages say no more about a policy. */
const mostMessageBytes = 64 * 2 ** 20

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern explain: ${options}\n${usage}`))
    return 2
  }
  return withServer({ config: options.config }, 'postern explain', terminal, async (server) => {
    const { root, replies } = await dryRun(server, options.question)
    if (options.html !== undefined) {
      const title = `A message from ${options.question.from} to ${server.facts.primaryHostname}`
      return writePage(options.html, renderPage(title, [{ title, root }], sourceReader()), terminal)
    }
    const text = options.json
      ? `${JSON.stringify({ replies, root }, null, 1)}\n`
      : renderExplanation(root, sourceReader())
    terminal.out(encodeUtf8(text))
    return 0
  })
}

export function writePage(file: string, page: string, terminal: Terminal): number {
  try {
    // It shows what a message and the configuration hold.
    writeFileSync(file, page, { mode: 0o600 })
  } catch (error) {
    terminal.err(
      encodeUtf8(`postern explain: ${file}: ${error instanceof Error ? error.message : String(error)}\n`),
    )
    return 1
  }
  terminal.out(encodeUtf8(`${file}: written\n`))
  return 0
}

/** Reads each file of the configuration once. */
export function sourceReader(): Source {
  const files = new Map<string, readonly string[] | undefined>()
  return (file) => {
    if (!files.has(file)) {
      try {
        files.set(file, readFileSync(file, 'utf8').split(/\r?\n/))
      } catch {
        files.set(file, undefined)
      }
    }
    return files.get(file)
  }
}

interface Options {
  readonly question: Question
  readonly config: string | undefined
  readonly json: boolean
  readonly html: string | undefined
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
        html: { type: 'string' },
      },
    })
    const { from, helo, mail, rcpt, message } = values
    if (from === undefined || isIP(from) === 0) return '--from IP: the address of the client'
    const strange = [helo, mail, ...rcpt].find((each) => /[\r\n\0]/.test(each))
    if (strange !== undefined) return 'names and addresses have one line'
    const text = message === undefined ? undefined : fromBytes(readFileSync(message))
    if (text !== undefined && text.length > mostMessageBytes) return `${message ?? ''}: too large`
    return {
      question: {
        from,
        helo: encodeUtf8(helo),
        mail: encodeUtf8(mail),
        rcpt: rcpt.map(encodeUtf8),
        message: text,
      },
      config: values.config,
      json: values.json,
      html: values.html,
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
