/** The commands `mail` and `vacation`. Source: Exim manual, "Mail commands". */
import { type ByteString, isTainted, textOf } from '../../../../base/text.ts'
import { type FilterReply, shown } from '../result.ts'
import { replyAddress } from './personal.ts'
import { type FilterState, FilterTrouble } from './state.ts'
import { type MailCommand, mailFields, type MailField } from './tree.ts'

/** In these a line end must be followed by white space, or they would make further headers. */
const oneHeader: ReadonlySet<MailField> = new Set(['to', 'cc', 'bcc', 'from', 'reply_to', 'subject'])

/** Undefined: nothing is sent. */
export async function mailReply(command: MailCommand, state: FilterState): Promise<FilterReply | undefined> {
  const { world } = state
  const { message, delivery } = state.context
  if (textOf(delivery?.returnPath ?? message?.sender ?? '') === '') {
    state.out(`${command.vacation ? 'vacation' : 'mail'} command ignored because return_path is empty`)
    return undefined
  }
  const values: Partial<Record<MailField, ByteString>> = {}
  for (const name of mailFields) {
    const text = command.fields[name]
    if (text === undefined) continue
    const expanded = await state.expand(text, 'mail command')
    const value = textOf(expanded)
    if (isFile(name) && isTainted(expanded)) {
      throw new FilterTrouble(`Tainted name '${shown(value)}' for file open not permitted in mail command`)
    }
    if (oneHeader.has(name)) refuseUnsafe(value)
    values[name] = value
  }
  if (world.tester !== undefined) return undefined
  const to = values.to ?? replyAddress(state.context)
  if (to === '') return undefined
  const { extra_headers: headers, ...others } = values
  return {
    ...others,
    to,
    ...(headers !== undefined && { headers }),
    fileExpand: command.expandFile,
    returnMessage: command.returnMessage,
  }
}

function isFile(name: MailField): boolean {
  return name === 'file' || name === 'log' || name === 'once'
}

function refuseUnsafe(value: ByteString): void {
  const wrong = /[\0-\x08\x0b-\x1f\x7f]/.exec(value)
  if (wrong !== null) {
    throw new FilterTrouble(`non-printing character in "${shown(value)}" in mail command`)
  }
  if (/\n(?![ \t])/.test(value)) {
    throw new FilterTrouble(`\\n not followed by space in "${shown(value)}" in mail command`)
  }
}

/** What a test shows of it. */
export async function showMail(
  command: MailCommand,
  { seen, noError }: { readonly seen: boolean; readonly noError: boolean },
  state: FilterState,
): Promise<void> {
  const { fields, vacation } = command
  const show = async (name: MailField): Promise<ByteString> =>
    shown(textOf(await state.expand(fields[name] ?? '', 'mail command')))
  const to = fields.to === undefined ? '<default>' : await show('to')
  state.out(
    `${seen ? 'Seen mail' : 'Mail'} to: ${to}${vacation ? ' (vacation)' : ''}${noError ? ' (noerror)' : ''}`,
  )
  for (const name of mailFields) {
    if (name === 'to' || fields[name] === undefined) continue
    const expanded = name === 'file' && command.expandFile ? ' (expanded)' : ''
    state.outDetail(`${name.padStart(7)}: ${await show(name)}${expanded}`)
  }
  if (command.returnMessage) state.outDetail('Return original message')
}
