/**
 * DMARC of the message at hand: whether it is checked, what the other mechanisms say, what is logged and kept.
 * Sources: Exim manual, "DMARC"; requirements D5, D6 and D9 to D18.
 */
import { unreachable } from '../../../base/outcome.ts'
import type { ByteString } from '../../../base/text.ts'
import { dkimOf, dkimResult } from '../../../mail/dkim-facts.ts'
import {
  type DmarcEvaluation,
  DmarcFacts,
  type DmarcStatus,
  dmarcOf,
  type Identifier,
  keepDmarc,
} from '../../../mail/dmarc-facts.ts'
import { headerBody, isNamed } from '../../../mail/header.ts'
import { printable } from '../../../mail/log-lines.ts'
import { keepSpf, spfOf } from '../../../mail/spf-facts.ts'
import type { Context, MessageFacts } from '../../../ports.ts'
import { checkSpf } from '../spf/check.ts'
import { type Author, authorOf } from './author.ts'
import { type Authenticated, evaluate, type EvaluateOptions } from './evaluate.ts'
import { writeHistory } from './history-file.ts'
import { modeOf } from './suffix-file.ts'

/** Domains of one From: header that RFC 7489 has evaluated one by one. */
const MOST_AUTHORS = 4
const LONGEST_SHOWN = 200

/** Checks the message once; whoever asks again gets the same. */
export async function checkDmarc(context: Context): Promise<DmarcFacts> {
  const { message } = context
  if (message === undefined) return new DmarcFacts('none', 'not checked: no message', '', undefined)
  const known = dmarcOf(message)
  if (known !== undefined) return known
  const step = context.trace?.begin('verify', 'DMARC: is the author genuine?')
  const within = step === undefined ? context : { ...context, trace: step }
  const facts = unchecked(context, message) ?? (await check(within, message))
  step?.end(`${facts.status}: ${facts.statusText}`)
  keepDmarc(message, facts)
  return facts
}

/** Of an explanation: who vouches for the domain of From:, and whether that is the same domain. */
function explain({ author, spf, dkim }: DmarcEvaluation, { trace }: Context): void {
  if (trace === undefined) return
  const told = ({ result, aligned }: Identifier): string =>
    `${result}, ${aligned === 'no' ? 'not aligned' : `aligned (${aligned})`}`
  trace.note('variable', 'From: is of', author)
  trace.note('variable', `SPF of ${spf.domain === '' ? 'no domain' : spf.domain}:`, told(spf))
  if (dkim.length === 0) trace.note('variable', 'DKIM:', 'no signature')
  for (const each of dkim) trace.note('variable', `DKIM of ${each.domain}:`, told(each))
}

/** Why a message is not checked: a control, or a sender that is trusted for other reasons. */
function unchecked({ connection }: Context, { controls }: MessageFacts): DmarcFacts | undefined {
  const say = (status: DmarcStatus, why: string): DmarcFacts =>
    new DmarcFacts(status, `not checked: ${why}`, '', undefined)
  if (controls.dmarcDisableVerify) return say('off', 'control = dmarc_disable_verify')
  if (controls.dkimDisableVerify) return say('off', 'control = dkim_disable_verify')
  if (connection?.hostAddress === undefined) return say('none', 'local')
  if (connection.authenticatedBy !== undefined) return say('none', 'authenticated')
  return undefined
}

async function check(context: Context, message: MessageFacts): Promise<DmarcFacts> {
  const mode = await modeOf(context)
  if (mode.is === 'off') return new DmarcFacts('none', 'not checked: dmarc_tld_file is empty', '', undefined)
  if (mode.is === 'failure') {
    context.ports.log.panic(message.id || undefined, mode.message, { event: 'dmarc:failure' })
    return new DmarcFacts('temperror', 'Internal Policy Error', '', undefined)
  }
  const author = authorOf(message.headers)
  const suffixes = mode.is === 'rfc7489' ? mode.suffixes : undefined
  // RFC 9989 section 5.3.1 stops at several domains; RFC 7489 section 6.6.1 has each of them evaluated.
  const several = author.is === 'several' && suffixes !== undefined && author.domains.length <= MOST_AUTHORS
  if (author.is !== 'domain' && !several) return noAuthor(author, context, message)
  const authenticated = await authenticatedOf(context, message)
  const options: EvaluateOptions = {
    dns: (name, type) => context.ports.dns(name, type),
    random: (limit) => context.ports.random(limit),
    suffixes,
  }
  const domains = author.is === 'domain' ? [author.domain] : author.domains
  const evaluations: DmarcEvaluation[] = []
  for (const domain of domains) evaluations.push(await evaluate(domain, authenticated, options))
  for (const each of evaluations) explain(each, context)
  const [first] = evaluations
  if (first === undefined) throw new Error('an author without a domain')
  if (!several) return settled(first, context, message)
  // The strictest policy among those that fail; whatever passes, the others could be lies.
  const strictest = evaluations
    .filter((each) => each.result === 'fail' && each.policy !== undefined)
    .toSorted((a, b) => severity(b) - severity(a))[0]
  return strictest === undefined ? noAuthor(author, context, message) : settled(strictest, context, message)
}

