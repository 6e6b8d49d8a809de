/** Holds the settings against the rules, and what needs more than one row. */
import { nearest, type Report, type Span } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import { logSelectors } from '../../mail/log-selectors.ts'
import type { Configuration, Instance } from './configuration.ts'
import { MappedText } from './mapped.ts'
import { rewriteRulesOf } from './rewrite.ts'
import { mainRules } from './main-rules.ts'
import { type Rule, rules, viewOf } from './rules.ts'
import { error } from './settings.ts'

/** Instances that a rule has complained about; what their drivers would say of the same settings is left out. */
export type Refused = ReadonlySet<Instance<object>>

export function checkRules(configuration: Configuration, report: Report): Refused {
  const refused = new Set<Instance<object>>()
  checkMain(configuration, report)
  checkLogSelector(configuration, report)
  for (const router of configuration.routers) checkInstance('router', router, refused, report)
  for (const transport of configuration.transports.values()) {
    checkInstance('transport', transport, refused, report)
    const { headers_rewrite } = transport.settings
    if (headers_rewrite !== undefined) rewriteRulesOf(headers_rewrite, report)
  }
  const servers = new Map<string, Configuration['authenticators'][number]>()
  for (const authenticator of configuration.authenticators) {
    checkInstance('authenticator', authenticator, refused, report)
    checkPublicName(authenticator, servers, report)
  }
  return refused
}

function checkInstance(
  kind: Rule['kind'],
  instance: Instance<object>,
  refused: Set<Instance<object>>,
  report: Report,
): void {
  const view = viewOf(instance.name, instance.settings)
  for (const rule of rules) {
    if (rule.kind !== kind || (rule.driver !== undefined && rule.driver !== instance.driver)) continue
    if (!rule.broken(view)) continue
    if (namedIn(rule.says(view)).some((name) => instance.setAt.has(name) && view.value(name) === undefined)) {
      // What was said of the value is enough.
      refused.add(instance)
      continue
    }
    refused.add(instance)
    const at = instance.setAt.get(rule.option) ?? instance.at
    error(report, 'settings-conflict', rule.says(view), at, rule.help)
  }
}

/** Options that a sentence names. */
function namedIn(sentence: string): string[] {
  return [...sentence.matchAll(/"(\w+)"/g)].map((found) => found[1] ?? '')
}

function checkMain({ main, mainSetAt }: Configuration, report: Report): void {
  const view = viewOf('main', main)
  for (const rule of mainRules) {
    const at = mainSetAt.get(rule.option)
    if (at === undefined) continue
    const value = view.value(rule.option)
    // What could not be read has been told.
    if (value === undefined) continue
    const text =
      typeof value === 'number' || typeof value === 'boolean' ? String(value) : view.text(rule.option)
    const fault = rule.fault(text, (option) => view.value(option) === true)
    if (fault === undefined) continue
    const span = value instanceof Expandable ? value.span() : wordSpan(at, text)
    error(report, 'value-unknown', fault.says, span, fault.help)
  }
}

/** Source: Exim manual, "Reducing or increasing what is logged". */
function checkLogSelector({ main, mainSetAt }: Configuration, report: Report): void {
  const at = mainSetAt.get('log_selector')
  const text = main.log_selector ?? ''
  if (at === undefined) return
  const names = [...Object.keys(logSelectors), 'all']
  for (let rest = text.trimStart(); rest !== ''; ) {
    const [word, sign, name = ''] = /^([+=-])([A-Za-z0-9_]*)[ \t]*/.exec(rest) ?? []
    if (word === undefined) {
      const message = `malformed log_selector setting: + or - expected but found "${rest}"`
      error(report, 'log-selector', message, wordSpan(at, rest), 'each word is +name or -name')
      return
    }
    rest = rest.slice(word.length)
    if (sign === '=' || names.includes(name)) continue
    const near = nearest(name, names)
    const help = near === undefined ? `known are ${names.join(', ')}` : `did you mean "${sign}${near}"?`
    error(
      report,
      'log-selector',
      `unknown log_selector setting: ${sign}${name}`,
      wordSpan(at, word.trimEnd()),
      help,
    )
  }
}

/** The place of a word in the value of a setting whose name stands at `name`. */
function wordSpan(name: Span, word: string): Span {
  const line = name.origin
  if (!(line instanceof MappedText)) return name
  const start = line.text.indexOf(word, name.end)
  return start === -1 ? name : line.span(start, start + word.length)
}

const serverOptions = [
  'server_condition',
  'server_secret',
  'server_password',
  'server_socket',
  'server_param1',
]

function checkPublicName(
  authenticator: Configuration['authenticators'][number],
  servers: Map<string, Configuration['authenticators'][number]>,
  report: Report,
): void {
  if (!serverOptions.some((option) => authenticator.setAt.has(option))) return
  const publicName = (authenticator.settings.public_name ?? authenticator.name).toUpperCase()
  const first = servers.get(publicName)
  if (first === undefined) {
    servers.set(publicName, authenticator)
    return
  }
  report({
    code: 'public-name-twice',
    severity: 'error',
    fatal: true,
    message: `two server authenticators (${first.name} and ${authenticator.name}) have the same public name (${publicName})`,
    at: authenticator.setAt.get('public_name') ?? authenticator.at,
    help: 'a client could not choose between them; give one another name',
    also: [{ at: first.setAt.get('public_name') ?? first.at, says: 'the first one' }],
  })
}
