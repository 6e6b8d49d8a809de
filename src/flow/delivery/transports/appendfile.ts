/** The appendfile transport: into a mailbox file or a maildir. Source: Exim manual, "The appendfile transport". */
import { Failure } from '../../../base/outcome.ts'
import { isTainted, textOf } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import { expanded, expandedBytes } from '../expanding.ts'
import { maildirName } from '../local/maildir.ts'
import { errorNumbers } from '../results.ts'
import { appendfileOptions, type AppendfileSettings } from './appendfile.options.ts'
import type { Batch, TransportDriver } from './driver.ts'
import { deferral, type JobOrOutcome, type LocalFrame, runLocal } from './local.ts'

export const appendfile: TransportDriver = {
  name: 'appendfile',
  doc: 'Writes messages into mailbox files or into folders with one file a message.',
  options: appendfileOptions,
  local: true,
  check() {},
  limits(routed) {
    return { most: settingsOf(routed.transport).batch_max, multiDomain: true }
  },
  run: (batch, context, environment) =>
    runLocal(batch, context, environment, (frame, inner) => prepare(batch, frame, inner)),
}

/** The driver of the instance is appendfile, so its settings were read through that table. */
function settingsOf(instance: TransportInstance): TransportInstance<AppendfileSettings>['settings'] {
  return (instance as TransportInstance<AppendfileSettings>).settings
}

async function prepare(batch: Batch, frame: LocalFrame, context: Context): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const directory = await expanded(settings.directory, context)
  if (directory instanceof Failure || directory === undefined) {
    return refuse(
      `Expansion of "${settings.directory?.text ?? ''}" (file or directory name for ${batch.transport.name} transport) failed: ${directory?.message ?? ''}`,
    )
  }
  if (isTainted(directory)) {
    return refuse(
      `Tainted '${textOf(directory)}' (file or directory name for ${batch.transport.name} transport) not permitted`,
    )
  }
  const tag = await expandedBytes(settings.maildir_tag, context)
  if (tag instanceof Failure) {
    return refuse(
      `Expansion of "${settings.maildir_tag?.text ?? ''}" (maildir_tag for ${batch.transport.name} transport) failed: ${tag.message}`,
    )
  }
  return {
    job: {
      kind: 'maildir',
      head: frame.head,
      tail: '',
      currentDirectory: frame.identity.currentDirectory,
      umask: 0,
      initgroups: frame.identity.initgroups,
      directory,
      createDirectory: settings.create_directory,
      directoryMode: settings.directory_mode,
      mode: settings.mode,
      name: maildirName(microseconds(context), context.server.pid, context.server.primaryHostname),
      tag: tag ?? '',
    },
  }
}

/** Node's clock has milliseconds; the last digits make names of one millisecond differ. */
function microseconds(context: Context): number {
  return context.ports.now() * 1000 + context.ports.random(1000)
}

function refuse(message: string): JobOrOutcome {
  return { outcome: deferral(message, errorNumbers.unknown) }
}
