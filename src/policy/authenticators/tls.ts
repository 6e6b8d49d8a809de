/** The tls authenticator: a client's certificate authenticates the connection. Source: Exim manual, "The tls authenticator". */
import type { AuthenticatorInstance } from '../../language/config/configuration.ts'
import { askCondition } from './condition.ts'
import type { AuthenticatorDriver, ServerDialogue, ServerVerdict } from './driver.ts'
import { expandParameters } from './parameters.ts'
import { tlsOptions, type TlsSettings } from './tls.options.ts'

export const tls: AuthenticatorDriver = {
  name: 'tls',
  doc: 'Authenticates the connection itself, by what TLS told of the client.',
  options: tlsOptions,
  check: () => undefined,
  withTls: true,
  isServer: (instance) => settingsOf(instance).server_param1 !== undefined,
  isClient: () => false,
  serve,
}

/** The driver of the instance is tls, so its settings were read through its table. */
function settingsOf(instance: AuthenticatorInstance): AuthenticatorInstance<TlsSettings>['settings'] {
  return (instance as AuthenticatorInstance<TlsSettings>).settings
}

async function serve({ instance, values }: ServerDialogue): Promise<ServerVerdict> {
  const settings = settingsOf(instance)
  const failed = await expandParameters(values, [
    [1, settings.server_param1],
    [2, settings.server_param2],
    [3, settings.server_param3],
  ])
  return failed ?? askCondition(settings.server_condition, values)
}
