/** Names that settings refer to must exist: transports, routers, users. */
import { nearest, type Report, type Span } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import type { Refused } from './checks.ts'
import type { Configuration } from './configuration.ts'
import type { Registries } from './registries.ts'
import { error } from './settings.ts'

/** Names of instances as the file declares them, also of those that could not be read. */
export interface DeclaredNames {
  readonly routers: readonly string[]
  readonly transports: readonly string[]
}

export function checkReferences(
  configuration: Configuration,
  declared: DeclaredNames,
  registries: Registries,
  refused: Refused,
  report: Report,
): void {
  for (const router of configuration.routers) {
    const { settings } = router
    const driver = registries.routers[router.driver]
    if (driver?.needsTransport === true && settings.transport === undefined && !settings.verify_only) {
      const message = `${router.name} router: a transport is required for this router`
      error(report, 'transport-missing', message, router.at, 'add "transport = NAME", or verify_only')
    }
    checkRouterName('pass_router', settings.pass_router, router, declared.routers, report)
    checkRouterName('redirect_router', settings.redirect_router, router, declared.routers, report)
    for (const [option, value] of Object.entries(settings)) {
      if (option !== 'transport' && !option.endsWith('_transport')) continue
      if (!(value instanceof Expandable) || !router.setAt.has(option)) continue
      checkTransportName(`${router.name} router: transport`, value, declared, report)
    }
    if (!refused.has(router)) driver?.check?.(router, report)
  }
  const { main } = configuration
  for (const kind of ['directory', 'file', 'pipe', 'reply'] as const) {
    const value = main[`system_filter_${kind}_transport`]
    if (value !== undefined) checkTransportName(`system_filter_${kind}_transport:`, value, declared, report)
  }
  for (const transport of configuration.transports.values()) {
    const shadow = transport.settings.shadow_transport
    if (shadow !== undefined && !declared.transports.includes(shadow)) {
      const message = `${transport.name} transport: shadow transport "${shadow}" is not defined`
      undefinedName(
        report,
        message,
        transport.setAt.get('shadow_transport'),
        shadow,
        declared.transports,
        true,
      )
    }
    if (!refused.has(transport)) registries.transports[transport.driver]?.check?.(transport, report)
  }
  for (const authenticator of configuration.authenticators) {
    if (!refused.has(authenticator))
      registries.authenticators[authenticator.driver]?.check?.(authenticator, report)
  }
}

function checkRouterName(
  option: 'pass_router' | 'redirect_router',
  name: string | undefined,
  router: Configuration['routers'][number],
  known: readonly string[],
  report: Report,
): void {
  if (name === undefined) return
  const at = router.setAt.get(option)
  const target = known.indexOf(name)
  if (target === -1) {
    // Exim calls the target of both options the new router.
    undefinedName(report, `new_router "${name}" not found for "${router.name}" router`, at, name, known, true)
  } else if (option === 'pass_router' && target <= known.indexOf(router.name)) {
    const help = 'an address is passed on to a later router only; redirect_router may name any'
    error(
      report,
      'reference-backwards',
      `new_router "${name}" does not follow "${router.name}" router`,
      at,
      help,
    )
  }
}

function checkTransportName(owner: string, value: Expandable, declared: DeclaredNames, report: Report): void {
  const { text } = value
  if (text === '' || text.includes('$') || declared.transports.includes(text)) return
  // Exim finds out when a message takes the route, so this does not stop the start.
  undefinedName(report, `${owner} "${text}" is not defined`, value.span(), text, declared.transports, false)
}

function undefinedName(
  report: Report,
  message: string,
  at: Span | undefined,
  name: string,
  known: readonly string[],
  fatal: boolean,
): void {
  const near = nearest(name, known)
  const help =
    near !== undefined
      ? `did you mean "${near}"?`
      : `defined are ${known.length === 0 ? 'none' : known.join(', ')}`
  report({ code: 'reference-undefined', severity: 'error', fatal, message, at, help })
}
