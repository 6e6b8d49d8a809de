/** Rules of manualroute: words that are no options, hosts with the wrong things between them, and no transport. */
import { nearest, type Report, type Span } from '../../../base/diagnostic.ts'
import { Expandable } from '../../../base/expandable.ts'
import { parseIp } from '../../../base/ip.ts'
import { textOf } from '../../../base/text.ts'
import { parseRule } from '../../../flow/routing/route-rules.ts'
import type { Configuration, RouterInstance } from '../../../language/config/configuration.ts'
import { createListMatcher } from '../../../language/lists/index.ts'
import type { Check } from './subject.ts'

const words = ['bydns', 'byname', 'ipv4_only', 'ipv4_prefer', 'no_randomize', 'randomize']

interface Rule {
  readonly pattern: string
  readonly hosts: string
  readonly options: readonly string[]
}

export const routes: Check = {
  name: 'routes',
  doc: 'Rules of manualroute routers.',
  run({ configuration }, report) {
    for (const router of configuration.routers)
      if (router.driver === 'manualroute') judge(router, configuration, report)
  },
}

function judge(router: RouterInstance, configuration: Configuration, report: Report): void {
  let transports = router.setAt.has('transport') || router.settings.verify_only
  for (const [name, hasPattern] of [
    ['route_list', true],
    ['route_data', false],
  ] as const) {
    const value: unknown = Object.getOwnPropertyDescriptor(router.settings, name)?.value
    const text = value instanceof Expandable ? value.text : value
    if (typeof text !== 'string') continue
    const at = value instanceof Expandable ? value.span() : router.setAt.get(name)
    for (const rule of rulesOf(text, hasPattern)) {
      // An expansion may give anything, a transport too.
      if (rule === undefined) transports = true
      else {
        if (rule.options.some((word) => configuration.transports.has(word))) transports = true
        if (!optionsAreKnown(rule, configuration, at, report)) transports = true
        else hosts(rule, hasPattern, router, configuration, at, report)
      }
    }
  }
  if (!transports)
    report({
      code: 'transport-missing',
      severity: 'error',
      message: `${router.name} router: no transport defined`,
      at: router.at,
      help: 'add "transport = NAME", or name a transport behind the hosts of each rule',
    })
}

function rulesOf(text: string, hasPattern: boolean): (Rule | undefined)[] {
  const list = /^\s*</.test(text) ? text : `<;${text}`
  const rules = hasPattern ? createListMatcher().splitList(list).map(textOf) : [text]
  return rules.map((rule) => {
    if (/[$\\]/.test(rule)) return undefined
    const { pattern, hosts: given, options } = parseRule(rule, hasPattern)
    return { pattern, hosts: textOf(given), options }
  })
}

function optionsAreKnown(
  { hosts: given, options }: Rule,
  { transports }: Configuration,
  at: Span | undefined,
  report: Report,
): boolean {
  const wrong = options.find((word) => !words.includes(word) && !transports.has(word))
  if (wrong === undefined) return true
  const near = nearest(wrong, [...words, ...transports.keys()])
  const several = /[,:]$/.test(given) || /[.:]/.test(wrong)
  report({
    code: 'route-option',
    severity: 'error',
    message: `unknown routing option or transport name "${wrong}"`,
    at,
    help: several
      ? 'rules are separated by semicolons; several hosts of one rule by colons, in quotes: * "one.example : two.example"'
      : near === undefined
        ? `options are ${words.join(', ')}`
        : `did you mean "${near}"?`,
  })
  return false
}

function hosts(
  { pattern, hosts: given }: Rule,
  hasPattern: boolean,
  { settings }: RouterInstance,
  { transports }: Configuration,
  at: Span | undefined,
  report: Report,
): void {
  const tell = (code: string, message: string, help: string): void =>
    report({ code, severity: 'warning', message, at, help })
  const transport = transports.get(settings.transport?.text ?? '')
  if (given === '') {
    const own: unknown = transport && Object.getOwnPropertyDescriptor(transport.settings, 'hosts')?.value
    if (hasPattern && transport?.driver === 'smtp' && own === undefined)
      tell(
        'route-hosts',
        `no host follows the pattern "${pattern}" of this rule`,
        `first the domains, then the hosts: write "* ${pattern}" to send all mail there`,
      )
    return
  }
  if (/^\s*</.test(given)) return
  const bare = given.replace(/^\[(.*)\]$/, '$1')
  const items = createListMatcher().splitList(given).map(textOf)
  const port = items.find((item, i) => i > 0 && /^\d+$/.test(item))
  if (parseIp(bare)?.version === 6)
    tell(
      'list-ipv6',
      `the colons of "${bare}" separate hosts: it is read as ${items.map((item) => `"${item}"`).join(', ')}`,
      `double each colon: ${bare.replaceAll(':', '::')}, or begin the list with "<;", in quotes`,
    )
  else if (port !== undefined)
    tell(
      'route-port',
      `"${port}" is taken as the name of a host: a colon separates hosts`,
      `the colon before a port is doubled: ${given.replace(new RegExp(`:\\s*${port}`), `::${port}`)}`,
    )
  else if (items.some((item) => /,\s*\S/.test(item)))
    tell(
      'list-commas',
      `"${given}" names one host: several hosts are separated by colons`,
      `write "${given.split(/\s*,\s*/).join(' : ')}" in quotes`,
    )
}
