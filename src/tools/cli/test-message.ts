/** The message of `-bem FILE` and of `-bf`: read as a local one, with nothing kept of it. Source: Exim manual, "-bem". */
import { readFileSync } from 'node:fs'
import { systemReason } from '../../base/system-error.ts'
import { newMessage } from '../../flow/receive/message-facts.ts'
import { fromBytes } from '../../base/text.ts'
import type { Header } from '../../mail/envelope.ts'
import { endOfAddress, parseAddress } from '../../mail/parse-address.ts'
import type { MessageFacts } from '../../ports.ts'
import type { ServerCall } from './call.ts'
import { valueOf } from './parse.ts'

export type TestMessage =
  | { readonly is: 'message'; readonly message: MessageFacts }
  | { readonly is: 'wrong'; readonly message: string }

const letters: Readonly<Record<string, string>> = {
  bcc: 'B',
  cc: 'C',
  from: 'F',
  'message-id': 'I',
  received: 'P',
  'reply-to': 'R',
  sender: 'S',
  to: 'T',
}

export async function readTestMessage(
  call: ServerCall,
  file: string,
  fromHeaders: boolean,
): Promise<TestMessage> {
  let text: string
  try {
    text = fromBytes(readFileSync(file)).replaceAll('\r\n', '\n')
  } catch (error) {
    return {
      is: 'wrong',
      message: `cannot read ${file}: ${systemReason(error)}`,
    }
  }
  const message = testMessageOf(call, text)
  if (fromHeaders) {
    const addresses = message.headers.filter(({ type }) => 'TCB'.includes(type)).flatMap(addressesOf)
    return { is: 'message', message: { ...message, recipients: addresses.map((address) => ({ address })) } }
  }
  return { is: 'message', message }
}

/** @param text headers, blank line, body; LF line ends */
export function testMessageOf(call: ServerCall, text: string): MessageFacts {
  const { server, caller } = call
  const { headers, body } = splitMessage(text)
  const message = newMessage({
    receivedAt: Date.now(),
    local: true,
    originator: { login: caller.login, uid: caller.uid, gid: caller.gid },
  })
  const visible = server.settings.message_body_visible
  message.sender = testSender(call)
  message.headers = headers
  message.body = { start: body.slice(0, visible), end: body.slice(-visible) }
  message.bodySize = body.length
  message.bodyLines = body.split('\n').length - 1
  message.size = text.length
  return message
}

/** The sender of a test: that of `-f`, or who runs it. */
export function testSender({ server, caller, invocation }: ServerCall): string {
  const given = valueOf(invocation, '-f', '-r')
  if (given === undefined) return `${caller.login}@${server.facts.qualifyDomain}`
  if (given === '' || given === '<>') return ''
  return server.qualifySender(given.replace(/^<(.*)>$/, '$1'))
}

/** Header lines up to the first blank one, folded lines with theirs. */
function splitMessage(text: string): { readonly headers: readonly Header[]; readonly body: string } {
  const headers: { type: string; text: string }[] = []
  let at = 0
  while (at < text.length) {
    const end = text.indexOf('\n', at)
    const next = end === -1 ? text.length : end + 1
    const line = text.slice(at, next)
    const last = headers.at(-1)
    if (line === '\n') return { headers, body: text.slice(next) }
    if (/^[ \t]/.test(line) && last !== undefined) last.text += line
    else {
      const name = /^([!-9;-~]+)[ \t]*:/.exec(line)?.[1]
      if (name === undefined) return { headers, body: text.slice(at) }
      headers.push({ type: letters[name.toLowerCase()] ?? ' ', text: line })
    }
    at = next
  }
  return { headers, body: '' }
}

function addressesOf(header: Header): string[] {
  const body = header.text.slice(header.text.indexOf(':') + 1)
  const found: string[] = []
  for (let at = 0; at < body.length; ) {
    const end = endOfAddress(body, at, false)
    const parsed = parseAddress(body.slice(at, end).trim())
    if (parsed.is === 'address') found.push(parsed.address)
    at = end + 1
  }
  return found
}
