/**
 * Proofs to be stapled: read when their file has changed, verified as a client would, served while they are good.
 * A door: it reads the files. Source: requirements O1 to O5, O8; Exim manual, "Revoked certificates".
 */
import { promises as fs } from 'node:fs'
import { createHash } from 'node:crypto'
import { readStapleFile, type StapleContent, type StapleFile } from './staple-file.ts'
import { type OcspVerdict, verifyOcsp } from './verify.ts'

export interface Staples {
  /**
   * The proof for a certificate, or undefined when there is none to give. Files are looked at for each connection;
   * what is wrong with one is told once for each time it changes.
   */
  proof(file: StapleFile, leaf: Buffer, issuer: Buffer | undefined): Promise<Buffer | undefined>
}

export interface StaplesOptions {
  readonly now: () => number
  readonly log: (line: string) => void
}

interface Judged {
  readonly verdict: OcspVerdict
  readonly response: Buffer
}

interface Kept {
  readonly stamp: string
  readonly content: StapleContent | { readonly problem: string }
  /** By the certificate it was judged for. */
  readonly judged: Map<string, Promise<Judged | undefined>>
  told: boolean
  toldExpiry: boolean
}

const mostFiles = 200
const mostJudged = 20
/** A proof has one to a few kilobytes. */
const largestBytes = 256 * 1024

export function createStaples({ now, log }: StaplesOptions): Staples {
  const kept = new Map<string, Kept>()

  async function current({ path, format }: StapleFile): Promise<Kept> {
    const key = `${format} ${path}`
    const stamp = await stampOf(path)
    const known = kept.get(key)
    if (known?.stamp === stamp) return known
    const fresh: Kept = {
      stamp,
      content: await contentOf(path, format, stamp),
      judged: new Map(),
      told: false,
      toldExpiry: false,
    }
    kept.delete(key)
    kept.set(key, fresh)
    for (const oldest of kept.keys()) {
      if (kept.size <= mostFiles) break
      kept.delete(oldest)
    }
    return fresh
  }

  function tell(file: Kept, path: string, why: string): void {
    if (file.told) return
    file.told = true
    log(`OCSP proof ${path} is not served: ${why}`)
  }

  return {
    async proof(file, leaf, issuer) {
      const { path } = file
      const found = await current(file)
      const { content } = found
      if ('problem' in content) {
        if (file.ours !== true || !found.stamp.startsWith('missing')) tell(found, path, content.problem)
        return undefined
      }
      if (issuer === undefined) {
        tell(
          found,
          path,
          "the issuer of the certificate is not known; add its certificate to the certificate's file",
        )
        return undefined
      }
      const key = createHash('sha256').update(leaf).update(issuer).digest('base64')
      let judging = found.judged.get(key)
      if (judging === undefined) {
        if (found.judged.size >= mostJudged) found.judged.clear()
        judging = judge(content, leaf, issuer, now())
        found.judged.set(key, judging)
      }
      const judged = await judging
      if (judged === undefined) return undefined
      const { verdict, response } = judged
      if (verdict.is === 'bad') {
        tell(found, path, verdict.why)
        // A clock that was behind, or a proof for tomorrow: looked at again at the next connection.
        if (verdict.problem === 'not-yet-valid') found.judged.delete(key)
        return undefined
      }
      if (verdict.signerNotEmbedded) {
        tell(found, path, 'clients cannot verify it: signer certificate not embedded in the OCSP response')
        return undefined
      }
      // No tolerance here: a client may have none either.
      if (verdict.usableUntil.getTime() <= now()) {
        if (!found.toldExpiry) {
          found.toldExpiry = true
          const what = verdict.signerEndsFirst ? "its signer's certificate ended" : 'it has expired'
          log(`OCSP proof ${path} is not served: ${what} at ${verdict.usableUntil.toISOString()}`)
        }
        return undefined
      }
      return response
    },
  }
}

/** The first response of the file that is good for the certificate, or the last that is not. */
async function judge(
  { responses, certificates }: StapleContent,
  leaf: Buffer,
  issuer: Buffer,
  now: number,
): Promise<Judged | undefined> {
  let last: Judged | undefined
  for (const response of responses) {
    last = { response, verdict: await verifyOcsp({ response, leaf, issuer, extra: certificates, now }) }
    if (last.verdict.is === 'good') break
  }
  return last
}

/** Changed when the file was replaced, written to, or became readable (the time of change tells). */
async function stampOf(path: string): Promise<string> {
  try {
    const { ino, mtimeMs, ctimeMs, size } = await fs.stat(path)
    return `${ino} ${mtimeMs} ${ctimeMs} ${size}`
  } catch (error) {
    return `missing: ${error instanceof Error && 'code' in error ? String(error.code) : ''}`
  }
}

async function contentOf(
  path: string,
  format: StapleFile['format'],
  stamp: string,
): Promise<Kept['content']> {
  if (stamp.startsWith('missing')) return { problem: 'it cannot be read' }
  try {
    const file = await fs.open(path)
    try {
      const { size } = await file.stat()
      if (size > largestBytes) return { problem: 'it is larger than an OCSP response can be' }
      return readStapleFile(await file.readFile(), format)
    } finally {
      await file.close()
    }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}
