/** The dnslookup router: hosts of a domain from its SRV, MX and address records. Source: Exim manual, chapter 17. */
import type { Expandable } from '../../../base/expandable.ts'
import { textOf } from '../../../base/text.ts'
import type { RouterInstance } from '../../../language/config/configuration.ts'
import { completedNames } from '../../../wire/dns/names.ts'
import { findHost } from '../find-hosts.ts'
import { findMx, findSrv, type MxFound } from '../mx.ts'
import { selfVerdict } from '../self.ts'
import type { RouterDriver, RouterVerdict, RouterWork } from '../types.ts'
import { isTrueText } from '../../true-text.ts'
import { type ExpansionTrouble, expandOption, isTrouble } from '../values.ts'
import { dnslookupOptions, type DnslookupSettings } from './dnslookup.options.ts'

export const dnslookup: RouterDriver = {
  name: 'dnslookup',
  doc: 'Looks up the hosts that take mail for the domain in the DNS.',
  since: '0.1',
  manual: 'The dnslookup router',
  options: dnslookupOptions,
  needsTransport: true,
  async route(work) {
    // The parser fills in the settings of this driver's own table, so they have this form.
    const { settings } = work.router as RouterInstance<DnslookupSettings>
    const preferences = await readPreferences(settings, work)
    if (isTrouble(preferences)) return preferences
    const { domain } = work.facts
    if (!isDomainName(domain))
      return { is: 'decline', message: `mail domain "${domain}" is syntactically invalid` }
    let useless: { readonly toAddresses: boolean } | undefined
    for (const name of namesToTry(domain, settings, work)) {
      const found = await lookUp(name, settings, preferences, work)
      if (found.is === 'absent' || found.is === 'none') continue
      if (found.is === 'useless') {
        useless = found
        continue
      }
      if (name !== domain && found.is === 'found') {
        return { is: 'reroute', domain: name, rewriteHeaders: settings.rewrite_headers }
      }
      return verdictOf(found, settings, work)
    }
    return notFound(settings, work, useless)
  },
}

interface Preferences {
  readonly service: string | undefined
  readonly ipv4Only: boolean
  readonly ipv4Prefer: boolean
}

async function readPreferences(
  settings: DnslookupSettings,
  work: RouterWork,
): Promise<Preferences | ExpansionTrouble> {
  const service = await expandOption(
    settings.check_srv,
    work,
    (text) => `${work.router.name} router: failed to expand "${text}"`,
  )
  if (isTrouble(service)) return service
  return {
    service: service === undefined || textOf(service) === '' ? undefined : textOf(service),
    ipv4Only: await isTrue(settings.ipv4_only, work),
    ipv4Prefer: await isTrue(settings.ipv4_prefer, work),
  }
}

/** One that cannot be expanded is told in the panic log, and false: observed of Exim 4.96. */
async function isTrue(option: Expandable | undefined, work: RouterWork): Promise<boolean> {
  const value = await expandOption(option, work)
  if (!isTrouble(value)) return value !== undefined && isTrueText(value)
  work.context.ports.log.panic(work.context.message?.id, value.message)
  return false
}

/** The domain, and what it may be short for. Source: Exim manual, "qualify_single", "search_parents", "widen_domains". */
function namesToTry(domain: string, settings: DnslookupSettings, work: RouterWork): string[] {
  const wanted = { single: settings.qualify_single, parents: settings.search_parents }
  const names = completedNames(domain, wanted, work.services.searchDomains())
  // A sender's domain stays as it is, since its header cannot be rewritten any more.
  if (work.purpose !== 'verify-sender' || !settings.rewrite_headers) {
    names.push(...(settings.widen_domains ?? []).map((parent) => `${domain}.${parent}`))
  }
  return [...new Set(names)]
}

async function lookUp(
  name: string,
  settings: DnslookupSettings,
  preferences: Preferences,
  work: RouterWork,
): Promise<MxFound> {
  if (preferences.service !== undefined) {
    const found = await findSrv(preferences.service, name, preferences, work)
    if (
      found.is !== 'absent' &&
      !(found.is === 'again' && (await covers(settings.srv_fail_domains, name, work)))
    ) {
      return found
    }
  }
  const found = await findMx(name, { ...preferences, port: undefined }, work)
  if (found.is === 'again' && (await covers(settings.mx_fail_domains, name, work))) {
    return addressOf(name, settings, preferences, work)
  }
  if (found.is !== 'absent' || !found.domainExists) return found
  return addressOf(name, settings, preferences, work)
}

