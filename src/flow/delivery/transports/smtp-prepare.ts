/** What an smtp delivery expands once, for all hosts it tries. */
import { trafficOctet } from '../../../base/dscp.ts'
import { Failure } from '../../../base/outcome.ts'
import type { ByteString } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import { headerSection } from '../copy.ts'
import { expandedBoolean, expandedBytes, mistakeIn } from '../expanding.ts'
import { type AddressOutcome, errorNumbers } from '../results.ts'
import type { Batch, DeliveryEnvironment } from './driver.ts'
import { socksProxies } from './smtp-socks.ts'
import { senderForAuth } from './smtp-auth.ts'
import { headersWait, heloWaits } from './smtp-connected.ts'
import type { SmtpRun } from './smtp-ledger.ts'
import { deferredBy } from './smtp-words.ts'
import type { SmtpSettings } from './smtp.options.ts'
import type { SessionOptions } from './smtp-session.ts'
import type { TransactionRequest } from './smtp-transaction.ts'

export interface Prepared {
  /** `retry_include_ip_address`. */
  readonly retryByAddress: boolean
  readonly lmtp: boolean
  readonly session: SessionOptions
  readonly transaction: TransactionRequest
}

/** Expands what is the same for all hosts. */
export async function prepare(
  batch: Batch,
  settings: TransportInstance<SmtpSettings>['settings'],
  context: Context,
  environment: DeliveryEnvironment,
): Promise<Prepared | AddressOutcome> {
  const message = environment.claim.message
  const envelope = message.envelope
  // Who shares a batch has been asked before.
  const mistake =
    batch.addresses.length > 1
      ? undefined
      : mistakeIn(await expandedBoolean(settings.multi_domain, context, true))
  if (mistake !== undefined) {
    const { name } = batch.transport
    return deferredBy(
      /^".*" is not a valid value/s.test(mistake.message)
        ? `${mistake.message} in the ${name} transport`
        : `failed to expand "multi_domain" in ${name} transport: ${mistake.message}`,
    )
  }
  const helo = heloWaits(settings.helo_data) ? undefined : await expandedBytes(settings.helo_data, context)
  const head = headersWait(settings) ? { text: '' } : await headOf(batch, settings, context, environment)
  if ('failure' in head) return deferredBy(head.failure, errorNumbers.headersNotExpanded)
  const small = message.smallBody()
  const body = small instanceof Promise ? await small : small
  const authSender = await senderForAuth(settings, envelope.authenticatedSender, context)
  if (authSender instanceof Failure) {
    const message = `failed to expand authenticated_sender: ${authSender.message}`
    return deferredBy(message, errorNumbers.expansionFailed)
  }
  const proxies = await socksProxies(settings.socks_proxy, context)
  if (proxies instanceof Failure) return deferredBy(`failed to expand socks_proxy: ${proxies.message}`)
  const octet = await trafficOctetOf(settings, context)
  const lmtp = settings.protocol === 'lmtp'
  const retryByAddress = await expandedBoolean(settings.retry_include_ip_address, context, true)
  if (retryByAddress instanceof Failure && retryByAddress.kind !== 'forced') {
    return deferredBy(
      `failed to expand "retry_include_ip_address" in ${batch.transport.name} transport: ${retryByAddress.message}`,
    )
  }
  return {
    lmtp,
    retryByAddress: retryByAddress instanceof Failure || retryByAddress,
    session: {
      lmtp,
      // What cannot be expanded is a fault of the host's, told once it has been reached. Observed of Exim 4.96.
      helo: helo instanceof Failure ? '' : (helo ?? context.server.primaryHostname),
      avoidEsmtp: false,
      localAddress: undefined,
      heloAt: helo instanceof Failure ? async () => helo : undefined,
      proxies,
      dialogue: undefined,
      early: undefined,
      tls: undefined,
      trace: context.debug === undefined ? undefined : (line) => context.debug?.('transport|acl|v', line),
      connectMs: settings.connect_timeout * 1000,
      commandMs: settings.command_timeout * 1000,
      keepalive: settings.keepalive,
      trafficOctet: octet,
      signal: context.signal,
    },
    transaction: {
      lmtp,
      pipelining: false,
      chunking: false,
      prdr: false,
      sender: batch.returnPath,
      authSender,
      recipients: [],
      sizeBytes: sizeOf(head.text, settings, message),
      body8bit: envelope.body8bit ?? false,
      smtputf8: envelope.smtputf8 ?? false,
      ignoreQuota: settings.lmtp_ignore_quota,
      dsnRet: envelope.dsnRet,
      dsnEnvid: envelope.dsnEnvid,
      head: settings.body_only ? '' : `${head.text}\n`,
      body: settings.headers_only ? new Uint8Array() : (body ?? (() => message.body())),
      commandMs: settings.command_timeout * 1000,
      dataMs: settings.data_timeout * 1000,
      finalMs: settings.final_timeout * 1000,
      mark: 65,
      allOrNothing: context.settings.mua_wrapper,
    },
  }
}

