/** What spamd and rspamd answer, and what the variables say of it. */
import type { ByteString } from '../../../base/text.ts'

/** Kept with the message: the names of the variables without `spam_`. */
export interface SpamFacts {
  readonly score: string
  readonly score_int: string
  readonly bar: string
  readonly action: ByteString
  readonly report: ByteString
  readonly isSpam: boolean
}

const longestBar = 50
const number = String.raw`(-?\d{1,12}(?:\.\d{1,12})?)`
const spamLine = new RegExp(String.raw`^Spam: \w+ ; ${number} / ${number}\s*$`, 'im')
const metricLine = new RegExp(String.raw`^Metric: [^;\n]*; \w+; ${number} / ${number} / ${number}\s*$`, 'im')

/** `SPAMD/1.1 0 EX_OK`, headers with `Spam: True ; 15.0 / 5.0`, the report. */
export function readSpamd(text: ByteString): SpamFacts | undefined {
  if (!/^SPAMD\/[\d.]+ 0 EX_OK\r?\n/.test(text)) return undefined
  const { head, body } = split(text)
  const found = spamLine.exec(head)
  if (found === null) return undefined
  const isSpam = Number(found[1]) >= Number(found[2])
  return facts(Number(found[1]), isSpam, isSpam ? 'reject' : 'no action', body)
}

/** `RSPAMD/1.3 0 EX_OK`, `Metric: default; False; 1.3 / 5.0 / 10.0`, `Action: no action`, symbols. */
export function readRspamd(text: ByteString): SpamFacts | undefined {
  if (!/^R?SPAMD\/[\d.]+ 0 EX_OK\r?\n/.test(text)) return undefined
  const found = metricLine.exec(text)
  if (found === null) return undefined
  const action = /^Action: ([^\r\n]{1,63})/im.exec(text)?.[1] ?? ''
  const report = text.slice(found.index + found[0].length).replace(/^\s+/, '')
  return facts(Number(found[1]), Number(found[1]) >= Number(found[2]), action, report)
}

function split(text: ByteString): { head: ByteString; body: ByteString } {
  const end = /\r?\n\r?\n/.exec(text)
  if (end === null) return { head: text, body: '' }
  return { head: text.slice(0, end.index), body: text.slice(end.index + end[0].length) }
}

function facts(score: number, isSpam: boolean, action: ByteString, report: ByteString): SpamFacts {
  const whole = Math.trunc(score)
  return {
    score: oneDecimal(score),
    score_int: String(Math.trunc(score * 10 + (score < 0 ? -1e-6 : 1e-6))),
    bar: whole === 0 ? '/' : (whole > 0 ? '+' : '-').repeat(Math.min(longestBar, Math.abs(whole))),
    action,
    // Lines after the first begin with a space, so that the report can stand in a header.
    // oxlint-disable-next-line no-control-regex
    report: report
      .replaceAll('\r', '')
      .replace(/[\0-\x08\x0b-\x1f\x7f]/g, ' ')
      .trimEnd()
      .replaceAll('\n', '\n '),
    isSpam,
  }
}

/** As printf rounds: a tie goes to the even digit. */
function oneDecimal(score: number): string {
  const quarters = Math.abs(score * 4)
  if (Number.isInteger(quarters) && quarters % 4 === 1)
    return (Math.sign(score) * (Math.abs(score) - 0.05)).toFixed(1)
  return score.toFixed(1)
}
