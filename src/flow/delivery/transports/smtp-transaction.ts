/**
 * One message to some recipients over an open connection: MAIL, RCPTs and DATA or BDAT, each phase in one write when
 * the server pipelines. Source: RFC 5321 section 3.3, RFC 2920, RFC 3030, RFC 3461, RFC 2033.
 */
import type { ByteString } from '../../../base/text.ts'
import type { Recipient } from '../../../mail/envelope.ts'
import type { Offers, SmtpClient } from '../../../wire/smtp/client.ts'
import { WireEncoder } from '../../../wire/smtp/client-data.ts'
import type { SmtpReply } from '../../../wire/smtp/client-reply.ts'
import { encodeXtext } from '../../../wire/smtp/grammar.ts'
import { type DeliveryError, errorNumbers } from '../results.ts'
import { brokenError } from './smtp-session.ts'

export interface TransactionRecipient {
  readonly address: ByteString
  readonly recipient: Recipient
  /** What DSN asks for is done here, and not passed on. */
  readonly ownReports?: boolean
}

export interface TransactionRequest {
  readonly lmtp: boolean
  readonly pipelining: boolean
  readonly chunking: boolean
  readonly sender: ByteString
  readonly recipients: readonly TransactionRecipient[]
  /** For AUTH=; undefined: none. */
  readonly authSender?: ByteString | undefined
  /** For SIZE=; undefined: leave it out. */
  readonly sizeBytes: number | undefined
  readonly body8bit: boolean
  readonly smtputf8: boolean
  /** One answer for each recipient at the end, where the server offers that. */
  readonly prdr?: boolean
  /** `IGNOREQUOTA` after RCPT, where an LMTP server offers it. */
  readonly ignoreQuota: boolean
  readonly dsnRet: 'full' | 'hdrs' | undefined
  readonly dsnEnvid: ByteString | undefined
  /** Header section and blank line, LF line ends. */
  readonly head: ByteString
  /** The body at once when it is small, else as a stream. */
  readonly body: Uint8Array | (() => AsyncIterable<Uint8Array>)
  readonly commandMs: number
  readonly dataMs: number
  readonly finalMs: number
  /** When one recipient is refused, none gets the message: `mua_wrapper`. */
  readonly allOrNothing?: boolean
  /** 77 for a host from an MX record, else 65: the second number of errors. */
  readonly mark: number
}

/** What became of one recipient, in the order of the request. */
export type RecipientVerdict =
  | { readonly is: 'delivered'; readonly confirmation: ByteString }
  | {
      readonly is: 'failed' | 'deferred'
      readonly error: DeliveryError
      readonly reply: ByteString | undefined
      /** The trouble of another recipient: no retry time is kept for this one. */
      readonly innocent?: boolean
    }

/**
 * `done`: the dialogue ended in order, verdicts stand; the connection may carry the next message when `reusable`.
 * `message` and `host`: the whole transaction failed, for this message or for all at this host.
 */
export type TransactionResult =
  | {
      readonly is: 'done'
      readonly verdicts: readonly RecipientVerdict[]
      readonly wireBytes: number
      readonly chunked: boolean
      readonly prdr?: boolean
      readonly reusable: boolean
      /** What AUTH= of MAIL was. */
      readonly authSender: ByteString | undefined
    }
  | {
      readonly is: 'message' | 'host'
      readonly error: DeliveryError
      readonly permanent: boolean
      readonly reply: ByteString | undefined
      /** Verdicts of recipients that were refused before. */
      readonly verdicts: readonly (RecipientVerdict | undefined)[]
      /** Nothing was answered at all, or that the server closes (421): it may have ended a kept connection just then. */
      readonly silent: boolean
    }

export async function transaction(
  client: SmtpClient,
  offers: Offers,
  request: TransactionRequest,
): Promise<TransactionResult> {
  return new Transaction(client, offers, request).run()
}

/** A message whose MAIL and RCPTs were accepted before on this connection. */
export async function resumeTransaction(
  client: SmtpClient,
  offers: Offers,
  request: TransactionRequest,
): Promise<TransactionResult> {
  return new Transaction(client, offers, request).data()
}

