/** What the headers of one MIME part say. Source: RFC 2045, RFC 2183; Exim manual, "Scanning MIME parts". */
import type { ByteString } from '../../base/text.ts'
import { normalized, type Parameters, readParameters } from './parameters.ts'

export interface MimeFields {
  readonly hasContentType: boolean
  /** Lower case, without parameters; empty when there is none. */
  readonly type: ByteString
  readonly isMultipart: boolean
  readonly charset: ByteString
  /** As `$mime_boundary` shows it. */
  readonly boundary: ByteString
  /** Every boundary that some reader may go by. */
  readonly boundaries: readonly ByteString[]
  readonly filename: ByteString
  readonly description: ByteString
  readonly disposition: ByteString
  readonly id: ByteString
  readonly encoding: ByteString
}

/** Headers that are kept of a part. */
export const mimeHeaderNames: ReadonlySet<string> = new Set([
  'content-description',
  'content-disposition',
  'content-id',
  'content-transfer-encoding',
  'content-type',
])

const none: Parameters = new Map()

/** @param headers name in lower case and unfolded value, in order; of several with one name the last counts */
export function readMimeFields(headers: readonly (readonly [string, ByteString])[]): MimeFields {
  return headers.length === 0 ? saidNothing : read(headers)
}

function read(headers: readonly (readonly [string, ByteString])[]): MimeFields {
  const last = (name: string): ByteString => headers.findLast((header) => header[0] === name)?.[1] ?? ''
  const types = headers.filter((header) => header[0] === 'content-type')
  const typeParameters = types.map(([, value]) => readParameters(value))
  const inType = typeParameters.at(-1) ?? none
  const disposition = last('content-disposition')
  const inDisposition = disposition === '' ? none : readParameters(disposition)
  const value = (name: string): ByteString =>
    inType.get(name)?.at(-1) ?? inDisposition.get(name)?.at(-1) ?? ''
  const boundaries = typeParameters
    .flatMap((each) => each.get('boundary') ?? [])
    // White space at the end is no part of it, but some write it: RFC 2046 section 5.1.1.
    .flatMap((each) => [each, each.trimEnd()])
    .filter((each) => each !== '')
  return {
    hasContentType: types.length > 0,
    type: normalized(last('content-type')),
    isMultipart: types.some(([, each]) => normalized(each).startsWith('multipart/')),
    charset: value('charset'),
    boundary: value('boundary'),
    boundaries: [...new Set(boundaries)],
    filename: filenameOf(inDisposition, inType),
    description: normalized(last('content-description')),
    disposition: normalized(disposition),
    id: normalized(last('content-id')),
    encoding: normalized(last('content-transfer-encoding')),
  }
}

/** The name under which an attachment would be saved: Content-Disposition: before Content-Type:. RFC 2183 section 2.3. */
function filenameOf(inDisposition: Parameters, inType: Parameters): ByteString {
  for (const parameters of [inDisposition, inType]) {
    for (const name of ['filename', 'name']) {
      const value = parameters.get(name)?.findLast((each) => each !== '')
      if (value !== undefined) return value
    }
  }
  return ''
}

/** Thousands of parts may have no headers at all. */
const saidNothing: MimeFields = read([])
