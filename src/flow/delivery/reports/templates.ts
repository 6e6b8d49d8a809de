/** Texts of reports that the configuration may bring. Source: Exim manual, "Customizing bounce and warning messages". */
import { Expandable, expandedTexts } from '../../../base/expandable.ts'
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
 * Who gets copies of bounces to this recipient: each item of `errors_copy` is a pattern and addresses; of the first that matches the
 * addresses are expanded. They are blind copies. What cannot be expanded is told in the panic log, and nobody gets a copy.
 */
export async function errorsCopy(to: ByteString, context: Context): Promise<readonly ByteString[]> {
  const { ports, message } = context
  for (const item of expandedTexts(context.settings.errors_copy)) {
    const space = item.text.search(/\s/)
    if (space < 0) continue
    const pattern = new Expandable(item.text.slice(0, space), item.origin, item.name)
    const result = await ports.matchList('address', pattern, taint(to, '$bounce_recipient'), context)
    if (result.is !== 'match') continue
    const addresses = item.text.slice(space).trim()
    const value = await ports.expand(new Expandable(addresses, item.origin, item.name), context)
    if (!isFailure(value)) return namedRecipients(textOf(value), message?.id ?? '', ports)
    const what = `Failed to expand ${addresses} when processing errors_copy`
    ports.log.panic(message?.id, `${what}: ${value.message}`)
    return []
  }
  return []
}
