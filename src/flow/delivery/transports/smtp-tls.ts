/**
 * TLS of outgoing connections: what the options, DANE and MTA-STS ask for at one host, and the step from the plain
 * connection to the encrypted one. Source: Exim manual, "Configuring an Exim client to use TLS"; RFC 3207.
 */
import { noTlsFacts } from '../../../wire/tls/facts.ts'
import { createHash } from 'node:crypto'
import { after, type Awaitable, Failure } from '../../../base/outcome.ts'
import { Recent } from '../../../base/recent.ts'
import { type ByteString, isTainted, taint, textOf } from '../../../base/text.ts'
import type { Context, TlsFacts } from '../../../ports.ts'
import type { Broken, SmtpClient } from '../../../wire/smtp/client.ts'
import type { SmtpReply } from '../../../wire/smtp/client-reply.ts'
import { type ClientUpgrade, connectTls } from '../../../wire/tls/connect.ts'
import type { ContextSettings, TlsContexts } from '../../../wire/tls/contexts.ts'
import type { TlsResultType } from '../../../wire/tls/handshake.ts'
import type { TlsSessions } from '../../../wire/tls/sessions.ts'
import { expanded, hostListed, hostListedStrictly } from '../expanding.ts'
import { type DaneState, daneFor } from './smtp-dane.ts'
import type { Place } from './smtp-hosts.ts'
import { type StsState, stsFor } from './smtp-sts.ts'
import type { SmtpSettings } from './smtp.options.ts'

/** What TLS of all deliveries keeps. */
export interface TlsClientRoom {
  readonly contexts: TlsContexts
  readonly sessions: TlsSessions
}

/** Why a host cannot be used, in a sentence and, for TLS reports, in RFC 8460's word. */
export interface TlsProblem {
  readonly problem: string
  readonly result?: TlsResultType | undefined
}

/** What became of TLS on a connection, for the log and for TLS reports. */
export interface TlsSeen {
  /** Undefined: it did not come to that. */
  end?: 'encrypted' | 'clear' | 'failed'
  /** Why it is in clear, or failed, or not as good as a policy under test would have it. */
  failure?: { readonly why: string; readonly result: TlsResultType } | undefined
}

/** What is wanted of TLS at one host. */
export interface TlsWish {
  /** Not even when it is offered. */
  readonly avoid: boolean
  /** Without TLS nothing is sent. */
  readonly required: boolean
  /** `tls_tempfail_tryclear`: in clear where TLS cannot be started now. */
  readonly tryClear: boolean
  /** `protocol = smtps`. */
  readonly onConnect: boolean
  readonly upgrade: Omit<ClientUpgrade, 'onConnect' | 'timeoutMs'> | TlsProblem
  /** The host is not to be connected to at all. */
  readonly unusable: TlsProblem | undefined
  /** Connections made under different policies are not exchanged for each other. */
  readonly policyKey: string
  readonly dane: DaneState
  readonly sts: StsState
  /** Filled in by the session: what became of it. */
  readonly seen: TlsSeen
  /** The event `tls:cert`: a text refuses the certificate at this depth of the chain. */
  certificate?: (depth: number, certificate: Buffer, facts: TlsFacts) => Promise<ByteString | undefined>
  /** `host_name_extract`: which of several servers behind a balancer answered. */
  hostNameIn(ehlo: ByteString): Promise<ByteString>
}

/**
 * `verify`: of a callout or cut-through delivery, `hosts_verify_avoid_tls` counts too. `report`: of a report about TLS,
 * which policies of the domain must not hold up: RFC 8460 section 3.
 */
export type TlsUse = 'delivery' | 'verify' | 'report'

const noPolicy = { is: 'none' } as const

