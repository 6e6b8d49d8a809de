/**
 * A message from the drop folder: its owner's command line is read again, as that of an untrusted caller.
 * Source: SECURITY.md, promise 13; Exim manual, "Trusted and admin users".
 */
import { ProcessState } from '../../server/process-state.ts'
import type { Server } from '../../server/server.ts'
import type { DroppedMessage, DropVerdict } from '../../store/drop.ts'
import type { ByteSource } from '../../wire/line-reader.ts'
import type { ServerCall } from './call.ts'
import { localSubmission } from './local-submission.ts'
import { parseCommandLine } from './parse.ts'
import { receiveRecorded } from './receive-recorded.ts'
import { quietTerminal } from './quiet-terminal.ts'

export async function takeDropped(dropped: DroppedMessage, server: Server): Promise<DropVerdict> {
  const parsed = parseCommandLine(dropped.submission.calledAs, dropped.submission.args)
  if (parsed.is === 'refused' || parsed.invocation.mode !== 'accept-message') {
    server.log.main(undefined, `a dropped message of uid ${dropped.uid} asks for no delivery and is removed`)
    return 'taken'
  }
  const account = server.accounts.byUid(dropped.uid)
  const call: ServerCall = {
    invocation: parsed.invocation,
    terminal: quietTerminal(),
    server,
    caller: {
      uid: dropped.uid,
      gid: account?.gid ?? dropped.uid,
      groups: [],
      login: account?.name ?? String(dropped.uid),
      gecos: account?.gecos ?? '',
      home: account?.home ?? '/',
    },
    rights: { trusted: false, admin: false },
    state: new ProcessState(),
  }
  const submission = localSubmission(call, sourceOf(dropped.message()), 0)
  const services = await server.receiving()
  // Nobody reads what would be printed: errors go by mail.
  const outcome = await receiveRecorded({ ...submission, errors: 'mail' }, services, server)
  if (outcome.problem !== undefined)
    server.log.main(undefined, `dropped message of ${call.caller.login}: ${outcome.problem}`)
  // A spool that refuses now may take it later; everything else has been answered by mail.
  return outcome.problem?.startsWith('exim: spool:') === true ? 'later' : 'taken'
}

function sourceOf(pieces: AsyncIterable<Uint8Array>): ByteSource {
  const iterator = pieces[Symbol.asyncIterator]()
  return {
    async pull() {
      const next = await iterator.next()
      return next.done === true ? 'closed' : Buffer.from(next.value)
    },
    take: () => undefined,
  }
}
