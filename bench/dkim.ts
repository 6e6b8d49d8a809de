/**
 * SPF, DKIM and DMARC of a 4 KB message, signed with a key of 2048 bits, beside the package mailauth in the same process and beside
 * rspamd where it can be had; signing; and the memory that checking 50 MB takes. The DNS answers from memory, to rspamd over loopback.
 */
import { createRequire } from 'node:module'
import { rsaKey, signOddly, txtDns, usual, wireParts } from '../test/support/dkim-world.ts'
import { parseIp } from '../src/base/ip.ts'
import { splitHeaders } from '../src/mail/header.ts'
import { authorOf } from '../src/policy/msgauth/dmarc/author.ts'
import { evaluate } from '../src/policy/msgauth/dmarc/evaluate.ts'
import { BodyHashes } from '../src/policy/msgauth/dkim/body-hash.ts'
import { signHeaders } from '../src/policy/msgauth/dkim/default-headers.ts'
import { HeaderSet } from '../src/policy/msgauth/dkim/headers.ts'
import { beginSigning, finishSigning } from '../src/policy/msgauth/dkim/sign.ts'
import { DkimVerifier } from '../src/policy/msgauth/dkim/verifier.ts'
import { checkHost } from '../src/policy/msgauth/spf/check-host.ts'
import { startDnsServer } from '../test/support/dns-server.ts'
import { startRspamd } from '../test/support/scanners.ts'
import { temporaryFolder } from '../test/support/server.ts'
import type { Figure } from './run.ts'

const key = rsaKey(2048)
const zone = {
  'sel._domainkey.example.test': `v=DKIM1; k=rsa; p=${key.data}`,
  'example.test': 'v=spf1 ip4:192.0.2.0/24 -all',
  '_dmarc.example.test': 'v=DMARC1; p=reject',
}
const dns = txtDns(zone)
const line = 'Some words of a message, as long as lines are when people write them.\r\n'

function messageOf(bytes: number): string {
  return signOddly(
    `From: A <a@example.test>\r\nTo: b@here.test\r\nSubject: hello\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n${line.repeat(Math.ceil(bytes / line.length))}`,
    key,
  )
}

/** Header section and body as reception has them. */
interface Parts {
  readonly head: string
  readonly body: Buffer
}

async function verifyDkim({ head, body }: Parts): Promise<boolean> {
  const hashes = new BodyHashes()
  const headers = new HeaderSet(splitHeaders(head).map(({ text }) => text))
  const verifier = new DkimVerifier(headers, hashes, usual, Date.now())
  for (let from = 0; from < body.length; from += 65_536) hashes.push(body.subarray(from, from + 65_536))
  hashes.finish()
  return (await verifier.finish(dns)).signatures[0]?.status === 'pass'
}

async function verifyAll(parts: Parts): Promise<boolean> {
  const spf = await checkHost(
    {
      ip: parseIp('192.0.2.7') ?? { version: 4, bytes: new Uint8Array(4) },
      domain: 'example.test',
      sender: 'a@example.test',
      helo: 'mail.test',
      receiver: 'mx.test',
      now: 0,
    },
    dns.dns as Parameters<typeof checkHost>[1],
  )
  const dkim = await verifyDkim(parts)
  const author = authorOf(splitHeaders(parts.head))
  if (!('domain' in author)) return false
  const found = await evaluate(
    author.domain,
    {
      spf: { domain: 'example.test', result: spf.result, identity: 'mfrom' },
      dkim: [{ domain: 'example.test', selector: 'sel', identity: '', result: dkim ? 'pass' : 'fail' }],
    },
    { dns: dns.dns as Parameters<typeof checkHost>[1], random: () => 0 },
  )
  return spf.result === 'pass' && found.result === 'pass'
}

interface Mailauth {
  readonly dkim: (
    message: string,
    options: object,
  ) => Promise<{ readonly results: readonly { readonly status: { readonly result: string } }[] }>
  readonly spf: (options: object) => Promise<{ readonly status: { readonly result: string } }>
  readonly dmarc: (options: object) => Promise<{ readonly status: { readonly result: string } } | false>
}

/** Its main entry wants a newer Node; the parts do not. */
function mailauth(): Mailauth | undefined {
  const require = createRequire(import.meta.url)
  try {
    // The package brings these functions: its own type files say so.
    const { dkimVerify } = require('mailauth/lib/dkim/verify') as { dkimVerify: Mailauth['dkim'] }
    const { spf } = require('mailauth/lib/spf') as { spf: Mailauth['spf'] }
    const { dmarc } = require('mailauth/lib/dmarc') as { dmarc: Mailauth['dmarc'] }
    return { dkim: dkimVerify, spf, dmarc }
  } catch {
    return undefined
  }
}

const resolver = (name: string, type: string): Promise<string[][]> => {
  const text = Object.entries(zone).find(([known]) => known === name)?.[1]
  if (text !== undefined && type === 'TXT') return Promise.resolve([[text]])
  return Promise.reject(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }))
}

