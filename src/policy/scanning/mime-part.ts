/** The MIME part that an ACL is looking at, and the file into which it was decoded. */
import { type ByteString, taint } from '../../base/text.ts'
import { makeDecoder } from '../../mail/mime/decode.ts'
import type { MimePart } from '../../mail/mime/walker.ts'
import type { Context, MessageFacts } from '../../ports.ts'
import { readStretch, scanCopyOf } from './scan-copy.ts'

const KEY = 'mime part'

export interface PartAtWork {
  /** The file in which it stands. */
  readonly path: string
  readonly part: MimePart
  /** Where it was decoded to. */
  decoded: string | undefined
}

export function keepPart(message: MessageFacts, part: PartAtWork | undefined): void {
  if (part === undefined) message.extra.delete(KEY)
  else message.extra.set(KEY, part)
}

export function partOf(message: Pick<MessageFacts, 'extra'> | undefined): PartAtWork | undefined {
  // Only `keepPart` writes there.
  return message?.extra.get(KEY) as PartAtWork | undefined
}

/** Bytes of the part as they came. */
export function rawPart({ path, part }: PartAtWork): AsyncGenerator<Uint8Array> {
  return readStretch(path, part.start, part.end)
}

/** Decodes the part into a file and tells of it in variables. Rejects when the disk refuses. */
export async function decodePart(at: PartAtWork, target: string, context: Context): Promise<void> {
  const copy = scanCopyOf(context.message)
  if (copy === undefined) throw new Error('there is no message to decode a part of')
  const decoder = makeDecoder(at.part.fields.encoding)
  async function* decoded(): AsyncGenerator<Uint8Array> {
    for await (const piece of rawPart(at)) yield decoder.push(piece)
    yield decoder.end()
  }
  const size = await copy.write(target, decoded())
  at.decoded = target
  const { variables } = context
  variables.set('mime_decoded_filename', target)
  // Full kilobytes, rounded up.
  variables.set('mime_content_size', String(Math.ceil(size / 1024)))
  if (decoder.anomaly !== undefined) {
    variables.set('mime_anomaly_level', String(decoder.anomaly.level))
    variables.set('mime_anomaly_text', decoder.anomaly.text)
  }
}

const outside = [
  'boundary',
  'charset',
  'content_description',
  'content_disposition',
  'content_id',
  'content_transfer_encoding',
  'content_type',
  'filename',
] as const

/** Variables of one part. `count`: its number, from 0. */
export function setPartVariables(part: MimePart, count: number, isWithin: boolean, context: Context): void {
  const { variables } = context
  const { fields } = part
  const values: Record<(typeof outside)[number], ByteString> = {
    boundary: fields.boundary,
    charset: fields.charset,
    content_description: fields.description,
    content_disposition: fields.disposition,
    content_id: fields.id,
    content_transfer_encoding: fields.encoding,
    content_type: fields.type,
    filename: fields.filename,
  }
  for (const name of outside) variables.set(`mime_${name}`, taint(values[name], `$mime_${name}`))
  variables.set('mime_anomaly_level', '0')
  variables.set('mime_anomaly_text', '')
  variables.set('mime_content_size', '0')
  variables.set('mime_decoded_filename', '')
  variables.set('mime_is_coverletter', part.isCoverletter ? '1' : '0')
  variables.set('mime_is_multipart', fields.isMultipart ? '1' : '0')
  variables.set('mime_is_rfc822', isWithin ? '1' : '0')
  variables.set('mime_part_count', String(count))
}

/** Before the first part and after the last one: only the count stays. */
export function clearPartVariables(count: number, { variables }: Context): void {
  for (const name of outside) variables.set(`mime_${name}`, '')
  for (const name of ['anomaly_text', 'decoded_filename']) variables.set(`mime_${name}`, '')
  for (const name of ['anomaly_level', 'content_size', 'is_coverletter', 'is_multipart', 'is_rfc822'])
    variables.set(`mime_${name}`, '0')
  variables.set('mime_part_count', String(count))
}

/** Nothing of the message before is left: Exim manual says these are of one message. */
export function clearScanVariables(context: Context): void {
  clearPartVariables(-1, context)
  for (const name of ['malware_name', 'av_failed', 'regex_match_string', 'callout_address'])
    context.variables.delete(name)
  for (let i = 1; i <= 9; i++) context.variables.delete(`regex${i}`)
}
