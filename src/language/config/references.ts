/** Names that settings refer to must exist: transports, routers, users. */
import { nearest, type Report, type Span } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import type { Configuration } from './configuration.ts'
import type { Registries } from './registries.ts'
import { error } from './settings.ts'

export function checkReferences(configuration: Configuration, registries: Registries, report: Report): void {
  const routerNames = configuration.routers.map((router) => router.name)
  configuration.routers.forEach((router, index) => {
    const { settings } = router
    const driver = registries.routers[router.driver]
    if (driver?.needsTransport === true && settings.transport === undefined && !settings.verify_only) {
      const message = `${router.name} router: a transport is required for this router`
      error(report, 'transport-missing', message, router.at, 'add "transport = NAME", or verify_only')
    }
    for (const option of ['pass_router', 'redirect_router'] as const) {
      const name = settings[option]
      if (name === undefined) continue
      const at = router.setAt.get(option)
      const target = routerNames.indexOf(name)
      if (target === -1)
        undefinedName(
          report,
          `${option} "${name}" not found for ${router.name} router`,
          at,
          name,
          routerNames,
        )
      else if (option === 'pass_router' && target <= index) {
        const message = `pass_router "${name}" must come after ${router.name} router`
        error(report, 'reference-backwards', message, at, `move the router ${name} below`)
      }
    }
    for (const [option, value] of Object.entries(settings)) {
      if (option !== 'transport' && !option.endsWith('_transport')) continue
      if (!(value instanceof Expandable) || value.text.includes('$')) continue
      if (configuration.transports.has(value.text)) continue
      const message = `${router.name} router: transport "${value.text}" is not defined`
      undefinedName(report, message, value.span(), value.text, configuration.transports.keys())
    }
    driver?.check?.(router, report)
  })
  for (const transport of configuration.transports.values()) {
    const shadow = transport.settings.shadow_transport
    if (shadow !== undefined && !configuration.transports.has(shadow)) {
      const message = `${transport.name} transport: shadow transport "${shadow}" is not defined`
      undefinedName(
        report,
        message,
        transport.setAt.get('shadow_transport'),
        shadow,
        configuration.transports.keys(),
      )
    }
    registries.transports[transport.driver]?.check?.(transport, report)
  }
  for (const authenticator of configuration.authenticators) {
    registries.authenticators[authenticator.driver]?.check?.(authenticator, report)
  }
}

function undefinedName(
  report: Report,
  message: string,
  at: Span | undefined,
  name: string,
  known: Iterable<string>,
): void {
  const near = nearest(name, known)
  error(
    report,
    'reference-undefined',
    message,
    at,
    near === undefined ? undefined : `did you mean "${near}"?`,
  )
}