/** Microseconds for one round, the best of three. */
async function measure(rounds: number, work: () => Promise<boolean>): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 3; turn++) {
    const before = performance.now()
    for (let i = 0; i < rounds; i++) if (!(await work())) throw new Error('a check did not pass')
    best = Math.min(best, ((performance.now() - before) * 1000) / rounds)
  }
  return best
}

export async function run(): Promise<Figure[]> {
  const figures: Figure[] = []
  const add = (name: string, value: number, unit: string): number => {
    figures.push({ name, value, unit })
    return value
  }
  const small = messageOf(4096)
  const parts = wireParts(small)
  await measure(200, () => verifyAll(parts))
  const ours = add('SPF, DKIM and DMARC of 4 KB', await measure(1000, () => verifyAll(parts)), 'us')
  add('DKIM of 4 KB', await measure(1000, () => verifyDkim(parts)), 'us')
  const theirs = mailauth()
  if (theirs !== undefined) {
    const options = { ip: '192.0.2.7', sender: 'a@example.test', helo: 'mail.test', mta: 'mx.test', resolver }
    const both = async (): Promise<boolean> => {
      const spf = await theirs.spf(options)
      const dkim = await theirs.dkim(small, options)
      const dmarc = await theirs.dmarc({
        headerFrom: ['example.test'],
        spfDomains: ['example.test'],
        dkimDomains: [{ id: '1', domain: 'example.test' }],
        resolver,
      })
      const passed = spf.status.result === 'pass' && dkim.results[0]?.status.result === 'pass'
      return passed && dmarc !== false && dmarc.status.result === 'pass'
    }
    await measure(50, both)
    const other = add('the same by mailauth', await measure(300, both), 'us')
    add('times as fast as mailauth', other / ours, 'x')
  }
  const rspamd = await measureRspamd(small)
  if (rspamd !== undefined) add('the same by rspamd, one process, over HTTP', rspamd, 'us')
  const wish = {
    domain: 'example.test',
    selector: 'sel',
    key: key.privateKey,
    hash: 'sha256',
    canonicalisation: 'relaxed',
    identity: undefined,
    times: undefined,
    headers: signHeaders.split(':'),
  } as const
  const signed = await measure(300, () => {
    const hashes = new BodyHashes()
    const begun = beginSigning(wish, hashes)
    hashes.push(parts.body)
    hashes.finish()
    const headers = new HeaderSet(splitHeaders(parts.head).map(({ text }) => text))
    return Promise.resolve(finishSigning(begun, headers) !== '')
  })
  add('sign 4 KB', signed, 'us')
  const large = wireParts(messageOf(5 * 1_048_576))
  add('DKIM of 5 MB', (await measure(5, () => verifyDkim(large))) / 1000, 'ms')
  memory(add)
  return figures
}

/** Several messages at a time, so that it never waits for us; undefined where it cannot be had. */
async function measureRspamd(message: string): Promise<number | undefined> {
  const folder = temporaryFolder('bench-rspamd')
  const server = await startDnsServer(
    Object.fromEntries(
      Object.entries(zone).map(([name, text]) => [
        `${name} TXT`,
        [{ type: 'TXT', data: text.match(/.{1,200}/g) ?? [] }],
      ]),
    ),
  )
  const started = await startRspamd(folder.path, server.port)
  try {
    if ('missing' in started) return undefined
    const checked = async (): Promise<boolean> => {
      const headers = { IP: '192.0.2.7', From: 'a@example.test', Helo: 'mail.test' }
      const url = `http://127.0.0.1:${started.port}/checkv2`
      const answer = await (await fetch(url, { method: 'POST', body: message, headers })).text()
      return ['R_SPF_ALLOW', 'R_DKIM_ALLOW', 'DMARC_POLICY_ALLOW'].every((word) => answer.includes(word))
    }
    const eight = async (): Promise<boolean> =>
      (await Promise.all(Array.from({ length: 8 }, checked))).every(Boolean)
    await measure(5, eight)
    return (await measure(20, eight)) / 8
  } finally {
    if (!('missing' in started)) await started.stop()
    await server.close()
    folder.remove()
  }
}

/** 50 MB go through in pieces of 64 KB that are made anew each time, as a socket does. */
function memory(add: (name: string, value: number, unit: string) => number): void {
  const hashes = new BodyHashes()
  hashes.want('relaxed', 'sha256')
  hashes.want('simple', 'sha256', 1000)
  const before = process.memoryUsage().rss
  let longest = 0
  for (let i = 0; i < 800; i++) {
    const piece = Buffer.alloc(65_536, line.replace('\r', ''))
    const started = performance.now()
    hashes.push(piece)
    longest = Math.max(longest, performance.now() - started)
  }
  hashes.finish()
  add('growth of memory over 50 MB', (process.memoryUsage().rss - before) / 1_048_576, 'MB')
  add('longest of 800 pieces of 64 KB (other programs included)', longest, 'ms')
}
