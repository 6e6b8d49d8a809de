/** `-be`, `-bem FILE`, `-be -Mset ID`: expands arguments or lines of standard input. Source: Exim manual, "-be", "-bem", "-Mset". */
import { isMessageId } from '../../../base/message-id.ts'
import { isFailure, type Outcome } from '../../../base/outcome.ts'
import { encodeUtf8, textOf, type ByteString, type Text } from '../../../base/text.ts'
import type { Context, MessageFacts } from '../../../ports.ts'
import { deliveryContext } from '../../../flow/delivery/message-facts.ts'
import { newMessage } from '../../../flow/receive/message-facts.ts'
import { MacroScope } from '../macro-scope.ts'
import { readTestMessage, testSender } from '../test-message.ts'
import type { ServerCall } from '../call.ts'
import { has, valueOf } from '../parse.ts'
import { testedConnection } from '../stdin-session.ts'
import { lines } from '../terminal.ts'

export async function run(call: ServerCall): Promise<number> {
  const { invocation, server, terminal } = call
  const file = valueOf(invocation, '-bem')
  let message: MessageFacts | undefined
  if (file !== undefined) {
    const read = await readTestMessage(call, file, has(invocation, '-t', '-ti'))
    if (read.is === 'wrong') {
      terminal.err(`${invocation.calledAs}: ${read.message}\n`)
      return 1
    }
    message = read.message
  }
  const id = valueOf(invocation, '-Mset')
  if (id !== undefined && !isMessageId(id)) {
    terminal.err(`${invocation.calledAs}: malformed message id ${id} after -Mset option\n`)
    return 1
  }
  const queued = id === undefined ? undefined : await ofQueue(call, id)
  const context = queued ?? ofCall(call, message)
  // Macros of the configuration often hold passwords: only admins see them.
  const macros = new MacroScope(call.rights.admin ? server.configuration.macros : [])
  const work = { call, context, macros }
  if (invocation.args.length > 0) {
    for (const argument of invocation.args) await one(encodeUtf8(argument), work)
    return 0
  }
  let pending = ''
  terminal.out('> ')
  for await (const line of lines(terminal.input)) {
    const piece = pending === '' ? line : line.replace(/^[ \t]+/, '')
    if (piece.endsWith('\\')) {
      pending += piece.slice(0, -1)
      continue
    }
    await one(pending + piece, work)
    pending = ''
    terminal.out('> ')
  }
  terminal.out('\n')
  return 0
}

/** A message of the queue; of one that is not there it is said so, and expansions go on without. */
async function ofQueue({ server, terminal }: ServerCall, id: string): Promise<Context | undefined> {
  const message = await (await server.spool('read')).read(id)
  if (message === undefined) {
    terminal.out(`Failed to load message ${id}\n`)
    return undefined
  }
  const { facts, settings, ports } = server
  return deliveryContext({ server: facts, settings, ports, debug: server.context().debug }, message)
}

/** Who calls, with the message of a file or none. */
function ofCall(call: ServerCall, message: MessageFacts | undefined): Context {
  const { server } = call
  const connection = { ...testedConnection(call), aclC: new Map<string, Text>() }
  // ACL variables can be set without a message; where there is one they are its own.
  return server.context({ connection, message: message ?? emptyMessage(call) })
}

function emptyMessage(call: ServerCall): MessageFacts {
  const { login, uid, gid } = call.caller
  const message = newMessage({ receivedAt: Date.now(), local: true, originator: { login, uid, gid } })
  message.sender = testSender(call)
  return message
}

interface Work {
  readonly call: ServerCall
  readonly context: Context
  readonly macros: MacroScope
}

async function one(line: ByteString, work: Work): Promise<void> {
  const { terminal, server } = work.call
  const text = line.trim()
  const definition = /^([A-Z][A-Za-z0-9_]*)\s*==?\s*(.*)$/s.exec(text)
  if (definition !== null && work.macros.define(definition[1] ?? '', definition[2] ?? '')) {
    terminal.out(`Defined macro '${definition[1]}'\n`)
    return
  }
  const replaced = work.macros.replace(text)
  const setting = /^set (acl_[cm]\w+)\s*=\s*(.*)$/s.exec(replaced)
  const source = setting?.[2] ?? replaced
  const result: Outcome = await server.ports.expandText(source, { ...work.context, captures: [] })
  if (isFailure(result)) {
    terminal.out(`Failed: ${result.message}\n`)
    return
  }
  const name = setting?.[1]
  if (name === undefined) terminal.out(`${textOf(result)}\n`)
  else {
    const { connection, message } = work.context
    ;(name.startsWith('acl_c') ? connection?.aclC : message?.aclM)?.set(name.slice('acl_'.length), result)
  }
}