/** Expands the TLS options for a host, which `context` knows. */
export async function tlsWish(
  place: Place,
  settings: SmtpSettings,
  context: Context,
  room: TlsClientRoom,
  use: TlsUse = 'delivery',
): Promise<TlsWish> {
  const host = { address: place.address, name: place.name }
  const onConnect = settings.protocol === 'smtps'
  const dane = use === 'report' ? noPolicy : await daneFor(place, settings, context)
  const own = withTlsaUsage(context, dane)
  const avoided =
    (await hostListed(settings.hosts_avoid_tls, host, own)) ||
    (use === 'verify' && (await hostListed(settings.hosts_verify_avoid_tls, host, own)))
  const sts = use === 'report' ? noPolicy : await stsFor(place, settings, own, dane)
  const ocsp = await ocspFor(settings, host, own, dane)
  const required =
    dane.is !== 'none' ||
    (sts.is === 'policy' && sts.mode === 'enforce') ||
    ocsp === 'require' ||
    (await hostListedStrictly(settings.hosts_require_tls, host, own))
  const avoid = avoided && !required && !onConnect
  const unusable = dane.is === 'failed' ? dane : sts.is === 'failed' ? sts : undefined
  const upgrade =
    avoid || unusable !== undefined
      ? { key: '', result: unusable ?? { problem: 'TLS is avoided' } }
      : await upgradeFor(place, settings, own, room, { dane, sts, ocsp })
  return {
    avoid,
    required: required || onConnect,
    tryClear: settings.tls_tempfail_tryclear,
    onConnect,
    upgrade: upgrade.result,
    unusable,
    policyKey: `${avoid ? 'avoid' : required} ${upgrade.key}`,
    dane,
    sts,
    seen: {},
    async hostNameIn(ehlo) {
      const bound = new Map(own.bound).set('item', taint(ehlo, 'EHLO response'))
      const name = await expanded(settings.host_name_extract, { ...own, bound, captures: [] })
      return name === undefined || name instanceof Failure ? '' : textOf(name)
    },
  }
}

/** What is known of DANE before there is a connection. */
function withTlsaUsage(context: Context, dane: DaneState): Context {
  if (dane.is !== 'records' || context.delivery === undefined) return context
  return {
    ...context,
    delivery: { ...context.delivery, tls: { ...noTlsFacts, tlsaUsage: dane.usage } },
  }
}

/**
 * Requirements O6 and O12. With DANE-EE alone the default is not to ask: such a certificate needs no authority.
 * Source: Exim manual, "DANE".
 */
async function ocspFor(
  settings: SmtpSettings,
  host: { readonly address: string; readonly name: ByteString },
  context: Context,
  dane: DaneState,
): Promise<ClientUpgrade['ocsp']> {
  if (await hostListedStrictly(settings.hosts_require_ocsp, host, context)) return 'require'
  const isDefault = settings.hosts_request_ocsp?.text === '*'
  // Bit 2 alone: all records are for trust anchors.
  if (isDefault && dane.is === 'records' && dane.usage !== 1 << 2) return 'no'
  return (await hostListed(settings.hosts_request_ocsp, host, context)) ? 'request' : 'no'
}

interface Policies {
  readonly dane: DaneState
  readonly sts: StsState
  readonly ocsp: ClientUpgrade['ocsp']
}

interface MadeUpgrade {
  readonly key: string
  readonly result: TlsWish['upgrade']
}

