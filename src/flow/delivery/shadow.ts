/** Shadow transports: a copy to another place, whose fate changes nothing. Source: Exim manual, option shadow_transport. */
import { isFailure } from '../../base/outcome.ts'
import type { Context } from '../../ports.ts'
import { expanded } from './expanding.ts'
import type { AddressOutcome, TransportResult } from './results.ts'
import type { Batch, DeliveryEnvironment, TransportDriver } from './transports/driver.ts'
import { isTrueText } from '../true-text.ts'

/** Runs the shadow of a local transport for what was delivered; `ST=` tells how it went. */
export async function withShadow(
  result: TransportResult,
  batch: Batch,
  drivers: Readonly<Record<string, TransportDriver>>,
  context: Context,
  environment: DeliveryEnvironment,
): Promise<TransportResult> {
  const { shadow_transport: name, shadow_condition: condition } = batch.transport.settings
  if (name === undefined || !result.addresses.some((one) => one.outcome.is === 'delivered')) return result
  if (condition !== undefined) {
    const value = await expanded(condition, context)
    if (isFailure(value) && value.kind !== 'forced') {
      const what = `failed to expand condition "${condition.text}" for ${batch.transport.name} transport`
      context.ports.log.panic(environment.claim.id, `${what}: ${value.message}`)
    }
    if (value === undefined || isFailure(value) || !isTrueText(value)) return result
  }
  const transport = environment.deps.transports.get(name)
  const driver = transport === undefined ? undefined : drivers[transport.driver]
  if (transport === undefined || driver === undefined || !driver.local) return result
  const shadowed = batch.addresses.map((routed) => ({ ...routed, transport }))
  const copy = await driver.run({ ...batch, transport, addresses: shadowed }, context, environment)
  const told = verdictOf(name, copy.addresses[0]?.outcome)
  return {
    hosts: result.hosts,
    addresses: result.addresses.map((one) =>
      one.outcome.is === 'delivered' ? { ...one, outcome: { ...one.outcome, shadow: told } } : one,
    ),
  }
}

function verdictOf(name: string, outcome: AddressOutcome | undefined): string {
  if (outcome === undefined || outcome.is === 'delivered') return name
  const { errorText, errno, message } = outcome.error
  const system = errno > 0 && errorText !== undefined ? `${errorText}: ` : ''
  return `${name} (${system}${message ?? ''})`
}
