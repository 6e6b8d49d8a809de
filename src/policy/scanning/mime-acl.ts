/**
 * Runs an ACL for each MIME part of a message, then for the parts of messages within it, and so on.
 * Source: Exim manual, "Scanning MIME parts".
 */
import { makeDecoder, isEncoded } from '../../mail/mime/decode.ts'
import { type MimePart, type MimeProblem, MimeWalker, mimeLimits } from '../../mail/mime/walker.ts'
import type { AclResult, Context } from '../../ports.ts'
import { clearPartVariables, keepPart, type PartAtWork, rawPart, setPartVariables } from './mime-part.ts'
import { readStretch, removeFile, scanCopyOf, type ScanCopy } from './scan-copy.ts'

/** Messages within messages: deeper ones are refused. */
const deepestMessage = 20
/** Other sessions are served after so many parts. */
const partsAtOnce = 8
const bytesAtOnce = 4096
const partsBetweenPauses = 500

/** A message, or one that is a part of it. */
interface Stretch {
  readonly path: string
  readonly start: number
  readonly end: number
  readonly depth: number
  /** The file is ours alone and goes when it has been looked at. */
  readonly temporary: boolean
}

/**
 * @param runAcl asks the ACL about the part that the variables describe; undefined: it is not set
 * @returns the first result that is not "accept"; undefined when every part was accepted
 */
export async function runMimeAcl(
  context: Context,
  runAcl: () => Promise<AclResult | undefined>,
): Promise<AclResult | undefined> {
  const { message } = context
  const copy = scanCopyOf(message)
  if (message === undefined || copy === undefined) return undefined
  const hasType = message.headers.some(
    ({ type, text }) => type !== '*' && /^content-type[ \t]*:/i.test(text.slice(0, 200)),
  )
  if (!hasType) return undefined
  let count = -1
  let total = 0
  try {
    const file = await copy.file()
    const waiting: Stretch[] = [{ path: file.path, start: 0, end: file.size, depth: 0, temporary: false }]
    for (let stretch = waiting.shift(); stretch !== undefined; stretch = waiting.shift()) {
      const walked = await walk(stretch)
      if ('problem' in walked) return refusal(walked.problem)
      total += walked.parts.length
      if (total > mimeLimits.parts) return refusal('too many MIME parts')
      if (stretch.depth === 0) count = walked.parts.length - 1
      for (const [number, part] of walked.parts.entries()) {
        if (number % partsAtOnce === partsAtOnce - 1) await pause()
        const at: PartAtWork = { path: stretch.path, part, decoded: undefined }
        setPartVariables(part, number, stretch.depth > 0, context)
        keepPart(message, at)
        const result = await runAcl()
        if (result !== undefined && result.verdict !== 'accept') return result
        if (!part.isMessage) continue
        if (stretch.depth >= deepestMessage) return refusal('MIME parts nested too deep')
        waiting.push(await within(at, stretch.depth + 1, copy))
      }
      if (stretch.temporary) await removeFile(stretch.path)
    }
    return undefined
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    context.ports.log.panic(message.id, `mime acl: ${error.message}`)
    return { verdict: 'error', userMessage: undefined, logMessage: undefined }
  } finally {
    keepPart(message, undefined)
    clearPartVariables(count, context)
  }
}

async function walk({
  path,
  start,
  end,
}: Stretch): Promise<{ readonly parts: readonly MimePart[] } | { readonly problem: MimeProblem }> {
  const walker = new MimeWalker(start)
  let parts = 0
  for await (const piece of readStretch(path, start, end)) {
    for (let at = 0; at < piece.length; at += bytesAtOnce) {
      walker.push(piece.subarray(at, at + bytesAtOnce))
      // A thousand tiny parts in so few bytes are a few milliseconds of work.
      if (walker.parts.length - parts > partsBetweenPauses) {
        parts = walker.parts.length
        await pause()
      }
    }
    if (walker.problem !== undefined) break
  }
  walker.finish()
  return walker.problem === undefined ? { parts: walker.parts } : { problem: walker.problem }
}

/** What cannot be looked at whole is not let pass. Differs from Exim, which has no limits. */
function refusal(problem: MimeProblem): AclResult {
  return { verdict: 'deny', userMessage: problem, logMessage: problem }
}

/** A message within, decoded into a file of its own where it is encoded. */
async function within(at: PartAtWork, depth: number, copy: ScanCopy): Promise<Stretch> {
  const { part, path } = at
  if (!isEncoded(part.fields.encoding)) {
    return { path, start: part.start, end: part.end, depth, temporary: false }
  }
  const decoder = makeDecoder(part.fields.encoding)
  const name = copy.hiddenName()
  async function* decoded(): AsyncGenerator<Uint8Array> {
    for await (const piece of rawPart(at)) yield decoder.push(piece)
    yield decoder.end()
  }
  return { path: name, start: 0, end: await copy.write(name, decoded()), depth, temporary: true }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