/** What a client is told of a host that gave no answer. */
export const message4xx = 451

class Transaction {
  readonly #client: SmtpClient
  readonly #offers: Offers
  readonly #request: TransactionRequest
  readonly #verdicts: (RecipientVerdict | undefined)[]
  readonly #mail: string
  readonly #word: string

  constructor(client: SmtpClient, offers: Offers, request: TransactionRequest) {
    this.#client = client
    this.#offers = offers
    this.#request = request
    this.#verdicts = request.recipients.map(() => undefined)
    this.#mail = mailCommand(offers, request)
    this.#word = request.pipelining ? 'pipelined ' : ''
  }

  async run(): Promise<TransactionResult> {
    return this.#request.pipelining ? this.#pipelined() : this.#stepwise()
  }

  /** DATA and the message. */
  async data(): Promise<TransactionResult> {
    const { commandMs, mark } = this.#request
    const { replies, broken } = await this.#client.exchange('DATA\r\n', 1, commandMs)
    const data = replies[0]
    if (data === undefined) return this.#host(brokenError(broken, 'DATA', mark))
    return wantsMessage(data) ? this.#lines() : this.#dataRefused(data, 'DATA')
  }

  /** MAIL, all RCPTs and DATA leave together. */
  async #pipelined(): Promise<TransactionResult> {
    const request = this.#request
    let text = `${this.#mail}\r\n`
    for (const one of request.recipients)
      text += `${rcptCommand(one, this.#offers, this.#request.ignoreQuota)}\r\n`
    // All must have been accepted before it can be said.
    const withData = !request.chunking && request.allOrNothing !== true
    if (withData) text += 'DATA\r\n'
    const expected = 1 + request.recipients.length + (withData ? 1 : 0)
    const { replies, broken } = await this.#client.exchange(text, expected, request.commandMs)
    const mail = replies[0]
    if (mail === undefined) return this.#brokenAfterMail(broken, true)
    if (mail.code >= 300) {
      // A server that said 354 after all would take what we say next for the message.
      this.#client.destroy()
      return this.#mailRefused(mail)
    }
    for (const [i, one] of request.recipients.entries()) {
      const reply = replies[1 + i]
      if (reply === undefined) return this.#brokenAtRcpt(i, broken)
      this.#verdicts[i] = rcptVerdict(one.address, reply)
    }
    this.#refuseAllForOne()
    if (request.chunking) return this.#accepted() ? this.#chunks() : this.#noneAccepted(false)
    if (!withData) return this.#accepted() ? this.data() : this.#noneAccepted(false)
    const data = replies[expected - 1]
    if (data === undefined) {
      // A server that refused all and went (421) has said what there is to say.
      if (!this.#accepted()) return this.#noneAccepted(true)
      return this.#host(brokenError(broken, 'pipelined DATA', request.mark))
    }
    if (!this.#accepted()) return this.#noneAccepted(data.code === 354)
    return wantsMessage(data) ? this.#lines() : this.#dataRefused(data, 'pipelined DATA')
  }

  /** One command at a time, for servers without PIPELINING. */
  async #stepwise(): Promise<TransactionResult> {
    const request = this.#request
    const first = await this.#client.exchange(`${this.#mail}\r\n`, 1, request.commandMs)
    const mail = first.replies[0]
    if (mail === undefined) return this.#brokenAfterMail(first.broken, true)
    if (mail.code >= 300) return this.#mailRefused(mail)
    for (const [i, one] of request.recipients.entries()) {
      const { replies, broken } = await this.#client.exchange(
        `${rcptCommand(one, this.#offers, this.#request.ignoreQuota)}\r\n`,
        1,
        request.commandMs,
      )
      const reply = replies[0]
      if (reply === undefined) return this.#brokenAtRcpt(i, broken)
      this.#verdicts[i] = rcptVerdict(one.address, reply)
    }
    this.#refuseAllForOne()
    if (!this.#accepted()) return this.#noneAccepted(false)
    return request.chunking ? this.#chunks() : this.data()
  }

