/** The `tls_...` options of the main section, expanded: file names must not come from a stranger. */
import type { Expandable } from '../base/expandable.ts'
import { isFailure } from '../base/outcome.ts'
import { isTainted, type Text, textOf } from '../base/text.ts'
import type { Context } from '../ports.ts'

export interface ReadOptions<K extends string = string> {
  readonly texts: Readonly<Record<K, string>>
  readonly lists: Readonly<Record<K, readonly string[]>>
}
type Problem = { readonly problem: string }

/** Expands options; one that is unset, or whose expansion is forced to fail, is empty. */
export async function readTlsOptions<K extends string>(
  context: Context,
  options: Readonly<Record<K, Expandable | undefined>>,
): Promise<ReadOptions<K> | Problem> {
  const texts: Partial<Record<K, string>> = {}
  const lists: Partial<Record<K, readonly string[]>> = {}
  // The keys of the record are those of its type.
  for (const name of Object.keys(options) as K[]) {
    const value = await expandTlsOption(options[name], context)
    if (isProblem(value)) return value
    texts[name] = textOf(value).trim()
    lists[name] = itemsOf(value, context)
  }
  return { texts: texts as Record<K, string>, lists: lists as Record<K, readonly string[]> }
}

/** Files of certificates and their keys. */
export async function certificateFiles(
  context: Context,
): Promise<{ readonly certificates: readonly string[]; readonly keys: readonly string[] } | Problem> {
  const { settings } = context
  const read = await readTlsOptions(context, {
    certificates: settings.tls_certificate,
    keys: settings.tls_privatekey,
  })
  return 'problem' in read ? read : read.lists
}

/** Files of `tls_ocsp_file`, with their prefixes; empty items hold a place. */
export async function stapleItems(context: Context): Promise<readonly string[] | Problem> {
  const value = await expandTlsOption(context.settings.tls_ocsp_file, context)
  if (isProblem(value)) return value
  return context.ports.splitList(value).map((item) => textOf(item))
}

export async function expandTlsOption(
  option: Expandable | undefined,
  context: Context,
): Promise<Text | Problem> {
  if (option === undefined) return ''
  const outcome = await context.ports.expand(option, { ...context, captures: [] })
  if (isFailure(outcome)) {
    return outcome.kind === 'forced'
      ? ''
      : { problem: `expansion of ${option.name} failed: ${outcome.message}` }
  }
  // A client's words (`$tls_in_sni`) name a file only by way of a lookup.
  return isTainted(outcome)
    ? { problem: `Tainted name '${outcome.text}' for file read not permitted (${option.name})` }
    : outcome
}

function isProblem(value: Text | Problem): value is Problem {
  return typeof value === 'object' && 'problem' in value
}

function itemsOf(list: Text, context: Context): string[] {
  return context.ports
    .splitList(list)
    .map(textOf)
    .filter((item) => item !== '')
}
