/** `-bf FILE`, `-bF FILE`: tests filters with the message on standard input. Source: Exim manual, "-bf", "-bF", "-bfd". */
import { readFileSync, statSync } from 'node:fs'
import { fromBytes } from '../../../base/text.ts'
import { testFilters, type TestedFile } from '../../../flow/routing/filter/test-filter.ts'
import { headerBody, headerHasName, makeHeader } from '../../../mail/header.ts'
import { headerDate } from '../../../mail/date.ts'
import type { Context, MessageFacts } from '../../../ports.ts'
import type { ServerCall } from '../call.ts'
import { testedConnection } from '../stdin-session.ts'
import { has, valueOf } from '../parse.ts'
import { testMessageOf } from '../test-message.ts'

/** Longest filter, and longest message of a test. */
const filterLimitBytes = 4 * 1024 * 1024
const messageLimitBytes = 64 * 1024 * 1024

export async function run(call: ServerCall): Promise<number> {
  const { invocation, terminal, caller, server } = call
  const complain = (line: string): void => terminal.err(`${invocation.calledAs}: ${line}\n`)
  const system = fileOf(valueOf(invocation, '-bF'))
  const user = fileOf(valueOf(invocation, '-bf'))
  for (const file of [system, user]) {
    if (typeof file !== 'string') continue
    complain(file)
    return 1
  }
  const given = await inputText(terminal.input)
  if (given === undefined) {
    complain('the message is too long for a test')
    return 1
  }
  const fromLine = /^From +(\S+)[^\n]*\n/.exec(given)
  const message = testMessageOf(call, fromLine === null ? given : given.slice(fromLine[0].length))
  if (message.headers.length === 0) terminal.out('Warning: no message headers read\n')
  if (fromLine !== null && !has(invocation, '-f', '-r')) {
    message.sender = server.qualifySender(fromLine[1] ?? '')
    terminal.out('Sender taken from "From " line\n')
  }
  message.size = message.headers.reduce((sum, { text }) => sum + text.length, 1 + message.bodySize)
  const returnPath = tellReturnPath(message, (line) => terminal.out(`${line}\n`))
  message.headers = withoutReturnPath(message)
  addUsualHeaders(message, call)
  const address = {
    localPart: valueOf(invocation, '-bfl') ?? caller.login,
    domain: valueOf(invocation, '-bfd') ?? server.facts.qualifyDomain,
    prefix: valueOf(invocation, '-bfp') ?? '',
    suffix: valueOf(invocation, '-bfs') ?? '',
  }
  const recipient = `${address.prefix}${address.localPart}${address.suffix}@${address.domain}`
  message.recipients = [{ address: recipient }]
  terminal.out(`Sender      = ${message.sender === '' ? '<>' : message.sender}\n`)
  terminal.out(`Recipient   = ${recipient}\n`)
  if (address.prefix !== '') terminal.out(`Prefix    = ${address.prefix}\n`)
  if (address.suffix !== '') terminal.out(`Suffix    = ${address.suffix}\n`)
  const context: Context = {
    ...server.context({
      connection: testedConnection(call, 'local'),
      message,
      address: {
        ...address,
        originalLocalPart: address.localPart,
        originalDomain: address.domain,
        home: caller.home,
      },
    }),
    delivery: { routerName: '', transportName: '', returnPath },
  }
  const good = await testFilters({ system: fileIn(system), user: fileIn(user) }, context, {
    verbose: has(invocation, '-v', '-d'),
    out: (line) => terminal.out(`${line}\n`),
    explain: (line) => terminal.err(`${line}\n`),
    complain: (line) => terminal.out(`${invocation.calledAs}: ${line}\n`),
  })
  return good ? 0 : 1
}

/** A text says why it cannot be read. */
function fileOf(name: string | undefined): TestedFile | string | undefined {
  if (name === undefined) return undefined
  try {
    if (statSync(name).size > filterLimitBytes) return `failed to open ${name}: File too large`
    return { name, text: fromBytes(readFileSync(name)) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    const why =
      code === 'ENOENT'
        ? 'No such file or directory'
        : code === 'EACCES'
          ? 'Permission denied'
          : String(error)
    return `failed to open ${name}: ${why}`
  }
}

function fileIn(file: TestedFile | string | undefined): TestedFile | undefined {
  return typeof file === 'string' ? undefined : file
}

async function inputText(input: NodeJS.ReadableStream): Promise<string | undefined> {
  let text = ''
  for await (const piece of input) {
    text += typeof piece === 'string' ? piece : piece.toString('latin1')
    if (text.length > messageLimitBytes) return undefined
  }
  return text.replaceAll('\r\n', '\n')
}

function tellReturnPath(message: MessageFacts, out: (line: string) => void): string {
  const header = message.headers.find((one) => headerHasName(one, 'return-path'))
  if (header === undefined) {
    out('Return-path copied from sender')
    return message.sender ?? ''
  }
  const path = headerBody(header)
    .trim()
    .replace(/^<(.*)>$/, '$1')
  out('Return-path taken from "Return-path:" header line')
  out(`Return-path = ${path === '' ? '<>' : path}`)
  return path
}

function withoutReturnPath(message: MessageFacts): MessageFacts['headers'] {
  return message.headers.filter((one) => !headerHasName(one, 'return-path'))
}

/** What reception would add: From: and Date:. */
function addUsualHeaders(message: MessageFacts, { caller, server }: ServerCall): void {
  const lacks = (name: string): boolean => !message.headers.some((one) => headerHasName(one, name))
  const added: string[] = []
  if (lacks('from')) {
    const address = `${caller.login}@${server.facts.qualifyDomain}`
    added.push(caller.gecos === '' ? `From: ${address}\n` : `From: ${caller.gecos} <${address}>\n`)
  }
  if (lacks('date')) added.push(`Date: ${headerDate(message.receivedAt)}\n`)
  message.headers = [...message.headers, ...added.map(makeHeader)]
}