function severity({ policy }: DmarcEvaluation): number {
  return ['none', 'quarantine', 'reject'].indexOf(policy?.evaluated ?? 'none')
}

function noAuthor(
  author: Exclude<Author, { is: 'domain' }>,
  context: Context,
  message: MessageFacts,
): DmarcFacts {
  const problem = author.is === 'several' ? 'addresses of several domains' : author.problem
  const header = message.headers.find((each) => each.type !== '*' && isNamed(each, 'from'))
  if (header !== undefined) {
    const shown = printable(headerBody(header).trim()).slice(0, LONGEST_SHOWN)
    context.ports.log.main(
      message.id || undefined,
      `failure to store header From: in DMARC: ${problem}, header was '${shown}'`,
      { event: 'dmarc:nofrom', problem },
    )
  }
  context.debug?.('acl', `DMARC: ${problem}`)
  return new DmarcFacts('nofrom', 'No From: domain found', '', undefined)
}

/** What SPF and DKIM found. SPF is asked when no ACL did: requirement D10. */
async function authenticatedOf(context: Context, message: MessageFacts): Promise<Authenticated> {
  const before = spfOf(message)
  const spf = await checkSpf(context, 'spf')
  // A guess that an ACL asked for stays what its variables say.
  if (before?.guessed === true) keepSpf(context, before)
  if (spf.identity === 'helo') {
    context.ports.log.main(
      message.id || undefined,
      `DMARC using synthesized SPF sender domain = ${printable(spf.usedDomain).slice(0, LONGEST_SHOWN)}`,
    )
  }
  const dkim = (dkimOf(message)?.signatures ?? []).flatMap((signature) => {
    if (signature.domain === '') return []
    const result = dkimResult(signature)
    // It says nothing about who wrote the message: RFC 6376 section 8.15.
    const counts = result !== 'pass' || signature.coversFrom
    const { domain, selector, identity } = signature
    return [{ domain: domain.toLowerCase(), selector, identity, result: counts ? result : 'policy' }]
  })
  return { spf: { domain: spf.usedDomain.toLowerCase(), result: spf.result, identity: spf.identity }, dkim }
}

async function settled(
  evaluation: DmarcEvaluation,
  context: Context,
  message: MessageFacts,
): Promise<DmarcFacts> {
  const { status, text } = statusOf(evaluation)
  const facts = new DmarcFacts(status, text, evaluation.author, evaluation)
  logResult(facts, evaluation, context, message)
  if (evaluation.policy !== undefined && context.connection?.hostChecking !== true) {
    await writeHistory(facts, evaluation.policy, context, message)
  }
  return facts
}

/** The word and the text of a result: requirement D12. */
function statusOf({ result, policy, problem }: DmarcEvaluation): {
  readonly status: DmarcStatus
  readonly text: ByteString
} {
  switch (result) {
    case 'none':
      return { status: 'norecord', text: 'No DMARC record' }
    case 'permerror':
      return { status: 'norecord', text: `Invalid DMARC record: ${problem ?? ''}` }
    case 'temperror':
      return { status: 'temperror', text: 'Internal Policy Error' }
    case 'pass':
      return { status: 'accept', text: 'Accept' }
    case 'fail':
      if (policy?.evaluated === 'reject') return { status: 'reject', text: 'Reject' }
      if (policy?.evaluated === 'quarantine') return { status: 'quarantine', text: 'Quarantine' }
      return { status: 'none', text: 'None, Accept' }
    default:
      return unreachable(result)
  }
}

function logResult(
  facts: DmarcFacts,
  evaluation: DmarcEvaluation,
  context: Context,
  message: MessageFacts,
): void {
  const { log } = context.ports
  context.ports.count?.('dmarc_results_total', evaluation.result)
  const { policy, spf, dkim, result, author, mode, problem } = evaluation
  const id = message.id || undefined
  const yesNo = (is: boolean): string => (is ? 'yes' : 'no')
  const shown = (text: ByteString): ByteString => printable(text).slice(0, LONGEST_SHOWN)
  if (policy !== undefined) {
    log.main(
      id,
      `DMARC results: spf_domain=${shown(spf.domain)} dmarc_domain=${policy.domain} ` +
        `spf_align=${yesNo(evaluation.spfAligned)} dkim_align=${yesNo(evaluation.dkimAligned)} enforcement='${facts.statusText}'`,
      { event: 'dmarc:result', result, author, domain: policy.domain, policy: policy.evaluated },
    )
  }
  const asks =
    policy === undefined
      ? ''
      : ` policy=${policy.evaluated} (${policy.tag}=${policy.selected} of ${policy.domain})`
  const signatures = dkim.map((each) => `${shown(each.domain)}:${each.result}`).join(' ')
  const line =
    `DMARC: ${result} from=${author}${asks} spf=${shown(spf.domain)}:${spf.result}` +
    `${signatures === '' ? '' : ` dkim=${signatures}`} ${mode}${problem === undefined ? '' : ` (${shown(problem)})`}`
  context.debug?.('acl', line)
  if (log.selects('dmarc_verbose')) log.main(id, line, { event: 'dmarc:verbose', result, author })
}
