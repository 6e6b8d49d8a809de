/** The lmtp transport: LMTP to a Unix socket or to a command. Source: Exim manual, "The lmtp transport". */
import { isFailure } from '../../../base/outcome.ts'
import { isTainted, textOf } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import { commandArguments } from '../../command-line.ts'
import { expanded } from '../expanding.ts'
import { rcptAddress } from '../rcpt-address.ts'
import type { LmtpJob } from '../local/lmtp.ts'
import { type AddressOutcome, errorNumbers } from '../results.ts'
import type { Context } from '../../../ports.ts'
import { batchLimits } from './batching.ts'
import type { Batch, TransportDriver } from './driver.ts'
import { deferral, type JobOrOutcome, type LocalFrame, runLocal } from './local.ts'
import { lmtpOptions, type LmtpSettings } from './lmtp.options.ts'

type Settings = TransportInstance<LmtpSettings>['settings']

export const lmtp: TransportDriver = {
  name: 'lmtp',
  doc: 'Speaks LMTP to a Unix socket or to a command.',
  options: lmtpOptions,
  local: true,
  check(instance, report) {
    const { command, socket } = settingsOf(instance)
    if ((command === undefined) !== (socket === undefined)) return
    const wrong =
      command === undefined ? 'either command or socket must be set' : 'command and socket cannot both be set'
    report({
      code: 'lmtp-settings',
      severity: 'error',
      message: `${instance.name} transport: ${wrong}`,
      at: instance.at,
      fatal: true,
    })
  },
  limits: (routed, context) => {
    const { batch_max, batch_id } = settingsOf(routed.transport)
    return batchLimits(routed, context, batch_max, batch_id)
  },
  run: (batch, context, environment) =>
    runLocal(batch, context, environment, (frame, inner) => prepare(batch, frame, inner)),
}

/** The driver of the instance is lmtp, so its settings were read through that table. */
function settingsOf(instance: TransportInstance): Settings {
  return (instance as TransportInstance<LmtpSettings>).settings
}

async function prepare(batch: Batch, frame: LocalFrame, context: Context): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const over = await overWhat(batch, settings, context)
  if ('outcome' in over) return over
  return {
    job: {
      kind: 'lmtp',
      head: frame.head,
      tail: '',
      escape: undefined,
      useCrlf: false,
      currentDirectory: frame.identity.currentDirectory,
      umask: 0o22,
      initgroups: frame.identity.initgroups,
      over,
      environment: {},
      transportName: batch.transport.name,
      helo: context.server.primaryHostname,
      sender: batch.returnPath,
      recipients: batch.addresses.map((routed) => ({
        address: rcptAddress(routed, batch.transport.settings),
        recipient: routed.recipient,
      })),
      timeoutMs: settings.timeout * 1000,
      ignoreQuota: settings.ignore_quota,
      explained: context.trace !== undefined,
    },
  }
}

async function overWhat(
  batch: Batch,
  settings: Settings,
  context: Context,
): Promise<LmtpJob['over'] | { outcome: AddressOutcome }> {
  const name = batch.transport.name
  if (settings.command !== undefined) {
    const split = await commandArguments(
      {
        text: settings.command.text,
        expand: true,
        addresses: batch.addresses.map((routed) => routed.address),
        by: `${name} transport`,
      },
      context,
    )
    return 'is' in split ? refuse(split.message) : { argv: split.argv }
  }
  const socket = await expanded(settings.socket, context)
  if (socket === undefined) return refuse(`no socket is set for ${name} transport`)
  if (isFailure(socket)) {
    return refuse(
      `Expansion of "${settings.socket?.text ?? ''}" (socket setting for ${name} transport) failed: ${socket.message}`,
    )
  }
  if (isTainted(socket))
    return refuse(`Tainted '${textOf(socket)}' (socket for ${name} transport) not permitted`)
  return { socket }
}

function refuse(message: string): { outcome: AddressOutcome } {
  return { outcome: deferral(message, errorNumbers.unknown) }
}
