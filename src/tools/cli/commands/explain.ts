/** `postern explain`: why a session would be, or was, answered as it was. */
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { systemReason } from '../../../base/system-error.ts'
import { type ByteString, encodeUtf8, fromBytes } from '../../../base/text.ts'
import type { Server } from '../../../server/server.ts'
import { dryRun, type Question } from '../../inspect/explain/dry-run.ts'
import {
  findRecorded,
  mayNotRead,
  nothingFound,
  type Recorded,
  type Wanted,
} from '../../inspect/explain/recorded.ts'
import { type PageEntry, renderPage } from '../../inspect/explain/render-html.ts'
import { renderExplanation, type Source } from '../../inspect/explain/render-text.ts'
import { waiting } from '../progress.ts'
import { readWords } from '../read-words.ts'
import { clientOptions, statedClient } from '../stated-client.ts'
import type { Terminal } from '../terminal.ts'
import { notAdmin, withServer } from '../with-server.ts'

export const usage = `usage: postern explain --from IP --mail ADDRESS --rcpt ADDRESS... [--helo NAME] [--message FILE]
           [--interface IP] [--tls | --tls-on-connect] [--tls-cipher NAME] [--tls-certificate DN] [--tls-sni NAME]
           [--authenticated-id ID] [--authenticated-by NAME] [--proxy IP] [--proxy-external IP]
           plays a session as if from IP and tells why each command is answered as it is; nothing is kept
       postern explain MESSAGE-ID | --trace TRACE-ID | [--rejected] --last N
           tells the same of sessions and deliveries that the daemon has kept (main option explain_store)
       all: [-C FILE] [-D NAME=VALUE]... [--json | --html FILE] [--brief]
`
/** Larger messages say no more about a policy. */
const mostMessageBytes = 64 * 2 ** 20
const mostLatest = 1000

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern explain: ${options}\n${usage}`))
    return 2
  }
  // Behind a setuid launcher: what others wrote, and what the configuration holds, is for admins.
  const borrowed = process.geteuid?.() !== process.getuid?.()
  // Root's own call gives its power up before it reads what strangers sent; the page goes where root may write.
  const page = openPage(options.html, borrowed)
  if (typeof page === 'string') {
    terminal.err(encodeUtf8(`postern explain: ${page}\n`))
    return 1
  }
  const { config, defines } = options
  return withServer({ config, defines }, 'postern explain', terminal, async (server, { rights }) => {
    if (borrowed && !rights.admin) {
      terminal.err(`postern explain: ${notAdmin}\n`)
      return 1
    }
    return options.ask.is === 'question'
      ? played(server, options.ask.question, { ...options, page }, terminal)
      : recorded(server, options.ask, { ...options, page }, terminal)
  })
}

/** With the page's file, where it is open already. */
type Output = Options & { readonly page: number | undefined }

async function played(
  server: Server,
  question: Question,
  options: Output,
  terminal: Terminal,
): Promise<number> {
  const shown = waiting(terminal, 'playing the session')
  const { root, replies, inClear } = await dryRun(server, question).finally(() => shown.end())
  if (inClear) terminal.err('postern explain: STARTTLS is not offered to this client: played in clear\n')
  if (options.json) terminal.out(encodeUtf8(`${JSON.stringify({ replies, root }, null, 1)}\n`))
  else if (options.html !== undefined) {
    const title = `A message from ${question.client.address} to ${server.facts.primaryHostname}`
    return writePage(options, options.html, title, [{ title, root }], terminal)
  } else terminal.out(encodeUtf8(renderExplanation(root, sourceReader(), !options.brief)))
  return 0
}

async function recorded(
  server: Server,
  wanted: Wanted,
  options: Output,
  terminal: Terminal,
): Promise<number> {
  const { spoolDirectory } = server.facts
  const found = findRecorded(spoolDirectory, wanted)
  const forbidden = mayNotRead(server, process.geteuid?.() ?? 0)
  if (forbidden !== undefined) terminal.err(encodeUtf8(`postern explain: ${forbidden}\n`))
  if (found.length === 0) {
    if (forbidden === undefined)
      terminal.err(encodeUtf8(`postern explain: ${nothingFound(server, wanted)}\n`))
    return 1
  }
  if (options.json) {
    terminal.out(encodeUtf8(`${JSON.stringify(found, null, 1)}\n`))
    return 0
  }
  if (options.html !== undefined) {
    const title =
      wanted.is === 'latest' ? `The latest ${found.length} sessions` : `What became of ${wanted.id}`
    const entries = found.map((each) => ({ title: titleOf(each), root: each.root }))
    return writePage(options, options.html, title, entries, terminal)
  }
  const source = sourceReader()
  // Of many, what decided is enough.
  const every = !options.brief && wanted.is !== 'latest'
  for (const each of found) {
    terminal.out(encodeUtf8(`=== ${titleOf(each)}\n\n${renderExplanation(each.root, source, every)}\n`))
  }
  return 0
}

function titleOf({ what, at, trace }: Recorded): string {
  return `${new Date(at).toISOString().replace('T', ' ').slice(0, 19)} UTC, ${what} (trace ${trace})`
}

/** Undefined: it is opened when it is written, with no more rights than the rest of the work has. */
function openPage(file: string | undefined, borrowed: boolean): number | undefined | string {
  if (file === undefined || borrowed) return undefined
  try {
    // It shows what a message and the configuration hold.
    return openSync(file, 'w', 0o600)
  } catch (error) {
    return `${file}: ${systemReason(error)}`
  }
}

function writePage(
  { page }: Output,
  file: string,
  title: string,
  entries: readonly PageEntry[],
  terminal: Terminal,
): number {
  try {
    writeFileSync(page ?? file, renderPage(title, entries, sourceReader()), { mode: 0o600 })
  } catch (error) {
    terminal.err(encodeUtf8(`postern explain: ${file}: ${systemReason(error)}\n`))
    return 1
  }
  terminal.out(encodeUtf8(`${file}: written\n`))
  return 0
}

/** Reads each file of the configuration once. */
function sourceReader(): Source {
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

type Ask = Wanted | { readonly is: 'question'; readonly question: Question }

interface Options {
  readonly ask: Ask
  readonly config: string | undefined
  readonly defines: readonly string[]
  readonly json: boolean
  readonly html: string | undefined
  readonly brief: boolean
}

function readOptions(words: readonly string[]): Options | string {
  const read = parse(words)
  if ('wrong' in read) return read.wrong
  const ask = askOf(read)
  if (typeof ask === 'string') return ask
  const { config, define: defines, json, html, brief } = read.values
  return { ask, config, defines, json, html, brief }
}

function parse(words: readonly string[]) {
  return readWords({
    args: [...words],
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'C' },
      define: { type: 'string', short: 'D', multiple: true, default: [] },
      ...clientOptions,
      helo: { type: 'string', default: 'client.example' },
      mail: { type: 'string', default: '' },
      rcpt: { type: 'string', multiple: true, default: [] },
      message: { type: 'string' },
      trace: { type: 'string' },
      rejected: { type: 'boolean', default: false },
      last: { type: 'string' },
      brief: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      html: { type: 'string' },
    },
  })
}

function askOf({
  values,
  positionals,
}: Exclude<ReturnType<typeof parse>, { readonly wrong: string }>): Ask | string {
  const [id, ...more] = positionals
  if (more.length > 0) return 'one message id at a time'
  if (id !== undefined) return { is: 'message', id }
  if (values.trace !== undefined) return { is: 'trace', id: values.trace }
  if (values.rejected || values.last !== undefined) {
    const most = Number(values.last ?? 20)
    if (!Number.isInteger(most) || most < 1 || most > mostLatest) return `--last N: 1 to ${mostLatest}`
    return { is: 'latest', refused: values.rejected, most }
  }
  const { helo, mail, rcpt, message } = values
  const client = statedClient(values)
  if (typeof client === 'string') return client
  if ([helo, mail, ...rcpt].some((each) => /[\r\n\0]/.test(each))) return 'names and addresses have one line'
  const text = message === undefined ? undefined : readMessage(message)
  if (text !== undefined && typeof text !== 'string') return text.wrong
  const question: Question = {
    client,
    helo: encodeUtf8(helo),
    mail: encodeUtf8(mail),
    rcpt: rcpt.map(encodeUtf8),
    message: text,
  }
  return { is: 'question', question }
}

function readMessage(file: string): ByteString | { readonly wrong: string } {
  try {
    const bytes = readFileSync(file)
    return bytes.length > mostMessageBytes
      ? { wrong: `--message ${file}: larger than 64 MB` }
      : fromBytes(bytes)
  } catch (error) {
    return { wrong: `--message ${file}: ${systemReason(error)}` }
  }
}
