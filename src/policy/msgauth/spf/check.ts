/** SPF of the message at hand: who is asked about, once for each question; what comes of it. */
import { formatIp, parseIp, unmapped } from '../../../base/ip.ts'
import { isFailure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import { keepSpf, SpfFacts } from '../../../mail/spf-facts.ts'
import type { Context } from '../../../ports.ts'
import { checkHost } from './check-host.ts'
import { clean, headerComment, receivedHeader, type Told } from './header.ts'
import { expandText, parseMacroString, type MacroString } from './macro.ts'
import { asciiDomain } from './names.ts'
import { isSpfRecord } from './record.ts'
import type { AskDns, SpfQuery, SpfResult } from './result.ts'
import { Walk } from './walk.ts'

const KEPT = 'spf results'
const LONGEST_COMMENT = 500
/** Different questions of one message whose answers are kept; there are two for each sender. */
const MOST_KEPT = 20

/** Checks the sender of the message at hand, or the HELO name when the sender is empty: RFC 7208 section 2.4. */
export async function checkSpf(context: Context, use: 'spf' | 'spf_guess'): Promise<SpfFacts> {
  const query = queryOf(context)
  if (query === undefined) {
    const facts = nothingChecked()
    keepSpf(context, facts)
    return facts
  }
  const known = keptOf(context)
  const key = JSON.stringify([use, query.sender, query.helo, formatIp(query.ip)])
  const step = context.trace?.begin('verify', `SPF: may ${formatIp(query.ip)} send for ${query.domain}?`)
  let facts = known.get(key)
  if (facts === undefined) {
    facts = evaluate(query, context, use)
    if (known.size < MOST_KEPT) known.set(key, facts)
  }
  const found = await facts
  keepSpf(context, found)
  step?.end(`${found.result}${found.headerComment === '' ? '' : ` ${found.headerComment}`}`)
  return found
}

type Query = SpfQuery & { readonly identity: 'mfrom' | 'helo' }

/** Undefined when there is no client to ask about. */
function queryOf(context: Context): Query | undefined {
  const { connection, message, server } = context
  const ip = parseIp(connection?.hostAddress ?? '')
  if (ip === undefined) return undefined
  const helo = connection?.helo ?? ''
  const given = message?.sender ?? ''
  const identity = given === '' ? 'helo' : 'mfrom'
  const sender = given === '' ? `postmaster@${helo}` : given
  const domain = asciiDomain(sender.slice(sender.lastIndexOf('@') + 1))
  const receiver = server.primaryHostname
  return { ip: unmapped(ip), sender, domain, helo, receiver, now: context.ports.now(), identity }
}

function nothingChecked(): SpfFacts {
  return new SpfFacts({
    result: '(invalid)',
    identity: 'mfrom',
    usedDomain: '',
    guessed: false,
    headerComment: '',
    received: '',
    smtpComment: '',
  })
}

type Kept = Map<string, Promise<SpfFacts>>

/** One evaluation for each sender, HELO name and address: requirement S11. */
function keptOf(context: Context): Kept {
  const extra = (context.message ?? context.connection)?.extra
  const known = extra?.get(KEPT)
  // Put there below and by nobody else.
  if (known instanceof Map) return known as Kept
  const made: Kept = new Map()
  extra?.set(KEPT, made)
  return made
}

async function evaluate(query: Query, context: Context, use: 'spf' | 'spf_guess'): Promise<SpfFacts> {
  const dns: AskDns = (name, type) => context.ports.dns(name, type)
  let result = await checkHost(query, dns)
  let guessed = false
  const policy = context.settings.spf_guess
  // The guess is for domains that say nothing: requirement S9.
  if (use === 'spf_guess' && result.result === 'none' && isSpfRecord(policy)) {
    guessed = true
    result = await checkHost({ ...query, policy }, dns)
  }
  const ip = formatIp(query.ip)
  const told: Told = { ...query, result, ip }
  const found = {
    result: result.result,
    identity: query.identity,
    usedDomain: query.domain,
    guessed,
    headerComment: headerComment(told),
    received: receivedHeader(told),
  }
  // The template for clients may go by what was found.
  keepSpf(context, new SpfFacts({ ...found, smtpComment: '' }))
  const facts = new SpfFacts({ ...found, smtpComment: await smtpComment(query, result, context) })
  debugAndLog(facts, query, result, context)
  return facts
}

function debugAndLog(facts: SpfFacts, query: Query, result: SpfResult, context: Context): void {
  const why = 'mechanism' in result ? result.mechanism : result.problem
  const text = `SPF: ${facts.result}${facts.guessed ? ' (guessed)' : ''} ${facts.identity}=${clean(query.domain)} ip=${formatIp(query.ip)} helo=${clean(query.helo)} (${clean(why)})`
  context.debug?.('acl', text)
  context.ports.count?.('spf_results_total', facts.result)
  if (!context.ports.log.selects('spf_verbose')) return
  const id = context.message?.id
  context.ports.log.main(id === '' ? undefined : id, text, {
    event: 'spf:result',
    result: facts.result,
    identity: facts.identity,
    domain: query.domain,
  })
}

/**
 * What to tell a client whose mail is not simply allowed: the template, then what the domain has to say.
 * Words of the domain are named as its own: RFC 7208 section 6.2.
 */
async function smtpComment(query: Query, result: SpfResult, context: Context): Promise<string> {
  if (result.result !== 'fail' && result.result !== 'softfail' && result.result !== 'neutral') return ''
  const template = await context.ports.expand(context.settings.spf_smtp_comment_template, context)
  if (isFailure(template)) {
    if (template.kind !== 'forced') {
      context.ports.log.panic(undefined, `failed to expand spf_smtp_comment_template: ${template.message}`)
    }
    return ''
  }
  const text = textOf(template)
  const parts = parseMacroString(text, 'text')
  const said = clean('problem' in parts ? text : withMacros(parts, query, context)).slice(0, LONGEST_COMMENT)
  const explanation = result.result === 'fail' ? result.explanation : undefined
  return explanation === undefined ? said : `${said}; ${clean(query.domain)} explains: ${explanation}`
}

/** `%_`, `%{L}` and so on in the template, as the manual lists them; `%{p}` asks nobody. */
function withMacros(parts: MacroString, query: Query, context: Context): string {
  const walk = new Walk(query, (name, type) => context.ports.dns(name, type))
  try {
    return expandText(parts, (letter) => walk.valueOf(letter, query.domain, 'unknown'), LONGEST_COMMENT)
  } finally {
    walk.end()
  }
}