/** The header section of the message, or why it cannot be made. */
function headOf(
  batch: Batch,
  settings: TransportInstance<SmtpSettings>['settings'],
  context: Context,
  { claim, deps }: DeliveryEnvironment,
): ReturnType<typeof headerSection> {
  const { headers } = claim.message.envelope
  const { addresses, returnPath } = batch
  return headerSection({ settings, headers, addresses, returnPath, now: context.ports.now(), deps }, context)
}

/** For SIZE=. */
function sizeOf(
  head: ByteString,
  { size_addition }: SmtpSettings,
  { bodySize, envelope }: DeliveryEnvironment['claim']['message'],
): number | undefined {
  if (size_addition < 0) return undefined
  return head.length + 1 + bodySize + lineCount(head, envelope.bodyLines) + size_addition
}

/** The message with headers that know the connection: `context` is that of the connection. */
export async function withOwnHead(
  prepared: Prepared,
  { batch, settings, environment }: Pick<SmtpRun, 'batch' | 'settings' | 'environment'>,
  context: Context,
): Promise<Prepared | AddressOutcome> {
  const head = await headOf(batch, settings, context, environment)
  if ('failure' in head) return deferredBy(head.failure, errorNumbers.headersNotExpanded)
  const sizeBytes = sizeOf(head.text, settings, environment.claim.message)
  const transaction = {
    ...prepared.transaction,
    sizeBytes,
    head: settings.body_only ? '' : `${head.text}\n`,
  }
  return { ...prepared, transaction }
}

/** `dscp`; a value that is none is told and sent without. Source: Exim manual, smtp option "dscp". */
export async function trafficOctetOf(
  settings: Pick<SmtpSettings, 'dscp'>,
  context: Context,
): Promise<number | undefined> {
  const value = await expandedBytes(settings.dscp, context)
  if (value === undefined || value === '') return undefined
  const octet = value instanceof Failure ? undefined : trafficOctet(value)
  if (octet === undefined) {
    const why = value instanceof Failure ? value.message : `unknown value "${value}"`
    context.ports.log.main(context.message?.id, `DSCP of the connection is left as it is: ${why}`)
  }
  return octet
}

/** The same message with further headers before it, LF line ends. */
export function withHeaders(prepared: Prepared, headers: ByteString): Prepared {
  const { transaction } = prepared
  const more = headers.length + lineCount(headers, -1)
  const sizeBytes = transaction.sizeBytes === undefined ? undefined : transaction.sizeBytes + more
  return { ...prepared, transaction: { ...transaction, head: headers + transaction.head, sizeBytes } }
}

/** Lines of the message: each grows by one byte on the wire. */
function lineCount(head: ByteString, bodyLines: number): number {
  let lines = bodyLines + 1
  for (let at = head.indexOf('\n'); at >= 0; at = head.indexOf('\n', at + 1)) lines++
  return lines
}
