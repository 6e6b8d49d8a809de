/**
 * `postern ocsp-fetch`: fetches a proof for a certificate, with the switches of the helper script of 2014.
 * Requirements O9 and O10.
 */
import { X509Certificate } from 'node:crypto'
import { encodeUtf8 } from '../../../base/text.ts'
import { createResolver } from '../../../wire/dns/index.ts'
import { issuerAmong, readFile } from '../../../wire/tls/certificate-files.ts'
import { fetchProof, responderUrl } from '../../../wire/tls/ocsp/fetch.ts'
import { dueAt, nextFetch, writeProof } from '../../../wire/tls/ocsp/proof-file.ts'
import { pemBlocks } from '../../../wire/tls/ocsp/staple-file.ts'
import { waiting } from '../progress.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern ocsp-fetch -c CERT -o FILE [-i ISSUER] [-a CHAIN] [-u URL] [-m PERCENT] [-v] [-f] [--watch]
  -c CERT      the certificate, its chain may follow in the file
  -o FILE      where the proof goes (DER); its time of modification becomes the time of the next fetch
  -i ISSUER    the certificate of the issuer; left out: from the chain
  -a CHAIN     authorities: the issuer must be one of them or descend from one
  -u URL       the responder; left out: the one that the certificate names
  -m PERCENT   fetches again when this much of the time is left (10)
  -f           fetches even when it is not yet time
  -v           tells what is done
  --watch      stays, and fetches whenever it is time
`

interface Options {
  readonly certificate: string
  readonly out: string
  readonly issuer: string | undefined
  readonly chain: string | undefined
  readonly url: string | undefined
  readonly margin: number
  readonly verbose: boolean
  readonly force: boolean
  readonly watch: boolean
}

type Outcome =
  | { readonly is: 'fetched' | 'not due' | 'no url'; readonly next: number }
  | { readonly is: 'failed'; readonly why: string }

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(`postern ocsp-fetch: ${options}\n${usage}`)
    return 2
  }
  if (options.watch) return watch(options, terminal)
  const shown = waiting(terminal, 'asking the responder')
  const outcome = await once(options, terminal, options.force).finally(() => shown.end())
  if (outcome.is !== 'failed') return 0
  terminal.err(encodeUtf8(`postern ocsp-fetch: ${outcome.why}\n`))
  return 1
}

const firstRetryMs = 60_000
const longestRetryMs = 3_600_000
const longestSleepMs = 86_400_000

/** Until a signal ends it; a failure is tried again, later each time. */
async function watch(options: Options, terminal: Terminal): Promise<number> {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  let retryMs = firstRetryMs
  let last = ''
  let force = options.force
  while (!stop.signal.aborted) {
    const outcome = await once(options, terminal, force, stop.signal)
    force = false
    let waitMs: number
    if (outcome.is === 'failed') {
      if (outcome.why !== last) terminal.err(encodeUtf8(`postern ocsp-fetch: ${outcome.why}\n`))
      last = outcome.why
      waitMs = retryMs
      retryMs = Math.min(retryMs * 2, longestRetryMs)
    } else {
      last = ''
      retryMs = firstRetryMs
      waitMs = Math.max(outcome.next - Date.now(), 1000)
    }
    await sleep(Math.min(waitMs, longestSleepMs), stop.signal)
  }
  return 0
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

async function once(
  options: Options,
  terminal: Terminal,
  force: boolean,
  signal?: AbortSignal,
): Promise<Outcome> {
  const tell = (line: string): void => {
    if (options.verbose) terminal.out(encodeUtf8(`${line}\n`))
  }
  const due = await dueAt(options.out)
  if (due !== undefined && due > Date.now() && !force) {
    tell(`${options.out}: not due before ${new Date(due).toISOString()}`)
    return { is: 'not due', next: due }
  }
  const read = readCertificates(options)
  if ('why' in read) return read
  const url = options.url ?? responderUrl(read.leaf)
  if (url === undefined) {
    // Authorities that ended their responders leave it out: nothing to do, and no alarm each day.
    tell(`${options.certificate} names no OCSP responder: nothing to fetch`)
    return { is: 'no url', next: Date.now() + longestSleepMs }
  }
  tell(`asking ${url}`)
  const resolver = createResolver({ environment: process.env })
  const result = await fetchProof({
    ...read,
    url,
    now: Date.now,
    async addresses(host) {
      const found = await resolver.hostAddresses(host)
      return found.is === 'found' ? found.addresses : []
    },
    signal,
  })
  if (result.is === 'failed') {
    // The sentence of the helper of 2014, which scripts look for.
    const status = result.status === undefined ? '' : `OCSP status is ${result.status}`
    return {
      is: 'failed',
      why: status === '' || result.why === status ? result.why : `${status}: ${result.why}`,
    }
  }
  const { usableUntil, nextUpdate, signerEndsFirst } = result.verdict
  const next = nextFetch(Date.now(), usableUntil.getTime(), options.margin)
  const problem = await writeProof(options.out, result.proof, next)
  if (problem !== undefined) return { is: 'failed', why: problem }
  if (signerEndsFirst) {
    terminal.err(
      `postern ocsp-fetch: the signer's certificate ends at ${usableUntil.toISOString()}, before the proof (${nextUpdate.toISOString()}): it is used until then\n`,
    )
  }
  tell(
    `${options.out}: good until ${usableUntil.toISOString()}, next fetch at ${new Date(next).toISOString()}`,
  )
  return { is: 'fetched', next }
}

