/**
 * The header section of the copy that one batch gets: lines removed and added as router and transport say.
 * Source: Exim manual, "Generic options for transports" (headers_add, headers_remove, return_path_add ...).
 */
import { headerText } from '../../base/control-characters.ts'
import { type Expandable, expandedTexts } from '../../base/expandable.ts'
import { Failure } from '../../base/outcome.ts'
import { textOf, type ByteString, type Text } from '../../base/text.ts'
import type { TransportSettings } from '../../language/config/options/transport.ts'
import { headerDate } from '../../mail/date.ts'
import type { Header } from '../../mail/envelope.ts'
import type { Context } from '../../ports.ts'
import type { DeliveryDeps } from './deps.ts'
import { expanded } from './expanding.ts'
import type { RoutedAddress } from '../routed.ts'

export interface CopyRequest {
  readonly settings: TransportSettings
  readonly headers: readonly Header[]
  readonly addresses: readonly RoutedAddress[]
  readonly returnPath: ByteString
  readonly now: number
  readonly deps: Pick<DeliveryDeps, 'rewriteHeaders'>
}

/** The header section with LF line ends, without the blank line; or why it cannot be made. */
export async function headerSection(
  request: CopyRequest,
  context: Context,
): Promise<{ readonly text: ByteString } | { readonly failure: string }> {
  const { settings, addresses } = request
  const first = addresses[0]
  const removed = await removedNames(settings.headers_remove, first?.headersRemove ?? [], context)
  if ('failure' in removed) return removed
  const added = await addedLines(settings.headers_add, first?.headersAdd ?? [], context)
  if ('failure' in added) return added
  let text = ''
  if (settings.return_path_add) text += `Return-path: <${request.returnPath}>\n`
  if (settings.envelope_to_add) text += `Envelope-to: ${envelopeTo(addresses)}\n`
  if (settings.delivery_date_add) text += `Delivery-date: ${headerDate(request.now)}\n`
  for (const header of await rewritten(request, context)) {
    if (header.type === '*') continue
    if (removed.names !== undefined && isRemoved(header.text, removed.names)) continue
    text += header.text
  }
  return { text: text + added.text }
}

async function rewritten(request: CopyRequest, context: Context): Promise<readonly Header[]> {
  const rules = request.settings.headers_rewrite
  if (rules === undefined || request.deps.rewriteHeaders === undefined) return request.headers
  return request.deps.rewriteHeaders(request.headers, rules, context)
}

function envelopeTo(addresses: readonly RoutedAddress[]): string {
  // Exim names what came to an address last first.
  const originals = new Set(
    addresses.flatMap((one) => [...(one.alsoFor ?? []).toReversed(), one.recipient.address]),
  )
  return [...originals].join(',\n ')
}

async function removedNames(
  own: readonly Expandable[] | undefined,
  fromRouter: readonly Text[],
  context: Context,
): Promise<{ readonly names: readonly string[] | undefined } | { readonly failure: string }> {
  if (own === undefined && fromRouter.length === 0) return { names: undefined }
  const names: string[] = []
  for (const text of fromRouter) names.push(headerName(textOf(text)))
  for (const item of expandedTexts(own)) {
    const value = await expanded(item, context)
    if (value instanceof Failure) {
      if (value.kind === 'forced') continue
      return { failure: unexpanded(value) }
    }
    if (value !== undefined) names.push(headerName(textOf(value)))
  }
  return { names: names.filter((name) => name !== '') }
}

function headerName(text: string): string {
  return text.trim().toLowerCase()
}

/** A name may end in `*`. */
function isRemoved(header: ByteString, names: readonly string[]): boolean {
  const colon = header.indexOf(':')
  if (colon < 0) return false
  const name = header.slice(0, colon).trimEnd().toLowerCase()
  return names.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : one === name))
}

async function addedLines(
  own: readonly Expandable[] | undefined,
  fromRouter: readonly Text[],
  context: Context,
): Promise<{ readonly text: ByteString } | { readonly failure: string }> {
  if (own === undefined && fromRouter.length === 0) return { text: '' }
  let text = ''
  for (const line of fromRouter) text += withLineEnd(headerText(line))
  for (const item of expandedTexts(own)) {
    const value = await expanded(item, context)
    if (value instanceof Failure) {
      if (value.kind === 'forced') continue
      return { failure: unexpanded(value) }
    }
    if (value !== undefined) text += withLineEnd(headerText(value))
  }
  return { text }
}

function unexpanded({ message }: Failure): string {
  return `failed to expand headers_add or headers_remove: ${message}`
}

/** Header text ends with exactly one LF and holds no empty line, which would end the header section. */
function withLineEnd(text: ByteString): ByteString {
  const clean = text.replace(/\n{2,}/g, '\n').replace(/^\n/, '')
  if (clean === '') return ''
  return clean.endsWith('\n') ? clean : `${clean}\n`
}
