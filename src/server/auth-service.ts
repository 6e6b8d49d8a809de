/**
 * AUTH on the server's side: which mechanisms a client is offered, and the run of one. Replies and log lines are Exim's.
 * Source: Exim manual, "SMTP authentication", "Authentication on an Exim server"; wording observed of Exim 4.96.
 */
import { isFailure } from '../base/outcome.ts'
import { type ByteString, textOf } from '../base/text.ts'
import { clientMatches } from '../flow/receive/matching.ts'
import type { AuthRequest, AuthResult, AuthService } from '../flow/receive/services.ts'
import type { AuthenticatorInstance } from '../language/config/configuration.ts'
import type { Context } from '../ports.ts'
import { decodeBase64, encodeBase64 } from '../policy/authenticators/base64.ts'
import { isNo } from '../policy/authenticators/condition.ts'
import {
  type AuthenticatorDriver,
  authenticatorDrivers,
  type ServerVerdict,
} from '../policy/authenticators/index.ts'
import type { Answer } from '../policy/authenticators/driver.ts'
import { AuthValues } from '../policy/authenticators/values.ts'

interface ServerAuthenticator {
  readonly instance: AuthenticatorInstance
  readonly driver: AuthenticatorDriver
  readonly publicName: string
}

/** Where a connection keeps the names of the authenticators that were offered to it. */
const offeredKey = 'offeredAuthenticators'

/** Undefined when no authenticator is a server: nothing is offered then. */
export function createAuthService(instances: readonly AuthenticatorInstance[]): AuthService | undefined {
  const servers = instances.flatMap((instance): ServerAuthenticator[] => {
    const driver = authenticatorDrivers[instance.driver]
    if (driver === undefined || !driver.isServer(instance)) return []
    return [{ instance, driver, publicName: instance.settings.public_name ?? instance.name }]
  })
  if (servers.length === 0) return undefined
  const withTls = servers.find(({ driver }) => driver.withTls)
  const asked = servers.filter(({ driver }) => !driver.withTls)
  return {
    async mechanisms(context) {
      const offered: ServerAuthenticator[] = []
      // Who is authenticated has no use for AUTH.
      if (context.connection?.authenticatedBy === undefined) {
        if (await clientMatches(context.settings.auth_advertise_hosts, context)) {
          for (const one of asked) if (await advertised(one, context)) offered.push(one)
        }
      }
      context.connection?.extra.set(offeredKey, offered)
      return offered.map((one) => one.publicName)
    },
    async authenticate(request, context) {
      // Only `mechanisms` stores under this key.
      const offered = (context.connection?.extra.get(offeredKey) ?? []) as readonly ServerAuthenticator[]
      const among = request.unadvertised ? asked : offered
      const wanted = request.mechanism.toUpperCase()
      const found = among.find((one) => one.publicName.toUpperCase() === wanted)
      return found === undefined ? { is: 'unknown' } : run(found, request, context)
    },
    async afterTls(context) {
      if (withTls !== undefined) await authenticateByTls(withTls, context)
    },
  }
}

async function advertised({ instance }: ServerAuthenticator, context: Context): Promise<boolean> {
  const condition = instance.settings.server_advertise_condition
  if (condition === undefined) return true
  const text = await context.ports.expand(condition, { ...context, captures: [] })
  if (!isFailure(text)) return !isNo(textOf(text))
  if (text.kind === 'failure') {
    context.ports.log.panic(
      undefined,
      `failed to expand condition "${condition.text}" for ${instance.name} authenticator: ${text.message}`,
    )
  }
  return false
}

async function run(one: ServerAuthenticator, request: AuthRequest, context: Context): Promise<AuthResult> {
  const { instance, driver } = one
  const values = new AuthValues(context)
  const initial = request.initial === undefined ? undefined : decodeBase64(request.initial)
  const verdict: ServerVerdict =
    request.initial !== undefined && driver.serverSpeaksFirst === true
      ? { is: 'unexpected data' }
      : request.initial !== undefined && initial === undefined
        ? { is: 'not base64' }
        : await driver.serve({
            instance,
            values,
            initial,
            ask: async (challenge) => answerOf(await request.challenge(encodeBase64(challenge))),
          })
  await debugPrint(instance, values)
  values.context.debug?.('auth', `${instance.name} authenticator (${one.publicName}): ${verdict.is}`)
  return resultOf(one, values, verdict)
}

function answerOf(text: ByteString | undefined): Answer {
  if (text === undefined) return { is: 'gone' }
  if (text === '*') return { is: 'cancelled' }
  const data = decodeBase64(text)
  return data === undefined ? { is: 'not base64' } : { is: 'data', data }
}

async function resultOf(
  { instance, publicName }: ServerAuthenticator,
  values: AuthValues,
  verdict: ServerVerdict,
): Promise<AuthResult> {
  const { name } = instance
  switch (verdict.is) {
    case 'ok':
      return { is: 'ok', name, publicName, id: await idOf(instance, values) }
    case 'fail':
      return {
        ...refusal(name, 535, 'Incorrect authentication data'),
        id: await idOf(instance, values),
      }
    case 'defer': {
      const { told, why } = verdict
      const general = 'Unable to authenticate at present'
      return {
        ...refusal(name, 435, told === undefined ? general : `${general}: ${told}`),
        log: `435 ${general}`,
        why,
        id: await idOf(instance, values),
      }
    }
    case 'cancelled':
      return refusal(name, 501, 'Authentication cancelled')
    case 'not base64':
      return refusal(name, 501, 'Invalid base64 data')
    case 'unexpected data':
      return refusal(name, 553, 'Initial data not expected')
    case 'gone':
      return { is: 'gone' }
  }
}

function refusal(name: string, code: number, text: ByteString): Extract<AuthResult, { is: 'refused' }> {
  return { is: 'refused', name, code, reply: text, log: `${code} ${text}` }
}

/** `server_set_id`; an expansion that fails is ignored. */
async function idOf(instance: AuthenticatorInstance, values: AuthValues): Promise<ByteString | undefined> {
  const id = await values.expandOptional(instance.settings.server_set_id)
  return id === undefined || isFailure(id) ? undefined : textOf(id)
}

async function debugPrint(instance: AuthenticatorInstance, values: AuthValues): Promise<void> {
  const { debug } = values.context
  if (debug === undefined) return
  const text = await values.expandOptional(instance.settings.server_debug_print)
  if (text !== undefined) debug('auth', isFailure(text) ? text.message : textOf(text))
}

/** The certificate of the client decides before any AUTH. Source: Exim manual, "The tls authenticator". */
async function authenticateByTls(one: ServerAuthenticator, context: Context): Promise<void> {
  const { connection } = context
  if (connection === undefined || connection.tls === undefined) return
  const values = new AuthValues(context)
  const { instance, driver } = one
  const verdict = await driver.serve({
    instance,
    values,
    initial: undefined,
    ask: async () => ({ is: 'gone' }),
  })
  await debugPrint(instance, values)
  if (verdict.is === 'ok') {
    connection.authenticatedBy = instance.name
    connection.authenticatedMechanism = one.publicName
    connection.authenticatedId = await idOf(instance, values)
  } else if (verdict.is === 'defer') {
    context.ports.log.main(undefined, `${instance.name} authenticator: ${verdict.why}`, {
      event: 'auth:deferred',
    })
  }
}
