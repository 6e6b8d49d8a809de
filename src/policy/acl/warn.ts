/** What `warn` does when its conditions are true, or cannot be tested. Source: Exim manual, "ACL verbs". */
import type { ByteString } from '../../base/text.ts'
import { hostAndIdent } from '../../mail/log-lines.ts'
import type { Context } from '../../ports.ts'
import { addHeaders } from './headers.ts'
import { firstLine, type Progress } from './messages.ts'
import { isAllowed, placeNames, withWarnHeaders } from './place.ts'
import type { AclCall, Tested } from './row.ts'
import type { Statement } from './statement.ts'

/** Logs what a `warn` says, each text once a message; a condition that could not be tested is logged instead. */
export function warn(
  statement: Statement,
  call: AclCall,
  progress: Progress,
  is: Tested['is'],
  ownMessage: ByteString | undefined,
): void {
  const { context } = call
  const { log } = context.ports
  if (is === 'defer') {
    if (!log.selects('acl_warn_skipped')) return
    const why = progress.log === undefined || progress.log === '' ? '' : `: ${firstLine(progress.log) ?? ''}`
    log.main(
      messageId(context),
      `${who(context)}Warning: ACL "warn" statement skipped: condition test deferred${why}`,
    )
    return
  }
  if (is !== 'true') return
  if (ownMessage !== undefined) addWarnHeader(call, ownMessage)
  const text = progress.logMessage === undefined ? undefined : firstLine(progress.log)
  if (text === undefined || text === '' || !firstTime(text, context)) return
  log.main(messageId(context), `${who(context)}Warning: ${text}`, {
    event: 'acl:warn',
    decidedBy: { name: 'warn', file: statement.file, line: statement.line },
  })
}

/** `message` on a `warn` adds a header: the way of old configurations. */
function addWarnHeader(call: AclCall, text: ByteString): void {
  if (isAllowed(withWarnHeaders, call.place)) return addHeaders(call.context, text)
  call.context.ports.log.panic(
    undefined,
    `ACL "warn" with "message" setting found in a non-message (${placeNames[call.place]}) ACL: cannot specify header lines here: message ignored`,
  )
}

const WARNED = 'acl warnings'

function firstTime(text: ByteString, context: Context): boolean {
  const extra = context.message?.extra ?? context.connection?.extra
  if (extra === undefined) return true
  const known = extra.get(WARNED)
  const said = known instanceof Set ? known : new Set<unknown>()
  if (said.has(text)) return false
  // More than a thousand different warnings in one message are no use to anybody.
  if (said.size < 1000) said.add(text)
  extra.set(WARNED, said)
  return true
}

function who({ connection, ports }: Context): string {
  return connection === undefined ? '' : `${hostAndIdent(connection, ports.log, true)} `
}

function messageId({ message }: Context): string | undefined {
  return message === undefined || message.id === '' ? undefined : message.id
}
