/** VRFY and EXPN. Source: Exim manual, "The VRFY and EXPN commands". */
import type { ByteString } from '../../../base/text.ts'
import { splitAddress, unquotedLocalPart } from '../../../mail/address.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import type { Context } from '../../../ports.ts'
import { answerRefusal, deniedWithout, refusalOf, runAclOption } from '../acl.ts'
import { addressOptions } from '../address-options.ts'
import { clientError } from '../errors.ts'
import { clientMatches } from '../matching.ts'
import { aclContext } from '../pre-mail.ts'
import type { Next, Session } from '../session-state.ts'
import type { Command } from './command.ts'

export const vrfy: Command = {
  name: 'VRFY',
  doc: 'Asks whether an address can be delivered to.',
  verb: 'VRFY',
  nonmail: true,
  groupable: false,
  async proceed(session, argument) {
    const address = await readAddress(session, argument)
    if (typeof address !== 'object') return address
    const context = withAddress(aclContext(session), address.full)
    const result =
      (await runAclOption(session.settings.acl_smtp_vrfy, 'vrfy', context)) ??
      deniedWithout('acl_smtp_vrfy', context)
    const refusal = refusalOf(session, result, { what: `VRFY ${argument}`, denyCode: 252 })
    // Awkward clients ask before each RCPT: a refusal without a code of its own is no refusal.
    if (refusal !== undefined) return answerRefusal(session, refusal)
    const verified = await context.ports.verify(
      { address: address.full, kind: 'recipient', options: [] },
      context,
    )
    const why = verified.userMessage ?? verified.logMessage
    if (verified.is === 'ok') session.reply(250, `<${address.full}> is deliverable`)
    else if (verified.is === 'defer') {
      const told = verified.userMessage
      session.reply(
        451,
        told === undefined ? `Cannot resolve <${address.full}> at this time` : `<${address.full}> ${told}`,
      )
    } else {
      session.reply(550, `<${address.full}> ${why ?? 'is not deliverable'}`)
      session.mainLog(`VRFY failed for ${argument} ${session.who()}`, { event: 'smtp:vrfy-failed' })
    }
    return 'continue'
  },
}

export const expn: Command = {
  name: 'EXPN',
  doc: 'Asks what a list address stands for.',
  verb: 'EXPN',
  nonmail: true,
  groupable: false,
  async proceed(session, argument) {
    const context = aclContext(session)
    const result =
      (await runAclOption(session.settings.acl_smtp_expn, 'expn', context)) ??
      deniedWithout('acl_smtp_expn', context)
    const refusal = refusalOf(session, result, { what: `EXPN ${argument}` })
    if (refusal !== undefined) return answerRefusal(session, refusal)
    const parsed = parseAddress(argument, addressOptions(session.settings, false))
    if (parsed.is === 'error')
      return clientError(session, 'syntax', 501, `${argument}: ${parsed.message}`, parsed.message)
    const full =
      parsed.domain === '' ? `${parsed.address}@${context.server.qualifyRecipient}` : parsed.address
    const expansion = await session.services.expn?.(full, context)
    if (expansion === undefined) session.reply(250, `<${full}>`)
    // Why it is so is told to nobody who asks.
    else session.reply(expansion.is === 'ok' ? 250 : 553, expansion.lines.join('\n'))
    return 'continue'
  },
}

async function readAddress(session: Session, argument: ByteString): Promise<{ full: ByteString } | Next> {
  const { settings, context } = session
  const parsed = parseAddress(argument, addressOptions(settings, false))
  if (parsed.is === 'error') {
    session.reply(501, parsed.message)
    return 'continue'
  }
  if (parsed.domain !== '') return { full: parsed.address }
  const allowed = !session.remote || (await clientMatches(settings.recipient_unqualified_hosts, context))
  if (allowed) return { full: `${parsed.address}@${context.server.qualifyRecipient}` }
  session.rejectUnqualified('verify', parsed.address, 'VRFY')
  session.reply(501, `${argument}: recipient address must contain a domain`)
  return 'continue'
}

function withAddress(context: Context, address: ByteString): Context {
  const { localPart, domain } = splitAddress(address)
  return {
    ...context,
    address: {
      localPart: unquotedLocalPart(localPart),
      domain: domain === '' ? context.server.qualifyRecipient : domain,
    },
  }
}
