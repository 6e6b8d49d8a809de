/** Which hosts a callout asks, and how. Source: Exim manual, "Callout verification". */
import { Failure } from '../../../base/outcome.ts'
import type { ByteString } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import { completeSettings, newSettings } from '../../../language/config/settings.ts'
import { transportOptions } from '../../../language/config/options/transport.ts'
import type { Context } from '../../../ports.ts'
import type { CalloutTarget } from '../../callout-types.ts'
import type { RouteHost } from '../../routed.ts'
import { heloWaits } from '../transports/smtp-connected.ts'
import { expandedBytes } from '../expanding.ts'
import { hostsOfOption } from '../transports/smtp-hosts.ts'
import { smtpOptions, type SmtpSettings } from '../transports/smtp.options.ts'

export type CalloutSettings = TransportInstance<SmtpSettings>['settings']

/** Of a router that verifies only: as an smtp transport without options. */
const plainSettings = completeSettings(newSettings(), [
  transportOptions,
  smtpOptions,
]) as unknown as CalloutSettings

/** Undefined: an address of this transport is not asked for by callout. */
export function calloutSettings(transport: TransportInstance | undefined): CalloutSettings | undefined {
  if (transport === undefined) return plainSettings
  // The driver of the instance is smtp, so its settings were read through the table of smtp.
  return transport.driver === 'smtp' ? (transport.settings as CalloutSettings) : undefined
}

/** The hosts in order; empty: the address is not remote. */
export async function calloutHosts(
  target: CalloutTarget,
  settings: CalloutSettings,
  context: Context,
): Promise<readonly RouteHost[] | Failure> {
  const own = settings.hosts !== undefined && (settings.hosts_override || target.hosts.length === 0)
  if (!own) return target.hosts
  return hostsOfOption(settings.hosts, settings.hosts_randomize, context)
}

const namedPorts: Readonly<Record<string, number>> = {
  smtp: 25,
  lmtp: 24,
  smtps: 465,
  submission: 587,
  submissions: 465,
}

export async function calloutPort(settings: CalloutSettings, context: Context): Promise<number | Failure> {
  const text = await expandedBytes(settings.port, context)
  if (text instanceof Failure) return text
  const usual = settings.protocol === 'lmtp' ? 24 : settings.protocol === 'smtps' ? 465 : 25
  if (text === undefined || text.trim() === '') return usual
  const port = namedPorts[text.trim()] ?? Number(text)
  return Number.isInteger(port) && port > 0 && port < 65_536
    ? port
    : new Failure('failure', `invalid port: ${text}`)
}

/** The name we give ourselves: of the transport, else the one the client was greeted with. */
export async function calloutHelo(
  transport: TransportInstance | undefined,
  settings: CalloutSettings,
  context: Context,
): Promise<ByteString | Failure> {
  const active = context.connection?.activeHostname ?? context.server.primaryHostname
  if (transport === undefined) return active
  const helo = heloWaits(settings.helo_data) ? undefined : await expandedBytes(settings.helo_data, context)
  return helo ?? active
}
