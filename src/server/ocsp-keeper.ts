/**
 * `tls_ocsp_fetch`: keeps the proofs of our certificates fresh, ahead of time, in the daemon. A certificate is known
 * from the options at start, or from the first connection that was shown it (where the options go by the name that
 * clients ask for). Certificates that name no responder are passed over in silence.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { fetchProof, type FetchRequest, responderUrl } from '../wire/tls/ocsp/fetch.ts'
import { dueAt, makeProofFolder, nextFetch, writeProof } from '../wire/tls/ocsp/proof-file.ts'

export interface OcspKeeperOptions {
  /** Where proofs go whose certificate has no file in `tls_ocsp_file`. */
  folder(): string
  readonly now: () => number
  readonly log: (line: string) => void
  readonly addresses: FetchRequest['addresses']
  /** Number of this worker of the daemon, from 0. */
  readonly worker: number
  /** Whether fetching is wanted now: a reload may have ended it. */
  wanted(): boolean
}

export interface OcspKeeper {
  /**
   * Makes a certificate known, and tells where its proof is kept. `file`: from `tls_ocsp_file`; undefined: a file of
   * our own, if the certificate names a responder. The issuer must be known to ask about it.
   */
  know(leaf: Buffer, issuer: Buffer | undefined, file: string | undefined): string | undefined
  close(): void
}

interface Kept {
  readonly leaf: Buffer
  readonly issuer: Buffer
  readonly file: string
  readonly url: string
  timer: NodeJS.Timeout | undefined
  retryMs: number
  lastFailure: string
}

const mostCertificates = 2000
const marginPercent = 30
const firstRetryMs = 60_000
const longestRetryMs = 3_600_000
const longestSleepMs = 12 * 3_600_000
const afterEachWorkerMs = 5000

export function createOcspKeeper(options: OcspKeeperOptions): OcspKeeper {
  const { now, log } = options
  const kept = new Map<string, Kept>()
  const stop = new AbortController()

  async function refresh(each: Kept): Promise<void> {
    if (stop.signal.aborted || !options.wanted()) return
    const due = await dueAt(each.file)
    // Another process, or a script, may have been quicker.
    if (due !== undefined && due > now()) return again(each, due - now())
    const { leaf, issuer, url, file } = each
    const result = await fetchProof({
      leaf,
      issuer,
      url,
      now,
      addresses: options.addresses,
      signal: stop.signal,
    })
    if (stop.signal.aborted) return
    if (result.is === 'failed') return failed(each, result.why)
    const { usableUntil, nextUpdate, signerEndsFirst } = result.verdict
    const next = nextFetch(now(), usableUntil.getTime(), marginPercent)
    await makeProofFolder(file).catch(() => {})
    const problem = await writeProof(file, result.proof, next)
    if (problem !== undefined) return failed(each, problem)
    each.retryMs = firstRetryMs
    each.lastFailure = ''
    log(`OCSP proof of ${nameOf(leaf)} fetched from ${url}: good until ${usableUntil.toISOString()}`)
    if (signerEndsFirst) {
      log(
        `OCSP proof of ${nameOf(leaf)}: its signer's certificate ends at ${usableUntil.toISOString()}, before the proof (${nextUpdate.toISOString()})`,
      )
    }
    again(each, next - now())
  }

  function failed(each: Kept, why: string): void {
    if (why !== each.lastFailure)
      log(`OCSP proof of ${nameOf(each.leaf)} cannot be fetched, trying again later: ${why}`)
    each.lastFailure = why
    again(each, each.retryMs)
    each.retryMs = Math.min(each.retryMs * 2, longestRetryMs)
  }

  function again(each: Kept, ms: number): void {
    if (stop.signal.aborted) return
    each.timer = setTimeout(() => start(each), Math.min(Math.max(ms, 1000), longestSleepMs))
    each.timer.unref()
  }

  function start(each: Kept): void {
    refresh(each).catch((error: unknown) => failed(each, String(error)))
  }

  return {
    know(leaf, issuer, file) {
      const digest = createHash('sha256').update(leaf).digest('hex')
      const path = file ?? `${options.folder()}/${digest}.der`
      const key = `${digest} ${path}`
      if (kept.has(key)) return path
      const url = responderUrl(leaf)
      if (url === undefined) return file
      if (issuer === undefined || kept.size >= mostCertificates) return path
      const fresh: Kept = {
        leaf,
        issuer,
        file: path,
        url,
        timer: undefined,
        retryMs: firstRetryMs,
        lastFailure: '',
      }
      // One file has one certificate: a renewed one takes the place of the old.
      for (const [other, { file: taken, timer }] of kept) {
        if (taken !== path) continue
        clearTimeout(timer)
        kept.delete(other)
      }
      kept.set(key, fresh)
      // The first worker fetches; the others see what it has put there.
      if (options.worker === 0) start(fresh)
      else {
        fresh.timer = setTimeout(() => start(fresh), options.worker * afterEachWorkerMs)
        fresh.timer.unref()
      }
      return path
    },
    close() {
      stop.abort()
      for (const { timer } of kept.values()) clearTimeout(timer)
    },
  }
}

function nameOf(leaf: Buffer): string {
  const subject = new X509Certificate(leaf).subject ?? ''
  return Buffer.from(/(?:^|\n)CN=(.*)/.exec(subject)?.[1] ?? subject.replaceAll('\n', '/'), 'utf8').toString(
    'latin1',
  )
}
