/** `@mx_any`, `@mx_primary` and `@mx_secondary`: does mail for a domain come to this host? */
import { formatIp, parseIp } from '../../base/ip.ts'
import { asciiLower, slice, textOf, type Text } from '../../base/text.ts'
import type { ItemResult, Match, Run, TextSubject } from './list.ts'

type Wanted = 'any' | 'primary' | 'secondary'

/** More MX records than this are not followed. */
const MOST_HOSTS = 50

/** Compiles the item; undefined when the text is none of the three. */
export function mxItem(text: Text): Match<TextSubject> | undefined {
  const bytes = textOf(text)
  const shape = /^@mx_(any|primary|secondary)(?:\/ignore=)?/.exec(bytes)
  if (shape === null) return undefined
  const [whole, wanted] = shape
  const ignores = whole.includes('/')
  if (!ignores && whole.length !== bytes.length) return undefined
  const ignored = ignores ? slice(text, whole.length) : undefined
  return (subject, run) => checkMx(asWanted(wanted), ignored, subject, run, text)
}

function asWanted(word: string | undefined): Wanted {
  return word === 'primary' || word === 'secondary' ? word : 'any'
}

async function checkMx(
  wanted: Wanted,
  ignored: Text | undefined,
  subject: TextSubject,
  run: Run,
  item: Text,
): Promise<ItemResult> {
  const answer = await run.context.ports.dns(subject.lower, 'MX')
  if (answer.status === 'again') {
    return { is: 'defer', message: `DNS lookup of "${subject.raw}" deferred` }
  }
  const hosts = answer.records
    .flatMap((record) => (record.type === 'MX' ? [record] : []))
    .sort((a, b) => a.preference - b.preference)
    .slice(0, MOST_HOSTS)
  const lowest = hosts[0]?.preference
  let primary = false
  let secondary = false
  for (const host of hosts) {
    if (!(await isOurs(host.exchange, ignored, run))) continue
    if (host.preference === lowest) primary = true
    else secondary = true
  }
  const yes = wanted === 'any' ? primary || secondary : wanted === 'primary' ? primary : secondary && !primary
  return yes ? { is: 'match', data: textOf(item) } : undefined
}

/** The host is this one, or one that `hosts_treat_as_local` names; addresses of the ignore list do not count. */
async function isOurs(name: string, ignored: Text | undefined, run: Run): Promise<boolean> {
  const { context, engine } = run
  const treatAsLocal = context.settings.hosts_treat_as_local
  if (treatAsLocal !== undefined) {
    const listed = await context.ports.matchList('domain', treatAsLocal, asciiLower(name), context)
    if (listed.is === 'match') return true
  }
  const found = await context.ports.hostAddresses(name)
  if (found.is !== 'found') return false
  const ours = new Set(context.server.localInterfaces())
  for (const address of found.addresses) {
    const ip = parseIp(address)
    if (ip === undefined || !ours.has(formatIp(ip))) continue
    if (ignored === undefined) return true
    const subject = { address, name: undefined, label: address, cacheKey: address }
    const skip = await engine.matchText('host', ignored, subject, run, {
      caseful: false,
      addressesOnly: true,
      inFile: false,
    })
    if (skip.result.is !== 'match') return true
  }
  return false
}