interface Certificates {
  readonly leaf: Buffer
  readonly issuer: Buffer
}

function readCertificates(options: Options): Certificates | { readonly is: 'failed'; readonly why: string } {
  const failed = (why: string) => ({ is: 'failed', why }) as const
  try {
    const [leaf, ...chain] = certificatesOf(options.certificate)
    if (leaf === undefined) return failed(`${options.certificate} holds no certificate`)
    const authorities = options.chain === undefined ? [] : certificatesOf(options.chain)
    const given = options.issuer === undefined ? [] : certificatesOf(options.issuer)
    const candidates = given.length > 0 ? given : [...chain, ...authorities]
    const issuer = issuerAmong(new X509Certificate(leaf), candidates)
    if (issuer === undefined) {
      return failed(
        given.length > 0
          ? `${options.issuer} did not issue the certificate`
          : 'the issuer of the certificate is not in its chain: name it with -i',
      )
    }
    if (options.chain !== undefined && !descends(issuer, authorities, [...chain, ...given, ...authorities])) {
      return failed(`the issuer of the certificate does not descend from the authorities in ${options.chain}`)
    }
    return { leaf, issuer }
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error))
  }
}

/** From the issuer up to one of the authorities. */
function descends(issuer: Buffer, authorities: readonly Buffer[], known: readonly Buffer[]): boolean {
  let current: Buffer | undefined = issuer
  for (let depth = 0; depth < 10 && current !== undefined; depth++) {
    const here: Buffer = current
    if (authorities.some((each) => each.equals(here))) return true
    current = issuerAmong(
      new X509Certificate(here),
      known.filter((each) => !each.equals(here)),
    )
  }
  return false
}

function certificatesOf(path: string): Buffer[] {
  const bytes = readFile(path)
  const found = pemBlocks(bytes, 'CERTIFICATE')
  return found.length === 0 && bytes[0] === 0x30 ? [bytes] : found
}

function readOptions(words: readonly string[]): Options | string {
  const read = readWords({
    args: [...words],
    allowPositionals: true,
    options: {
      certificate: { type: 'string', short: 'c' },
      issuer: { type: 'string', short: 'i' },
      authorities: { type: 'string', short: 'a' },
      url: { type: 'string', short: 'u' },
      out: { type: 'string', short: 'o' },
      margin: { type: 'string', short: 'm', default: '10' },
      verbose: { type: 'boolean', short: 'v', default: false },
      force: { type: 'boolean', short: 'f', default: false },
      watch: { type: 'boolean', default: false },
    },
  })
  if ('wrong' in read) return read.wrong
  const { values, positionals } = read
  if (positionals.length > 0) return `what is "${positionals[0]}"?`
  if (values.certificate === undefined || values.out === undefined) return '-c and -o are needed'
  const margin = Number(values.margin)
  if (!(margin >= 0 && margin < 100)) return `-m ${values.margin}: a percentage from 0 to below 100`
  return {
    certificate: values.certificate,
    out: values.out,
    issuer: values.issuer,
    chain: values.authorities,
    url: values.url,
    margin,
    verbose: values.verbose,
    force: values.force,
    watch: values.watch,
  }
}
