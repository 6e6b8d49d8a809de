/**
 * TLS of outgoing connections: what the options ask for at one host, and the step from the plain connection to the
 * encrypted one. Source: Exim manual, "Configuring an Exim client to use TLS"; RFC 3207.
 */
import { Failure } from '../../../base/outcome.ts'
import type { ByteString } from '../../../base/text.ts'
import type { Context, TlsFacts } from '../../../ports.ts'
import type { SmtpClient } from '../../../wire/smtp/client.ts'
import type { SmtpReply } from '../../../wire/smtp/client-reply.ts'
import type { TlsContexts } from '../../../wire/tls/contexts.ts'
import { type ClientUpgrade, connectTls } from '../../../wire/tls/upgrade.ts'
import { expandedBytes, hostListed } from '../expanding.ts'
import type { Place } from './smtp-hosts.ts'
import type { SmtpSettings } from './smtp.options.ts'

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
  readonly upgrade: Omit<ClientUpgrade, 'onConnect' | 'timeoutMs'> | { readonly problem: string }
}

/** Expands the TLS options for a host. */
export async function tlsWish(
  place: Place,
  settings: SmtpSettings,
  context: Context,
  contexts: TlsContexts,
): Promise<TlsWish> {
  const host = { address: place.address, name: place.name }
  const listed = async (list: SmtpSettings['hosts_avoid_tls']): Promise<boolean> =>
    hostListed(list, host, context)
  const required = await listed(settings.hosts_require_tls)
  const onConnect = settings.protocol === 'smtps'
  const avoid = !required && !onConnect && (await listed(settings.hosts_avoid_tls))
  const upgrade = avoid
    ? { problem: 'TLS is avoided' }
    : await upgradeFor(place, settings, context, contexts, listed)
  return {
    avoid,
    required: required || onConnect,
    tryClear: settings.tls_tempfail_tryclear,
    onConnect,
    upgrade,
  }
}

async function upgradeFor(
  place: Place,
  settings: SmtpSettings,
  context: Context,
  contexts: TlsContexts,
  listed: (list: SmtpSettings['hosts_avoid_tls']) => Promise<boolean>,
): Promise<TlsWish['upgrade']> {
  const verify = (await listed(settings.tls_verify_hosts))
    ? 'demand'
    : (await listed(settings.tls_try_verify_hosts))
      ? 'try'
      : 'no'
  const names = verify !== 'no' && (await listed(settings.tls_verify_cert_hostnames)) ? [place.name] : []
  const texts: ByteString[] = []
  for (const option of [
    settings.tls_certificate,
    settings.tls_privatekey,
    settings.tls_require_ciphers,
    verify === 'no' ? undefined : settings.tls_verify_certificates,
    settings.tls_crl,
    settings.tls_sni,
  ]) {
    const text = await expandedBytes(option, context)
    if (text instanceof Failure) return { problem: `failed to expand ${option?.name ?? ''}: ${text.message}` }
    texts.push(text ?? '')
  }
  const [certificate = '', key = '', ciphers = '', authorities = '', crl = '', sni = ''] = texts
  const made = contexts.get({
    certificates: certificate === '' ? [] : [certificate],
    keys: key === '' ? [] : [key],
    ciphers,
    verify: authorities,
    crl,
    dhparam: '',
    curves: '',
    options: context.settings.openssl_options ?? '',
  })
  if (made.is === 'failed') return { problem: made.why }
  return { context: made.context, sni, verify, names, alpn: [], minDhBits: settings.tls_dh_min_bits }
}

export type TlsStep =
  | { readonly is: 'encrypted'; readonly facts: TlsFacts }
  /** Go on in clear on this connection. */
  | { readonly is: 'clear' }
  /** The handshake failed: this connection is of no use. */
  | { readonly is: 'broken'; readonly why: string }
  | { readonly is: 'refused'; readonly reply: SmtpReply | undefined }

/** Says STARTTLS and takes the connection into TLS. */
export async function startTls(client: SmtpClient, wish: TlsWish, timeoutMs: number): Promise<TlsStep> {
  const answer = await client.exchange('STARTTLS\r\n', 1, timeoutMs)
  const reply = answer.replies[0]
  if (reply === undefined) return { is: 'broken', why: 'the connection was lost after STARTTLS' }
  if (reply.code >= 300) {
    const temporary = reply.code < 500
    return !wish.required && (!temporary || wish.tryClear) ? { is: 'clear' } : { is: 'refused', reply }
  }
  // What comes along with the 220 was not encrypted and may be another's: RFC 3207, CVE-2021-23993 and its kin.
  if (client.unasked) return { is: 'broken', why: 'data in clear followed the answer to STARTTLS' }
  return encrypt(client, wish, false, timeoutMs)
}

/** Takes the connection into TLS now. */
export async function encrypt(
  client: SmtpClient,
  wish: TlsWish,
  onConnect: boolean,
  timeoutMs: number,
): Promise<TlsStep> {
  const { upgrade } = wish
  if ('problem' in upgrade) return { is: 'broken', why: upgrade.problem }
  const result = await connectTls(client.handOver(), { ...upgrade, onConnect, timeoutMs })
  if (result.is === 'failed') return { is: 'broken', why: result.why }
  client.upgrade(() => result.socket)
  return { is: 'encrypted', facts: result.facts }
}