async function upgradeFor(
  place: Place,
  settings: SmtpSettings,
  context: Context,
  room: TlsClientRoom,
  { dane, sts, ocsp }: Policies,
): Promise<MadeUpgrade> {
  const host = { address: place.address, name: place.name }
  const records = dane.is === 'records' ? { records: dane.records, names: dane.names } : undefined
  const enforced = sts.is === 'policy' && sts.mode === 'enforce'
  // DANE in force decides alone: Exim manual, "DANE", the list of ignored options.
  const wished = dane.is !== 'none' ? 'no' : enforced ? 'demand' : await howToVerify(settings, host, context)
  // Under `testing` it is looked at, for the report.
  const verify = wished === 'no' && sts.is === 'policy' ? 'try' : wished
  const byName =
    sts.is === 'policy' || (await hostListedStrictly(settings.tls_verify_cert_hostnames, host, context))
  const read = await readOptions(settings, context, { dane: dane.is !== 'none', verify: verify !== 'no' })
  if ('problem' in read) return { key: '', result: read }
  const resumes = dane.is === 'none' && (await hostListed(settings.tls_resumption_hosts, host, context))
  const contextSettings: ContextSettings = {
    certificates: read.certificate === '' ? [] : [read.certificate],
    keys: read.key === '' ? [] : [read.key],
    ciphers: read.ciphers,
    verify: read.authorities,
    crl: read.crl,
    dhparam: '',
    dhMaxBits: 0,
    curves: '',
    options: context.settings.openssl_options ?? '',
    ticketKey: '',
    asksForTicket: resumes,
  }
  const made = room.contexts.get(contextSettings)
  if (made.is === 'failed') return { key: '', result: { problem: made.why } }
  const wanted = {
    // DANE and MTA-STS have the server choose its certificate by its name: RFC 7672 section 8.1, RFC 8461 section 4.1.
    sni: dane.is !== 'none' || (sts.is === 'policy' && read.sni === '') ? place.name : read.sni,
    verify,
    names: verify !== 'no' && byName ? [place.name] : [],
    alpn: read.alpn,
    // Where none is named there is nothing to agree on: observed of Exim 4.96.
    requireAlpn:
      read.alpn.length > 0 && (await hostListedStrictly(settings.hosts_require_alpn, host, context)),
    minDhBits: settings.tls_dh_min_bits,
    ocsp,
  } as const
  const policy = JSON.stringify([wanted, dane.is, contextSettings])
  const key = policyHash(policy)
  const where = `${place.name} ${place.address} ${place.port} ${key}`
  return {
    key,
    result: {
      sni: wanted.sni,
      verify: wanted.verify,
      names: wanted.names,
      alpn: wanted.alpn,
      requireAlpn: wanted.requireAlpn,
      minDhBits: wanted.minDhBits,
      ocsp: wanted.ocsp,
      dane: records,
      context: made.context,
      resume: resumes ? { sessions: room.sessions, key: where } : undefined,
      now: () => context.ports.now(),
    },
  }
}

/** Few policies come again and again: one for each way the options turn out. */
const policyHashes = new Recent<string, string>(1000)

function policyHash(policy: string): string {
  let hash = policyHashes.get(policy)
  if (hash === undefined) {
    hash = createHash('sha256').update(policy).digest('base64')
    policyHashes.set(policy, hash)
  }
  return hash
}

/**
 * Source: Exim manual, smtp options `tls_verify_hosts`, `tls_try_verify_hosts`; that an empty `tls_try_verify_hosts`
 * counts as unset: observed of Exim 4.96.
 */
async function howToVerify(
  settings: SmtpSettings,
  host: { readonly address: string; readonly name: ByteString },
  context: Context,
): Promise<ClientUpgrade['verify']> {
  const { tls_verify_hosts: must, tls_try_verify_hosts: may } = settings
  if (must === undefined && (may === undefined || may.text === '')) return 'demand'
  if (await hostListedStrictly(must, host, context)) return 'demand'
  return (await hostListed(may, host, context)) ? 'try' : 'no'
}

interface ReadTls {
  readonly certificate: string
  readonly key: string
  readonly ciphers: string
  readonly authorities: string
  readonly crl: string
  readonly sni: string
  readonly alpn: readonly string[]
}

