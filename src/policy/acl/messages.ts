/** What a statement says to the client and to the log. Source: Exim manual, "ACL modifiers". */
import { headerText } from '../../base/control-characters.ts'
import type { Expandable } from '../../base/expandable.ts'
import { after, type Awaitable, Failure } from '../../base/outcome.ts'
import { type ByteString, type Text, textOf } from '../../base/text.ts'
import type { AclCall, Tested } from './row.ts'
import type { Statement } from './statement.ts'

/** What the statement at work has gathered so far. */
export interface Progress {
  /** For the client and the log, from conditions and from ACLs they called. */
  user: ByteString | undefined
  log: ByteString | undefined
  /** The last `message` and `log_message` seen; expanded only when they are wanted. */
  message: Expandable | undefined
  logMessage: Expandable | undefined
  endpass: boolean
}

/** With which outcome a statement's own messages count. Source: Exim manual, "ACL modifiers". */
function wantsMessages(statement: Statement, progress: Progress, is: Tested['is']): boolean {
  const failed = is === 'false' || is === 'drop'
  switch (statement.verb) {
    case 'accept':
    case 'discard':
      // Before endpass a failure shows only when it was the last statement: then its text goes with the refusal.
      return failed || (!progress.endpass && (is === 'true' || is === 'discard'))
    case 'require':
      return failed
    default:
      return is === 'true'
  }
}

/**
 * Expands `message` and `log_message` when the outcome calls for them.
 * @returns the statement's own text for the client
 */
export function takeMessages(
  statement: Statement,
  call: AclCall,
  progress: Progress,
  is: Tested['is'],
): Awaitable<ByteString | undefined> {
  if (progress.message === undefined && progress.logMessage === undefined) {
    progress.log ??= progress.user
    return undefined
  }
  if (!wantsMessages(statement, progress, is)) {
    progress.log ??= progress.user
    return undefined
  }
  const { variables } = call.context
  // Both messages may quote what the conditions said.
  if (progress.user === undefined) variables.delete('acl_verify_message')
  else variables.set('acl_verify_message', progress.user)
  // That of a warn is a header to add.
  const read = statement.verb === 'warn' ? headerText : textOf
  return after(expandMessage(progress.message, call, read), (own) => {
    if (own !== undefined) progress.user = own
    if (progress.log !== undefined) variables.set('acl_verify_message', progress.log)
    return after(expandMessage(progress.logMessage, call, textOf), (log) => {
      variables.delete('acl_verify_message')
      const joins = progress.log !== undefined && statement.verb !== 'warn'
      if (log !== undefined) progress.log = joins ? `${log}: ${progress.log ?? ''}` : log
      else progress.log ??= progress.user
      return own
    })
  })
}

/** A message that cannot be expanded, or is empty, is as good as none. */
function expandMessage(
  message: Expandable | undefined,
  call: AclCall,
  read: (text: Text) => ByteString,
): Awaitable<ByteString | undefined> {
  if (message === undefined) return undefined
  const { ports } = call.context
  return after(ports.expand(message, call.context), (text) => {
    if (text instanceof Failure) {
      if (text.kind !== 'forced') {
        ports.log.panic(undefined, `failed to expand ACL message "${message.text}": ${text.message}`)
      }
      return undefined
    }
    const found = read(text)
    return found === '' ? undefined : found
  })
}

/** `control = no_multiline_responses` is for clients that cannot read more than one line. */
export function forClient(text: ByteString | undefined, { context }: AclCall): ByteString | undefined {
  return context.message?.controls.noMultilineResponses === true ? firstLine(text) : text
}

/** Only the first line of a text goes to the log. */
export function firstLine(text: ByteString | undefined): ByteString | undefined {
  const end = text?.indexOf('\n') ?? -1
  return end < 0 ? text : text?.slice(0, end)
}