/** No MX record: the domain is its own host, RFC 5321 section 5.1, unless `mx_domains` says that it must have one. */
async function addressOf(
  name: string,
  settings: DnslookupSettings,
  { ipv4Only, ipv4Prefer }: Preferences,
  work: RouterWork,
): Promise<MxFound> {
  const mustHaveMx = await covered('mx_domains', settings.mx_domains, name, work)
  if (typeof mustHaveMx !== 'boolean') return mustHaveMx
  if (mustHaveMx) return { is: 'absent', domainExists: true }
  const question = { name, port: undefined, mx: undefined, method: 'bydns', ipv4Only, ipv4Prefer } as const
  const found = await findHost(question, work)
  return found.is === 'found' ? { ...found, secondary: false } : found
}

/** One that cannot be told defers. */
async function covered(
  what: string,
  list: Expandable | undefined,
  domain: string,
  { context }: RouterWork,
): Promise<boolean | (RouterVerdict & { readonly is: 'defer' })> {
  if (list === undefined) return false
  const result = await context.ports.matchList('domain', list, domain, context)
  if (result.is === 'match' || result.is === 'no') return result.is === 'match'
  context.ports.log.panic(context.message?.id, result.message)
  return { is: 'defer', message: `lookup defer for ${what}` }
}

async function covers(list: Expandable | undefined, domain: string, work: RouterWork): Promise<boolean> {
  if (list === undefined) return false
  return (await work.context.ports.matchList('domain', list, domain, work.context)).is === 'match'
}

async function verdictOf(
  found: Exclude<MxFound, { readonly is: 'absent' } | { readonly is: 'none' } | { readonly is: 'useless' }>,
  settings: DnslookupSettings,
  work: RouterWork,
): Promise<RouterVerdict> {
  switch (found.is) {
    case 'defer':
      return found
    case 'again':
      if (work.router.settings.pass_on_timeout) return { is: 'pass' }
      return { is: 'defer', message: 'host lookup did not complete' }
    case 'insecure':
      return { is: 'defer', message: 'host lookup done insecurely' }
    case 'null':
      return (
        (await deferWanted(settings, work)) ?? {
          is: 'decline',
          message: 'an MX or SRV record indicated no SMTP service',
        }
      )
    case 'ignored':
      return notFound(settings, work)
    case 'found': {
      if (settings.check_secondary_mx && !found.secondary) return { is: 'decline' }
      if (found.localAt === undefined)
        return {
          is: 'assign',
          hosts: found.hosts,
          ...(found.shown && { shown: found.shown }),
          secondary: found.secondary,
          forDomain: settings.same_domain_copy_routing,
        }
      const before = found.hosts.slice(0, found.localAt)
      if (before.length > 0) return { is: 'assign', hosts: before, secondary: true }
      const self = selfVerdict(found.hosts[0] ?? { name: work.facts.domain, mx: undefined }, work)
      return self ?? { is: 'assign', hosts: found.hosts }
    }
  }
}

async function notFound(
  settings: DnslookupSettings,
  work: RouterWork,
  useless?: { readonly toAddresses: boolean },
): Promise<RouterVerdict> {
  const defer = await deferWanted(settings, work)
  if (defer !== undefined) return defer
  if (useless === undefined) return { is: 'decline' }
  const toAddresses = useless.toAddresses ? ' or (invalidly) to IP addresses' : ''
  return { is: 'decline', message: `all relevant MX records point to non-existent hosts${toAddresses}` }
}

/** `fail_defer_domains`. */
async function deferWanted(
  settings: DnslookupSettings,
  work: RouterWork,
): Promise<RouterVerdict | undefined> {
  const list = settings.fail_defer_domains
  const wanted = await covered('fail_defer_domains option', list, work.facts.domain, work)
  if (typeof wanted !== 'boolean') return wanted
  const message = 'missing MX, or all MXs point to missing A records, and defer requested'
  return wanted ? { is: 'defer', message } : undefined
}

/** What can be asked of the DNS at all; the resolver goes by `dns_check_names_pattern` besides. */
function isDomainName(domain: string): boolean {
  return /^[^\s[\]]+$/.test(domain)
}