/** Expands the options; a forced failure counts as unset. */
async function readOptions(
  settings: SmtpSettings,
  context: Context,
  use: { readonly dane: boolean; readonly verify: boolean },
): Promise<ReadTls | TlsProblem> {
  const text = (option: SmtpSettings['tls_certificate'], isFile: boolean): Awaitable<string | TlsProblem> => {
    if (option === undefined) return ''
    return after(expanded(option, { ...context, captures: [] }), (value) => {
      if (value === undefined) return ''
      if (value instanceof Failure) {
        return value.kind === 'forced'
          ? ''
          : { problem: `expansion of ${option.name} failed: ${value.message}` }
      }
      return isFile && isTainted(value)
        ? { problem: `Tainted name '${value.text}' for file read not permitted (${option.name})` }
        : textOf(value)
    })
  }
  const forDane = use.dane ? await text(settings.dane_require_tls_ciphers, false) : ''
  const found = {
    certificate: await text(settings.tls_certificate, true),
    key: await text(settings.tls_privatekey, true),
    ciphers: forDane === '' ? await text(settings.tls_require_ciphers, false) : forDane,
    authorities: use.verify ? await text(settings.tls_verify_certificates, true) : '',
    crl: use.verify ? await text(settings.tls_crl, true) : '',
    sni: use.dane ? '' : await text(settings.tls_sni, false),
    alpn: await text(settings.tls_alpn, false),
  }
  const wrong = Object.values(found).find((value) => typeof value === 'object')
  if (wrong !== undefined) return wrong
  // None of the values is a problem.
  const texts = found as Record<keyof typeof found, string>
  const alpn = texts.alpn === '' ? [] : context.ports.splitList(texts.alpn).map(textOf).filter(Boolean)
  // RFC 7301 section 3.1: the length is told in one byte.
  if (alpn.some((name) => name.length > 255)) return { problem: '(alpn): a name is longer than 255 bytes' }
  return { ...texts, alpn }
}

export type TlsStep =
  | {
      readonly is: 'encrypted'
      readonly facts: TlsFacts
      readonly unverified?: { readonly why: string; readonly result: TlsResultType } | undefined
    }
  /** Go on in clear on this connection. */
  | { readonly is: 'clear' }
  /** The handshake failed: this connection is of no use. */
  | { readonly is: 'broken'; readonly why: string; readonly result?: TlsResultType | undefined }
  /** STARTTLS itself got no answer. */
  | { readonly is: 'lost'; readonly broken: Broken | undefined }
  | { readonly is: 'refused'; readonly reply: SmtpReply; readonly required: boolean }

/** Says STARTTLS and takes the connection into TLS. */
export async function startTls(
  client: SmtpClient,
  wish: TlsWish,
  timeoutMs: number,
  ehlo: ByteString,
): Promise<TlsStep> {
  const answer = await client.exchange('STARTTLS\r\n', 1, timeoutMs)
  const reply = answer.replies[0]
  if (reply === undefined) return { is: 'lost', broken: answer.broken }
  if (reply.code >= 300) {
    const temporary = reply.code < 500
    const { required } = wish
    return !required && (!temporary || wish.tryClear) ? { is: 'clear' } : { is: 'refused', reply, required }
  }
  // What comes along with the 220 was not encrypted and may be another's: RFC 3207, CVE-2021-23993 and its kin.
  if (client.unasked) return { is: 'broken', why: 'data in clear followed the answer to STARTTLS' }
  return encrypt(client, wish, false, timeoutMs, ehlo)
}

/** Takes the connection into TLS now. */
export async function encrypt(
  client: SmtpClient,
  wish: TlsWish,
  onConnect: boolean,
  timeoutMs: number,
  ehlo: ByteString = '',
): Promise<Extract<TlsStep, { is: 'encrypted' | 'broken' }>> {
  const { upgrade } = wish
  if ('problem' in upgrade) return { is: 'broken', why: upgrade.problem, result: upgrade.result }
  const { resume } = upgrade
  const named =
    resume === undefined ? undefined : { ...resume, key: `${resume.key} ${await wish.hostNameIn(ehlo)}` }
  const result = await connectTls(client.handOver(), {
    ...upgrade,
    resume: named,
    wantsChain: wish.certificate !== undefined,
    onConnect,
    timeoutMs,
  })
  if (result.is === 'failed') return { is: 'broken', why: result.why, result: result.result }
  let { facts } = result
  const chain = result.chain ?? []
  for (const [depth, certificate] of [...chain.entries()].reverse()) {
    const refusal = await wish.certificate?.(depth, certificate, facts)
    if (refusal === undefined) continue
    if (upgrade.verify === 'demand' || upgrade.dane !== undefined) {
      result.socket.destroy()
      const why = `(certificate verification failed): the certificate at depth ${depth} is refused by event_action: ${refusal}`
      return { is: 'broken', why, result: 'certificate-not-trusted' }
    }
    facts = { ...facts, certificateVerified: false }
  }
  client.upgrade(() => result.socket)
  return { is: 'encrypted', facts, unverified: result.unverified }
}
