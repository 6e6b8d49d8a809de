/** The queuefile transport: copies of messages in the form of Exim's spool. Source: Exim manual, "The queuefile transport". */
import { isFailure } from '../../../base/outcome.ts'
import { isTainted, textOf } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import { headerFileOf } from '../../../store/spool/exim-files.ts'
import { expanded } from '../expanding.ts'
import { errorNumbers } from '../results.ts'
import type { Batch, DeliveryEnvironment, TransportDriver } from './driver.ts'
import { deferral, type JobOrOutcome, type LocalFrame, runLocal } from './local.ts'
import { queuefileOptions, type QueuefileSettings } from './queuefile.options.ts'

export const queuefile: TransportDriver = {
  name: 'queuefile',
  doc: 'Copies the message, envelope and all, into a folder in the form of Exim spool files.',
  options: queuefileOptions,
  local: true,
  check(instance, report) {
    if (settingsOf(instance).directory !== undefined) return
    report({
      code: 'queuefile-settings',
      severity: 'error',
      message: `${instance.name} transport: directory must be set`,
      at: instance.at,
      fatal: true,
    })
  },
  // One copy holds all recipients.
  limits: () => ({ most: 0, multiDomain: true }),
  run: (batch, context, environment) =>
    runLocal(batch, context, environment, (frame, inner) => prepare(batch, frame, inner, environment)),
}

/** The driver of the instance is queuefile, so its settings were read through that table. */
function settingsOf(instance: TransportInstance): TransportInstance<QueuefileSettings>['settings'] {
  return (instance as TransportInstance<QueuefileSettings>).settings
}

async function prepare(
  batch: Batch,
  frame: LocalFrame,
  context: Context,
  { claim }: DeliveryEnvironment,
): Promise<JobOrOutcome> {
  const { directory } = settingsOf(batch.transport)
  const name = batch.transport.name
  const path = await expanded(directory, context)
  if (path === undefined || isFailure(path)) {
    const why = isFailure(path) ? `: ${path.message}` : ''
    return refuse(`Expansion of "${directory?.text ?? ''}" (directory for ${name} transport) failed${why}`)
  }
  if (isTainted(path))
    return refuse(`Tainted '${textOf(path)}' (directory for ${name} transport) not permitted`)
  if (!path.startsWith('/')) return refuse(`${name} transport: directory "${path}" is not absolute`)
  return {
    job: {
      kind: 'queuefile',
      head: '',
      tail: '',
      escape: undefined,
      useCrlf: false,
      currentDirectory: frame.identity.currentDirectory,
      umask: 0o77,
      initgroups: frame.identity.initgroups,
      directory: path,
      id: claim.id,
      headerFile: headerFileOf(claim.message.envelope),
    },
  }
}

function refuse(message: string): { outcome: ReturnType<typeof deferral> } {
  return { outcome: deferral(message, errorNumbers.unknown) }
}
