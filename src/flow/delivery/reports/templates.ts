/** Texts of reports that the configuration may bring. Source: Exim manual, "Customizing bounce and warning messages". */
import type { Expandable } from '../../../base/expandable.ts'
import { isFailure } from '../../../base/outcome.ts'
import { taint, textOf, type ByteString } from '../../../base/text.ts'
import { namedRecipients } from '../../named-recipients.ts'
import type { Context } from '../../../ports.ts'

/** Most bytes of a template file. */
const templateLimitBytes = 262_144

/** The items of a template file, expanded; an item that is empty or missing is undefined. */
export async function templateItems(
  option: Expandable | undefined,
  name: string,
  context: Context,
): Promise<readonly (ByteString | undefined)[]> {
  if (option === undefined) return []
  const path = await context.ports.expand(option, context)
  if (isFailure(path)) {
    context.ports.log.panic(context.message?.id, `Failed to expand ${name}: ${path.message}`)
    return []
  }
  const file = context.ports.files.read(textOf(path), templateLimitBytes)
  if ('error' in file) {
    context.ports.log.panic(context.message?.id, `Failed to open ${textOf(path)} for ${name}: ${file.error}`)
    return []
  }
  const items: (ByteString | undefined)[] = []
  for (const item of splitItems(file.bytes)) {
    if (item.trim() === '') {
      items.push(undefined)
      continue
    }
    const value = await context.ports.expandText(item, context)
    if (isFailure(value)) {
      context.ports.log.panic(context.message?.id, `Failed to expand an item of ${name}: ${value.message}`)
      items.push(undefined)
    } else items.push(withLineEnd(textOf(value)))
  }
  return items
}

/** Items are separated by lines of exactly four asterisks. */
function splitItems(bytes: ByteString): string[] {
  const items: string[] = ['']
  for (const line of bytes.split(/(?<=\n)/)) {
    if (line.replace(/\r?\n$/, '') === '****') items.push('')
    else items[items.length - 1] += line
  }
  return items
}

function withLineEnd(text: ByteString): ByteString {
  return text.endsWith('\n') ? text : `${text}\n`
}

/**
 * Who gets copies of bounces to this recipient: `errors_copy` is a list of pattern and addresses, the patterns tried
 * in order; they are blind copies.
 */
export async function errorsCopy(to: ByteString, context: Context): Promise<readonly ByteString[]> {
  const none: readonly ByteString[] = []
  const option = context.settings.errors_copy
  if (option === undefined) return none
  const value = await context.ports.expand(option, context)
  if (isFailure(value)) {
    context.ports.log.panic(context.message?.id, `failed to expand "errors_copy" option: ${value.message}`)
    return none
  }
  for (const item of context.ports.splitList(value)) {
    const [pattern, ...rest] = textOf(item).trim().split(/\s+/)
    if (pattern === undefined || rest.length === 0) continue
    const result = await context.ports.matchListText(
      'address',
      pattern,
      taint(to, '$bounce_recipient'),
      context,
    )
    if (result.is !== 'match') continue
    return namedRecipients(rest.join(' '), context.message?.id ?? '', context.ports)
  }
  return none
}