  #refuseAllForOne(): void {
    if (this.#request.allOrNothing !== true) return
    const refused = this.#verdicts.find((verdict) => verdict !== undefined)
    if (refused === undefined) return
    for (const [i, verdict] of this.#verdicts.entries()) this.#verdicts[i] = verdict ?? refused
  }

  /** The message after 354, dots doubled. */
  async #lines(): Promise<TransactionResult> {
    const request = this.#request
    const client = this.#client
    const encoder = new WireEncoder(true)
    client.cork()
    client.write(encoder.encode(Buffer.from(request.head, 'latin1')))
    if (request.body instanceof Uint8Array) {
      client.write(encoder.encode(request.body))
    } else {
      client.uncork()
      for await (const piece of request.body()) {
        if (!client.write(encoder.encode(piece)) && !(await client.drained(request.dataMs))) {
          return this.#host(
            brokenError((await client.replies(1, 1)).broken, 'sending data block', request.mark),
          )
        }
      }
      client.cork()
    }
    client.write(encoder.finish())
    client.uncork()
    return this.#final(encoder.bytes, false)
  }

  /** The message as BDAT chunks. */
  async #chunks(): Promise<TransactionResult> {
    const request = this.#request
    const client = this.#client
    const encoder = new WireEncoder(false)
    const head = encoder.encode(Buffer.from(request.head, 'latin1'))
    if (request.body instanceof Uint8Array) {
      const body = encoder.encode(request.body)
      const end = encoder.finish()
      client.cork()
      client.write(`BDAT ${encoder.bytes} LAST\r\n`)
      client.write(head)
      client.write(body)
      if (end !== '') client.write(end)
      client.uncork()
      return this.#final(encoder.bytes, true)
    }
    let waiting = head
    for await (const piece of request.body()) {
      const failed = await this.#chunk(waiting)
      if (failed !== undefined) return failed
      waiting = encoder.encode(piece)
    }
    const end = encoder.finish()
    client.cork()
    client.write(`BDAT ${waiting.length + end.length} LAST\r\n`)
    client.write(waiting)
    if (end !== '') client.write(end)
    client.uncork()
    return this.#final(encoder.bytes, true)
  }

  async #chunk(bytes: Buffer): Promise<TransactionResult | undefined> {
    const client = this.#client
    client.cork()
    client.write(`BDAT ${bytes.length}\r\n`)
    client.write(bytes)
    client.uncork()
    const { replies, broken } = await client.replies(1, this.#request.dataMs)
    const reply = replies[0]
    if (reply === undefined) return this.#host(brokenError(broken, 'BDAT', this.#request.mark))
    return reply.code < 300 ? undefined : this.#dataRefused(reply, 'BDAT')
  }

  /** The answer, or with LMTP the answers, to the end of the data. */
  async #final(wireBytes: number, chunked: boolean): Promise<TransactionResult> {
    const request = this.#request
    const accepted = this.#verdicts.filter((verdict) => verdict === undefined).length
    const wanted = request.lmtp ? accepted : 1
    const { replies, broken } = await this.#client.replies(wanted, request.finalMs)
    if (replies.length < wanted && !request.lmtp) {
      const stage = `${this.#endOf(chunked)}${broken?.is === 'timeout' ? ` (${wireBytes} bytes written)` : ''}`
      const error = brokenError(broken, stage, request.mark)
      return broken?.is === 'malformed' ? this.#host(error) : this.#message(error, false, undefined)
    }
    if (request.lmtp) return this.#lmtpVerdicts(replies, broken, wireBytes, chunked, 'LMTP error after DATA')
    // There is at least one reply here.
    const reply = replies[0] as SmtpReply
    if (reply.code === 353 && this.#usesPrdr()) return this.#prdrVerdicts(accepted, wireBytes, chunked)
    if (reply.code >= 300) return this.#dataRefused(reply, this.#endOf(chunked), true)
    return {
      is: 'done',
      verdicts: this.#verdicts.map((v) => v ?? { is: 'delivered', confirmation: reply.text }),
      wireBytes,
      chunked,
      reusable: true,
      authSender: undefined,
    }
  }

  /** Exim counts BDAT among the commands that are pipelined. */
  #endOf(chunked: boolean): string {
    return chunked ? `${this.#word}end of data` : 'end of data'
  }

  #usesPrdr(): boolean {
    return this.#offers.prdr && this.#request.prdr === true && this.#request.recipients.length > 1
  }

  /**
   * After 353 one reply for each accepted recipient, then one for the message as a whole.
   * Source: draft-hall-prdr-00; Exim manual, "hosts_try_prdr".
   */
  async #prdrVerdicts(accepted: number, wireBytes: number, chunked: boolean): Promise<TransactionResult> {
    const { finalMs, mark } = this.#request
    const { replies, broken } = await this.#client.replies(accepted + 1, finalMs)
    const whole = replies[accepted]
    if (whole === undefined) {
      return this.#message(brokenError(broken, 'end of data', mark), false, undefined)
    }
    if (whole.code >= 300) return this.#dataRefused(whole, 'end of data', true)
    const each = replies.slice(0, accepted)
    const result = this.#lmtpVerdicts(each, undefined, wireBytes, chunked, 'PRDR error after DATA')
    return result.is === 'done' ? { ...result, prdr: true } : result
  }

  /** RFC 2033: one reply for each accepted recipient, in their order. */
  #lmtpVerdicts(
    replies: readonly SmtpReply[],
    broken: Parameters<typeof brokenError>[0],
    wireBytes: number,
    chunked: boolean,
    sentence: string,
  ): TransactionResult {
    let next = 0
    const verdicts = this.#verdicts.map((verdict): RecipientVerdict => {
      if (verdict !== undefined) return verdict
      const reply = replies[next++]
      if (reply === undefined) {
        return {
          is: 'deferred',
          error: brokenError(broken, 'end of data', this.#request.mark),
          reply: undefined,
        }
      }
      if (reply.code < 300) return { is: 'delivered', confirmation: reply.text }
      return {
        is: reply.code >= 500 ? 'failed' : 'deferred',
        error: { errno: 0, more: more4xx(reply.code), message: `${sentence}: ${reply.text}` },
        reply: reply.text,
      }
    })
    return { is: 'done', verdicts, wireBytes, chunked, reusable: broken === undefined, authSender: undefined }
  }

  #accepted(): boolean {
    return this.#verdicts.includes(undefined)
  }

  /** No recipient was taken. After a 354 for nothing the connection is given up: no data must follow. */
  #noneAccepted(dataExpected: boolean): TransactionResult {
    if (dataExpected) this.#client.destroy()
    return {
      is: 'done',
      verdicts: this.#verdicts.filter((verdict) => verdict !== undefined),
      wireBytes: 0,
      chunked: false,
      reusable: false,
      authSender: undefined,
    }
  }

  #mailRefused(reply: SmtpReply): TransactionResult {
    const error = {
      errno: reply.code >= 500 ? 0 : errorNumbers.mail4xx,
      more: more4xx(reply.code),
      message: `SMTP error from remote mail server after ${this.#word}${this.#mail}: ${reply.text}`,
    }
    return { ...this.#message(error, reply.code >= 500, reply.text), silent: reply.code === 421 }
  }

  #dataRefused(reply: SmtpReply, stage: string, atEnd: boolean = false): TransactionResult {
    const error = {
      errno: reply.code >= 400 && reply.code < 500 ? errorNumbers.data4xx : 0,
      more: reply.code >= 400 ? more4xx(reply.code) : this.#request.mark,
      message: `SMTP error from remote mail server after ${stage}: ${reply.text}`,
    }
    const result = this.#message(error, reply.code >= 500, reply.text)
    if (!atEnd) this.#client.quit()
    return result
  }

  #brokenAfterMail(broken: Parameters<typeof brokenError>[0], silent: boolean): TransactionResult {
    const error = brokenError(broken, `${this.#word}${this.#mail}`, this.#request.mark)
    // Only a time-out after MAIL may be the message's fault: Exim manual, "Errors in outgoing SMTP".
    return broken?.is === 'timeout'
      ? this.#message(error, false, undefined)
      : { ...this.#host(error), silent }
  }

  /** A time-out after RCPT is that recipient's own; all others are tried again without delay. */
  #brokenAtRcpt(index: number, broken: Parameters<typeof brokenError>[0]): TransactionResult {
    const command = `RCPT TO:<${this.#request.recipients[index]?.address ?? ''}>`
    if (broken?.is !== 'timeout') {
      return this.#host(brokenError(broken, `${this.#word}${command}`, this.#request.mark))
    }
    const error = brokenError(broken, command, this.#request.mark)
    const verdicts = this.#verdicts.map(
      (v, i): RecipientVerdict =>
        v === undefined || v.is === 'delivered'
          ? { is: 'deferred', error, reply: undefined, innocent: i !== index }
          : v,
    )
    return { is: 'done', verdicts, wireBytes: 0, chunked: false, reusable: false, authSender: undefined }
  }

  #host(error: DeliveryError): TransactionResult & { readonly is: 'message' | 'host' } {
    return {
      is: 'host',
      error,
      permanent: false,
      reply: undefined,
      verdicts: this.#verdicts,
      silent: false,
    }
  }

  #message(
    error: DeliveryError,
    permanent: boolean,
    reply: ByteString | undefined,
  ): TransactionResult & { readonly is: 'message' | 'host' } {
    return { is: 'message', error, permanent, reply, verdicts: this.#verdicts, silent: false }
  }
}

