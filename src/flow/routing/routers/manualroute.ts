/** The manualroute router: hosts for domains, written by hand. Source: Exim manual, chapter 20. */
import type { Report } from '../../../base/diagnostic.ts'
import { isFailure } from '../../../base/outcome.ts'
import { concat, type Text, textOf } from '../../../base/text.ts'
import type { Instance, RouterInstance, TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import type { RouteHost } from '../../routed.ts'
import { findTransport } from '../assign.ts'
import { findHost } from '../find-hosts.ts'
import { type HostItem, parseHostItem } from '../host-items.ts'
import { logMissingHost, lookupTimeout, unknownHost } from '../missing-host.ts'
import { hostsOfMx } from '../mx.ts'
import { parseRule, type RoutingRule, splitRules } from '../route-rules.ts'
import { selfVerdict } from '../self.ts'
import type { RouterDriver, RouterVerdict, RouterWork } from '../types.ts'
import { expandBoolean, type ExpansionTrouble, expandOption, isTrouble } from '../values.ts'
import { manualrouteOptions, type ManualrouteSettings } from './manualroute.options.ts'

export const manualroute: RouterDriver = {
  name: 'manualroute',
  doc: 'Finds hosts for a domain in rules that are written in the configuration or looked up.',
  since: '0.1',
  manual: 'The manualroute router',
  options: manualrouteOptions,
  check,
  async route(work) {
    const settings = settingsOf(work.router)
    const rule = await findRule(settings, work)
    return 'is' in rule ? rule : routeByRule(rule, settings, work)
  },
}

/** The parser fills in the settings of this driver's own table, so they have this form. */
function settingsOf(instance: Instance<object>): ManualrouteSettings {
  return (instance as RouterInstance<ManualrouteSettings>).settings
}

const outcomes = ['decline', 'defer', 'fail', 'freeze', 'ignore', 'pass']

function check(instance: Instance<object>, report: Report): void {
  const settings = settingsOf(instance)
  const complain = (message: string, option: string): void =>
    report({
      code: 'router-setting',
      severity: 'error',
      fatal: true,
      message,
      at: instance.setAt.get(option) ?? instance.at,
    })
  if ((settings.route_list === undefined) === (settings.route_data === undefined)) {
    complain(
      `${instance.name} router: route_list or route_data (but not both) must be specified`,
      'route_data',
    )
  }
  if (!outcomes.includes(settings.host_find_failed)) {
    complain(`${instance.name} router: unrecognized setting for host_find_failed option`, 'host_find_failed')
  }
  if (!outcomes.includes(settings.host_all_ignored) || settings.host_all_ignored === 'ignore') {
    complain(`${instance.name} router: unrecognized setting for host_all_ignored option`, 'host_all_ignored')
  }
}

/** A rule with what its match left behind for the expansion of its hosts. */
interface MatchedRule extends RoutingRule {
  readonly context: Context
  /** route_data is expanded as a whole already. */
  readonly expanded: boolean
}

async function findRule(
  settings: ManualrouteSettings,
  work: RouterWork,
): Promise<MatchedRule | RouterVerdict> {
  if (settings.route_data !== undefined) {
    const data = await expandOption(settings.route_data, work)
    if (isTrouble(data)) return data
    if (data === undefined || textOf(data).trim() === '') return { is: 'decline' }
    return matched(parseRule(data, false), work.context, true)
  }
  for (const text of splitRules(settings.route_list ?? '', work.context)) {
    const rule = parseRule(text, true)
    const context: Context = { ...work.context, captures: [] }
    // The pattern is one item of a domain list: expanded, then not split any further.
    const pattern = await context.ports.expandText(rule.pattern, context)
    if (isFailure(pattern)) {
      if (pattern.kind === 'forced') continue
      const text = `failed to expand "${rule.pattern}" while checking a list: ${pattern.message}`
      context.ports.log.panic(context.message?.id, text)
      return { is: 'defer', message: 'lookup defer in route_list' }
    }
    const list = concat(['<\n', pattern])
    const result = await context.ports.matchListText('domain', list, work.facts.domain, context)
    if (result.is === 'defer' || result.is === 'failure') return { is: 'defer', message: result.message }
    if (result.is === 'no') continue
    context.captures[0] ??= work.facts.domain
    if (result.data === undefined) return matched(rule, context, false)
    const bound = new Map(context.bound).set('value', result.data)
    return matched(rule, { ...context, bound }, false)
  }
  return { is: 'decline' }
}

function matched(
  { pattern, hosts, options }: RoutingRule,
  context: Context,
  isExpanded: boolean,
): MatchedRule {
  return { pattern, hosts, options, context, expanded: isExpanded }
}

interface RuleOptions {
  randomize: boolean | undefined
  method: 'byname' | 'bydns' | 'both'
  ipv4Only: boolean
  ipv4Prefer: boolean
  transport: TransportInstance | undefined
}

async function routeByRule(
  rule: MatchedRule,
  settings: ManualrouteSettings,
  work: RouterWork,
): Promise<RouterVerdict> {
  const hostList = await expandHostList(rule, work)
  if (hostList === undefined) return { is: 'decline' }
  if (isTrouble(hostList)) return hostList
  const options = readOptions(rule.options, work)
  if ('is' in options) return options
  const transport = options.transport ?? (await findTransport(work.router.settings.transport, work))
  if (isTrouble(transport)) return transport
  if (transport !== undefined && transport.driver !== 'smtp') {
    const text = textOf(hostList).trim()
    const unknown = { address: undefined, port: undefined, mx: undefined, dnssec: false }
    const whole: RouteHost = { ...unknown, name: text, list: hostList }
    return { is: 'assign', hosts: text === '' ? [] : [whole], transport }
  }
  const randomize =
    options.randomize ?? (await expandBoolean(settings.hosts_randomize, 'hosts_randomize', false, work))
  if (isTrouble(randomize)) return randomize
  if (textOf(hostList).trim() === '') return noHosts(transport, work)
  const items = orderItems(work.context.ports.splitList(hostList).map(textOf), randomize, work.context)
  return findHosts(items, options, settings, transport, work)
}

/** To verify an address no host is needed. */
function noHosts(transport: TransportInstance | undefined, work: RouterWork): RouterVerdict {
  if (work.purpose.startsWith('verify')) return { is: 'assign', hosts: [], ...(transport && { transport }) }
  const message = `error in ${work.router.name} router: no host(s) specified for domain ${work.facts.domain}`
  work.context.ports.log.main(work.context.message?.id, message)
  return { is: 'defer', message }
}

/** A forced failure makes the router decline, others defer: Exim 4.96, where its manual speaks of all failures. */
async function expandHostList(
  rule: MatchedRule,
  work: RouterWork,
): Promise<Text | undefined | ExpansionTrouble> {
  if (rule.expanded) return rule.hosts
  const text = textOf(rule.hosts)
  const value = await rule.context.ports.expandText(text, rule.context)
  if (!isFailure(value)) return value
  if (value.kind === 'forced') return undefined
  return { is: 'defer', message: `${work.router.name} router: failed to expand "${text}": ${value.message}` }
}

/** Source: Exim manual, "How the options are used". */
function readOptions(words: readonly string[], work: RouterWork): RuleOptions | RouterVerdict {
  const options: RuleOptions = {
    randomize: undefined,
    method: 'both',
    ipv4Only: false,
    ipv4Prefer: false,
    transport: undefined,
  }
  for (const [i, word] of words.entries()) {
    if (word === 'randomize') options.randomize = true
    else if (word === 'no_randomize') options.randomize = false
    else if (word === 'byname') options.method = 'byname'
    else if (word === 'bydns') options.method = 'bydns'
    else if (word === 'ipv4_only') options.ipv4Only = true
    else if (word === 'ipv4_prefer') options.ipv4Prefer = true
    else {
      options.transport = work.services.transports.get(word)
      if (options.transport === undefined) {
        const problem = `unknown routing option or transport name "${words.slice(i).join(' ')}"`
        const { log } = work.context.ports
        log.main(work.context.message?.id, `Error in ${work.router.name} router: ${problem}`)
        return { is: 'defer', message: `error in router: ${problem}` }
      }
    }
  }
  return options
}

/** Items in the order to try; a `+` separates groups that are shuffled each by itself. */
function orderItems(items: readonly string[], randomize: boolean, { ports }: Context): HostItem[] {
  const groups: string[][] = [[]]
  for (const item of items) {
    if (item === '+') groups.push([])
    else if (item !== '') groups.at(-1)?.push(item)
  }
  return groups
    .flatMap((group) => (randomize ? shuffled(group, (limit) => ports.random(limit)) : group))
    .map(parseHostItem)
}

function shuffled<T>(items: readonly T[], random: (limit: number) => number): T[] {
  const rest = [...items]
  const list: T[] = []
  while (rest.length > 0) list.push(...rest.splice(random(rest.length), 1))
  return list
}

async function findHosts(
  items: readonly HostItem[],
  options: RuleOptions,
  settings: ManualrouteSettings,
  transport: TransportInstance | undefined,
  work: RouterWork,
): Promise<RouterVerdict> {
  const hosts: RouteHost[] = []
  // `self = send` has let one in: the others that are this host stay too. Observed of Exim 4.96.
  let selfSends = false
  const assigned = transport === undefined ? {} : { transport }
  for (const item of items) {
    const { method, ipv4Only, ipv4Prefer } = options
    const question = { name: item.name, port: item.port, mx: undefined, method, ipv4Only, ipv4Prefer }
    const found = item.viaMx ? await hostsOfMx(question, work) : await findHost(question, work)
    switch (found.is) {
      case 'again':
        if (work.router.settings.pass_on_timeout) return { is: 'pass' }
        return {
          is: 'defer',
          message: `host lookup for ${item.name} did not complete (DNS timeout?)`,
          errno: lookupTimeout,
        }
      case 'defer':
        return found
      case 'insecure':
        return { is: 'defer', message: `host lookup for "${item.name}" done insecurely` }
      // An address that is ignored is as good as none.
      case 'ignored':
      case 'none': {
        if (!item.viaMx && options.method !== 'bydns') logMissingHost(item.name, work)
        if (settings.host_find_failed === 'ignore') continue
        const message = `lookup of host "${item.name}" failed in ${work.router.name} router`
        return notFound(settings.host_find_failed, unknownHost, message)
      }
      case 'found':
        break
    }
    if (found.localAt === undefined || selfSends) {
      hosts.push(...found.hosts)
      continue
    }
    // This host and what follows it are left out, unless it comes first of all.
    const before = found.hosts.slice(0, found.localAt)
    if (hosts.length + before.length > 0) return { is: 'assign', hosts: [...hosts, ...before], ...assigned }
    const self = selfVerdict(found.hosts[0] ?? { name: item.name, mx: undefined }, work)
    if (self !== undefined) return self
    selfSends = true
    hosts.push(...found.hosts)
  }
  if (hosts.length > 0) {
    return { is: 'assign', hosts, ...assigned, forDomain: settings.same_domain_copy_routing }
  }
  return notFound(
    settings.host_all_ignored,
    undefined,
    `lookup failed for all hosts in ${work.router.name} router: host_find_failed=ignore host_all_ignored=${settings.host_all_ignored}`,
  )
}

function notFound(setting: string, errno: number | undefined, message: string): RouterVerdict {
  const numbered = errno === undefined ? {} : { errno }
  switch (setting) {
    case 'decline':
      return { is: 'decline' }
    case 'pass':
      return { is: 'pass' }
    case 'fail':
      return { is: 'fail', message, untold: true }
    case 'freeze':
      return { is: 'defer', message, ...numbered, freeze: true }
    default:
      return { is: 'defer', message, ...numbered }
  }
}
