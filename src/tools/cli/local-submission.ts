/** What a sendmail-style call asks of reception. Source: Exim manual, "-bm", "-t", "-i", "-f", "-F", "-oe", "-bnq". */
import { encodeUtf8 } from '../../base/text.ts'
import type { LocalSubmission } from '../../flow/receive/local.ts'
import type { ByteSource } from '../../wire/line-reader.ts'
import type { ServerCall } from './call.ts'
import { has, type Invocation, valueOf } from './parse.ts'
import { describedConnection } from './stdin-session.ts'

export function localSubmission(call: ServerCall, source: ByteSource, timeoutMs: number): LocalSubmission {
  const { invocation } = call
  return {
    source,
    connection: describedConnection(call, { kind: 'local' }),
    recipients: invocation.args.map(encodeUtf8),
    fromHeaders: has(invocation, '-t', '-ti'),
    dotEnds: !has(invocation, '-i', '-oi', '-oitrue', '-ti'),
    sender: bytesOf(valueOf(invocation, '-f', '-r')),
    fullName: bytesOf(valueOf(invocation, '-F')),
    gateway: has(invocation, '-G'),
    qualify: !has(invocation, '-bnq'),
    // Nobody else is there to be told.
    errors: call.server.settings.mua_wrapper ? 'print' : errorsOf(invocation),
    timeoutMs,
  }
}

/** How errors are reported: the last of the -oe flags counts. */
function errorsOf(invocation: Invocation): LocalSubmission['errors'] {
  const given = invocation.flags.findLast(({ flag }) => flag.startsWith('-oe'))?.flag
  if (given === '-oee') return 'mail-zero'
  return given === '-oep' || given === '-oeq' ? 'print' : 'mail'
}

function bytesOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : encodeUtf8(text)
}
