/** Authenticators that clients are never offered, or cannot use. */
import type { AuthenticatorInstance } from '../../../language/config/configuration.ts'
import type { Check } from './subject.ts'

export const authenticators: Check = {
  name: 'authenticators',
  doc: 'Servers of plaintext authenticators that lack something.',
  run({ configuration }, report) {
    for (const authenticator of configuration.authenticators) {
      if (authenticator.driver !== 'plaintext') continue
      const [option, message, help] = lacking(authenticator) ?? []
      if (message === undefined) continue
      const at = authenticator.setAt.get(option ?? '') ?? authenticator.at
      report({ code: 'authenticator-incomplete', severity: 'warning', message, at, help })
    }
  },
}

/** The option that says what was meant, what is wrong, and how to mend it. */
function lacking({ name, setAt, settings }: AuthenticatorInstance): [string, string, string] | undefined {
  const publicName = (settings.public_name ?? name).toUpperCase()
  if (!setAt.has('server_condition'))
    return setAt.has('server_prompts') || setAt.has('server_set_id')
      ? [
          setAt.has('server_prompts') ? 'server_prompts' : 'server_set_id',
          `clients are not offered ${publicName}: server_condition is not set`,
          'server_condition decides who may pass; without it the authenticator serves for sending only',
        ]
      : undefined
  if (publicName !== 'LOGIN' || setAt.has('server_prompts')) return undefined
  return [
    'server_condition',
    'LOGIN without prompts: the client waits to be asked for its name and password',
    'add "server_prompts = Username:: : Password::"',
  ]
}