/** Any other answer but 3xx may be one to another command: the message must not follow it. */
function wantsMessage({ code }: SmtpReply): boolean {
  return code >= 300 && code < 400
}

/** The verdict on a recipient; undefined while it is accepted. */
function rcptVerdict(address: ByteString, reply: SmtpReply): RecipientVerdict | undefined {
  if (reply.code < 300) return undefined
  const permanent = reply.code >= 500
  return {
    is: permanent ? 'failed' : 'deferred',
    error: {
      errno: permanent ? 0 : errorNumbers.rcpt4xx,
      more: more4xx(reply.code),
      message: `SMTP error from remote mail server after RCPT TO:<${address}>: ${reply.text}`,
    },
    reply: reply.text,
  }
}

/** The last two digits of a reply code as retry rules look at them. */
export function more4xx(code: number): number {
  return ((code % 100) << 8) | 65
}

function mailCommand(offers: Offers, request: TransactionRequest): string {
  let text = `MAIL FROM:<${request.sender}>`
  if (offers.size && request.sizeBytes !== undefined) text += ` SIZE=${request.sizeBytes}`
  if (offers.prdr && request.prdr === true && request.recipients.length > 1) text += ' PRDR'
  if (offers.smtputf8 && request.smtputf8) text += ' SMTPUTF8'
  if (offers.eightBitMime && request.body8bit) text += ' BODY=8BITMIME'
  if (offers.dsn && request.recipients.some(({ ownReports }) => ownReports !== true)) {
    if (request.dsnRet !== undefined) text += ` RET=${request.dsnRet.toUpperCase()}`
    if (request.dsnEnvid !== undefined) text += ` ENVID=${request.dsnEnvid}`
  }
  if (request.authSender !== undefined) text += ` AUTH=${encodeXtext(request.authSender)}`
  return text
}

function rcptCommand(one: TransactionRecipient, offers: Offers, ignoreQuota: boolean): string {
  let text = `RCPT TO:<${one.address}>`
  if (ignoreQuota && offers.ignoreQuota) text += ' IGNOREQUOTA'
  const dsn = one.ownReports === true ? undefined : one.recipient.dsn
  if (offers.dsn && dsn !== undefined) {
    if (dsn.notify.length > 0) text += ` NOTIFY=${dsn.notify.join(',').toUpperCase()}`
    if (dsn.orcpt !== undefined) text += ` ORCPT=${dsn.orcpt}`
  }
  return text
}
