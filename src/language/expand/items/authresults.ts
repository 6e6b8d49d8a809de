/** An Authentication-Results: header. Sources: Exim manual, "Expansion items"; RFC 8601 section 2. */
import type { Awaitable } from '../../../base/outcome.ts'
import { concat, taint, type Text } from '../../../base/text.ts'
import { arcOf } from '../../../mail/arc-facts.ts'
import { type DkimSignature, dkimOf, overridden } from '../../../mail/dkim-facts.ts'
import { dmarcOf } from '../../../mail/dmarc-facts.ts'
import { spfOf } from '../../../mail/spf-facts.ts'
import type { ConnectionFacts, Context } from '../../../ports.ts'
import type { ItemRow } from '../rows.ts'
import { plainItem } from './kinds.ts'

export const authresults: ItemRow = plainItem({
  name: 'authresults',
  doc: 'What the checks of the message found, as a header.',
  since: '0.1',
  manual: 'Expansion items',
  least: 1,
  most: 1,
  apply([host = ''], { context }): Awaitable<Text> {
    const parts = [
      iprev(context.connection),
      auth(context.connection),
      spf(context),
      ...dkim(context),
      arc(context),
      dmarcPart(context),
    ].filter((part) => part !== undefined)
    // Differs from Exim, which says nothing after the name: RFC 8601 section 2.2 asks for the word.
    if (parts.length === 0) return concat(['Authentication-Results: ', host, '; none'])
    return concat([
      'Authentication-Results: ',
      host,
      ...parts.map((part) => taint(`;\n\t${part}`, '${authresults')),
    ])
  },
})

/** Whether the client's address leads to a name that leads back. RFC 8601 section 2.7.3. */
function iprev(connection: ConnectionFacts | undefined): string | undefined {
  if (connection?.hostAddress === undefined) return undefined
  const address = `smtp.remote-ip=${value(connection.hostAddress)}`
  switch (connection.hostLookup) {
    case 'found':
      return `iprev=pass (${comment(connection.hostName ?? '')}) ${address}`
    case 'failed':
      return `iprev=fail ${address}`
    case 'deferred':
      return `iprev=temperror ${address}`
    case 'not done':
      return undefined
  }
}

/** RFC 8601 section 2.7.4. */
function auth(connection: ConnectionFacts | undefined): string | undefined {
  if (connection?.authenticatedBy === undefined) return undefined
  const id = connection.authenticatedId ?? ''
  const said = `auth=pass (${comment(connection.authenticatedMechanism ?? connection.authenticatedBy)})`
  return id === '' ? said : `${said} smtp.auth=${value(id)}`
}

/** RFC 8601 section 2.7.2. */
function spf({ message, connection }: Context): string | undefined {
  const facts = spfOf(message ?? connection)
  if (facts === undefined || facts.result === '(invalid)') return undefined
  const guess = facts.guessed ? ' (best guess record for domain)' : ''
  const property = facts.identity === 'helo' ? 'smtp.helo' : 'smtp.mailfrom'
  const domain = facts.usedDomain === '' ? '' : ` ${property}=${value(facts.usedDomain)}`
  return `spf=${facts.result}${guess}${domain}`
}

/** RFC 9989 sections 9.1 and 9.2; undefined when nothing was checked. */
export function dmarcPart({ message }: Context): string | undefined {
  const facts = dmarcOf(message)
  const result = facts?.resultWord
  if (facts === undefined || result === undefined) return undefined
  const author = facts.author === '' ? '' : ` header.from=${value(facts.author)}`
  const policy = facts.evaluation?.policy
  return `dmarc=${result}${author}${policy === undefined ? '' : ` policy.dmarc=${policy.evaluated}`}`
}

/** RFC 8617 section 7.2; undefined when no chain was checked. */
function arc({ message, connection }: Context): string | undefined {
  const facts = arcOf(message)
  if (facts === undefined) return undefined
  if (facts.state === 'none') return 'arc=none'
  const instances = facts.instances > 0 ? `i=${facts.instances}` : ''
  const why = [instances, facts.reason].filter((one) => one !== '').join('; ')
  let said = `arc=${facts.state}${why === '' ? '' : ` (${comment(why)})`}`
  const domain = facts.domains.at(-1) ?? ''
  if (domain !== '') said += ` header.d=${value(domain)}`
  if (facts.selector !== '') said += ` header.s=${value(facts.selector)}`
  // RFC 8617 section 5.2: 0 when all message signatures hold.
  if (facts.state === 'pass') said += ` header.oldest-pass=${facts.oldestPass === 1 ? 0 : facts.oldestPass}`
  return connection?.hostAddress === undefined
    ? said
    : `${said} smtp.remote-ip=${value(connection.hostAddress)}`
}

/** One for each signature. RFC 8601 section 2.7.1; an empty list when nothing was signed, as Exim has it. */
function dkim({ message }: Context): readonly string[] {
  return (dkimOf(message)?.signatures ?? []).map((signature) => {
    const { writtenDomain, identity, selector, algorithm } = signature
    let said: string
    // An ACL has judged: RFC 8601 section 2.7.1, "policy".
    if (overridden(signature)) said = `dkim=policy (${comment(`${signature.status} - ${signature.reason}`)})`
    else {
      const why = commentOf(signature)
      said = `dkim=${signature.verified}${why === '' ? '' : ` (${comment(why)})\n\t\t`}`
    }
    if (writtenDomain !== '') said += ` header.d=${value(writtenDomain)}`
    if (identity !== '') said += ` header.i=${value(identity)}`
    if (selector !== '') said += ` header.s=${value(selector)}`
    return algorithm === '' ? said : `${said} header.a=${value(algorithm)}`
  })
}

/** Exim's words where it has some of its own for this place. */
function commentOf({ detail, foundReason, key }: DkimSignature): string {
  switch (foundReason) {
    case 'pubkey_unavailable':
      return 'pubkey unavailable'
    case 'pubkey_syntax':
      return 'public key record import problem'
    case 'pubkey_too_short':
      return `public key too short: ${key?.bits ?? 0} bits`
    case 'bodyhash_mismatch':
      return 'body hash mismatch; body probably modified in transit'
    case 'signature_incorrect':
      return 'signature did not verify; headers probably modified in transit'
    default:
      return detail
  }
}

const LONGEST = 255

function printable(text: string): string {
  return text.slice(0, LONGEST).replaceAll(/[^\x20-\x7e]/g, '?')
}

/** A domain, an address or a token stays as it is; anything else becomes a quoted string. */
function value(text: string): string {
  const shown = printable(text)
  if (/^[\w!#$%&'*+.^`{|}~@-]+$/.test(shown)) return shown
  return `"${shown.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`
}

function comment(text: string): string {
  return printable(text).replaceAll(/[()\\]/g, (character) => `\\${character}`)
}
