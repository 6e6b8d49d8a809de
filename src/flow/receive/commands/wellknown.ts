/**
 * WELLKNOWN: a file for the client, by ACL. Source: Exim manual of 4.98, `acl_smtp_wellknown`. The contents stand in the
 * reply as xtext (RFC 3461 section 4), in pieces that fit lines.
 */
import { wellknownKey } from '../../../policy/acl/controls/wellknown.ts'
import { encodeXtext } from '../../../wire/smtp/grammar.ts'
import { answerRefusal, deniedWithout, refusalOf, runAclOption } from '../acl.ts'
import { clientError } from '../errors.ts'
import { aclContext } from '../pre-mail.ts'
import type { Command } from './command.ts'

const largestFileBytes = 64 * 1024
/** RFC 5321 section 4.5.3.1.5: a reply line has at most 512 bytes; each byte may become three. */
const bytesPerLine = 160

export const wellknown: Command = {
  name: 'WELLKNOWN',
  doc: 'Asks for a well-known file.',
  verb: 'WELLKNOWN',
  nonmail: true,
  groupable: false,
  async proceed(session, argument) {
    const { connection, settings } = session
    if (!session.offers('WELLKNOWN')) {
      return clientError(session, 'protocol', 503, 'WELLKNOWN command used when not advertised')
    }
    if (argument === '') return clientError(session, 'syntax', 501, 'WELLKNOWN must have an operand')
    connection.extra.delete(wellknownKey)
    const context = aclContext(session)
    const result =
      (await runAclOption(settings.acl_smtp_wellknown, 'wellknown', context)) ??
      deniedWithout('acl_smtp_wellknown', context)
    const refusal = refusalOf(session, result, { what: `WELLKNOWN ${argument}` })
    if (refusal !== undefined) return answerRefusal(session, refusal)
    const path = connection.extra.get(wellknownKey)
    const read = typeof path === 'string' ? context.ports.files.read(path, largestFileBytes) : undefined
    if (read === undefined || 'error' in read) {
      session.reply(550, 'not available')
      return 'continue'
    }
    const lines: string[] = []
    for (let at = 0; at < read.bytes.length; at += bytesPerLine) {
      lines.push(encodeXtext(read.bytes.slice(at, at + bytesPerLine)))
    }
    session.reply(250, lines.length === 0 ? 'OK' : lines.join('\n'))
    return 'continue'
  },
}
