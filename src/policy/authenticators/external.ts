/** The external authenticator: who the client is was settled elsewhere, as by its certificate. Source: RFC 4422 appendix A; Exim manual, "The external authenticator". */
import { isFailure } from '../../base/outcome.ts'
import { textOf } from '../../base/text.ts'
import type { AuthenticatorInstance } from '../../language/config/configuration.ts'
import { askCondition } from './condition.ts'
import type {
  AuthenticatorDriver,
  ClientDialogue,
  ClientVerdict,
  ServerDialogue,
  ServerVerdict,
} from './driver.ts'
import { externalOptions, type ExternalSettings } from './external.options.ts'
import { expandParameters } from './parameters.ts'
import { expansionProblem } from './problem.ts'

export const external: AuthenticatorDriver = {
  name: 'external',
  doc: 'Takes the identity a client claims and lets server_condition judge it: EXTERNAL.',
  options: externalOptions,
  check: () => undefined,
  isServer: ({ settings }) => settings.server_condition !== undefined,
  isClient: (instance) => settingsOf(instance).client_send !== undefined,
  serve,
  call,
}

/** The driver of the instance is external, so its settings were read through its table. */
function settingsOf(instance: AuthenticatorInstance): AuthenticatorInstance<ExternalSettings>['settings'] {
  return (instance as AuthenticatorInstance<ExternalSettings>).settings
}

async function serve({ instance, values, initial, ask }: ServerDialogue): Promise<ServerVerdict> {
  const settings = settingsOf(instance)
  const answer = initial === undefined ? await ask('') : { is: 'data' as const, data: initial }
  if (answer.is !== 'data') return answer
  values.add(answer.data.split('\0', 1)[0] ?? '')
  const failed = await expandParameters(values, [
    [2, settings.server_param2],
    [3, settings.server_param3],
  ])
  return failed ?? askCondition(settings.server_condition, values)
}

async function call(dialogue: ClientDialogue): Promise<ClientVerdict> {
  const { client_send } = settingsOf(dialogue.instance)
  if (client_send === undefined) return { is: 'declined' }
  const expanded = await dialogue.values.expand(client_send)
  if (isFailure(expanded)) {
    if (expanded.kind === 'forced') return { is: 'declined' }
    return {
      is: 'failure',
      message: expansionProblem(client_send.text, dialogue.instance.name, expanded),
    }
  }
  const reply = await dialogue.begin(textOf(expanded))
  return reply.is === 'challenge' ? { is: 'ended' } : reply
}
