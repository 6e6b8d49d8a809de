/** Reads a message from the records that the index names. */
import type { Envelope } from '../../mail/envelope.ts'
import { bodyFileProblem } from './disk.ts'
import type { IndexEntry } from './queue-index.ts'
import type { RecordView } from './record.ts'
import type { SegmentReader } from './segment-reader.ts'
import { type MessageJson, StoredMessage, updateEnvelope } from './stored-message.ts'
import type { MessageUpdate } from './api.ts'

/** The message, or why it cannot be read. */
export async function loadMessage(
  directory: string,
  reader: SegmentReader,
  id: string,
  entry: IndexEntry,
): Promise<StoredMessage | string> {
  let envelope: Envelope | undefined
  let body: Buffer | undefined
  for (const part of entry.parts) {
    const record = await reader.read(part)
    if (typeof record === 'string') return `its record in segment ${part.segment} is ${record}`
    if (record.id !== id) return `segment ${part.segment} holds another message in its place`
    if (record.type === 'message') {
      envelope = parseMessage(record).envelope
      body = record.body
    } else if (envelope !== undefined) {
      envelope = envelopeAfter(envelope, record)
    }
  }
  if (envelope === undefined || body === undefined) return 'it has no message record'
  if (entry.bodyFile === '') return new StoredMessage(id, envelope, { is: 'memory', bytes: body })
  const path = `${directory}/bodies/${entry.bodyFile}`
  const problem = bodyFileProblem(path, entry.bodySize)
  if (problem !== undefined) return `its body file ${entry.bodyFile} ${problem}`
  return new StoredMessage(id, envelope, { is: 'file', path, size: entry.bodySize })
}

/** The JSON of a message record. Its CRC was right, so it is what this program wrote. */
export function parseMessage(record: Pick<RecordView, 'json'>): MessageJson {
  return JSON.parse(record.json.toString('utf8')) as MessageJson
}

/** The envelope after a later record. */
export function envelopeAfter(
  envelope: Envelope,
  record: { readonly type: RecordView['type']; readonly json: Buffer | string },
): Envelope {
  // As above: the CRC vouches for the shape.
  const json: unknown = JSON.parse(record.json.toString('utf8'))
  if (record.type === 'update') return json as Envelope
  return record.type === 'mark' ? updateEnvelope(envelope, json as MessageUpdate) : envelope
}
