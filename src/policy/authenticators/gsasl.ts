/** The gsasl authenticator, as far as SCRAM goes; no library is asked. Source: RFC 5802; Exim manual, "The gsasl authenticator". */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { isFailure } from '../../base/outcome.ts'
import { type ByteString, toBytes, textOf } from '../../base/text.ts'
import type { AuthenticatorInstance } from '../../language/config/configuration.ts'
import { askCondition, verdictOfFailure } from './condition.ts'
import type {
  AuthenticatorDriver,
  ClientDialogue,
  ClientVerdict,
  ServerDialogue,
  ServerVerdict,
} from './driver.ts'
import { gsaslOptions, type GsaslSettings } from './gsasl.options.ts'
import { expansionProblem } from './problem.ts'
import {
  base64,
  clientProof,
  digestBytes,
  encodeName,
  keysOf,
  leastIterations,
  mostIterations,
  proofHolds,
  readClientFinal,
  readClientFirst,
  readServerFirst,
  saltPassword,
  type ScramHash,
  scramHashes,
  type ScramKeys,
  serverSignature,
} from './scram.ts'
import type { AuthValues } from './values.ts'

type Settings = AuthenticatorInstance<GsaslSettings>['settings']

export const gsasl: AuthenticatorDriver = {
  name: 'gsasl',
  doc: 'Proves knowledge of a password to both sides without sending it: SCRAM-SHA-1 and SCRAM-SHA-256.',
  options: gsaslOptions,
  check(instance, report) {
    const mechanism = mechanismOf(instance)
    if (scramHashes[mechanism] !== undefined) return
    report({
      code: 'gsasl-mechanism',
      severity: 'error',
      fatal: true,
      message: `${instance.name} authenticator: the gsasl driver does not offer the mechanism ${mechanism} here`,
      at: instance.setAt.get('server_mech') ?? instance.setAt.get('public_name') ?? instance.at,
      help: `it offers ${Object.keys(scramHashes).join(', ')}; PLAIN, LOGIN and CRAM-MD5 have drivers of their own`,
    })
  },
  isServer(instance) {
    const { server_condition, server_password, server_key } = settingsOf(instance)
    return server_condition !== undefined || server_password !== undefined || server_key !== undefined
  },
  isClient: (instance) => settingsOf(instance).client_username !== undefined,
  serve,
  call,
}

/** The driver of the instance is gsasl, so its settings were read through its table. */
function settingsOf(instance: AuthenticatorInstance): Settings {
  return (instance as AuthenticatorInstance<GsaslSettings>).settings
}

function mechanismOf(instance: AuthenticatorInstance): string {
  const { server_mech, public_name } = settingsOf(instance)
  return (server_mech ?? public_name ?? instance.name).toUpperCase()
}

async function serve({ instance, values, initial, ask }: ServerDialogue): Promise<ServerVerdict> {
  const settings = settingsOf(instance)
  const hash = scramHashes[mechanismOf(instance)]
  if (hash === undefined) return { is: 'fail' }
  const opening = initial === undefined ? await ask('') : { is: 'data' as const, data: initial }
  if (opening.is !== 'data') return opening
  const first = readClientFirst(opening.data)
  if (first === undefined) return { is: 'fail' }
  for (const value of [first.user, first.authorization, '']) values.add(value)
  const salting = await saltingOf(settings, values)
  if ('is' in salting) return salting
  const keys = await keysFor(settings, hash, values, salting)
  if ('is' in keys) return keys
  const nonce = first.nonce + randomBytes(18).toString('base64')
  const serverFirst = `r=${nonce},s=${base64(salting.salt)},i=${salting.iterations}`
  const answer = await ask(serverFirst)
  if (answer.is !== 'data') return answer
  const final = readClientFinal(answer.data)
  if (final === undefined || final.nonce !== nonce || final.binding !== base64(first.header)) {
    return { is: 'fail' }
  }
  const message = `${first.bare},${serverFirst},${final.withoutProof}`
  if (!proofHolds(hash, keys, message, final.proof)) return { is: 'fail' }
  const verdict = await askCondition(settings.server_condition, values)
  if (verdict.is !== 'ok') return verdict
  const last = await ask(`v=${base64(serverSignature(hash, keys.serverKey, message))}`)
  return last.is === 'data' ? verdict : last
}

interface Salting {
  readonly salt: Buffer
  readonly iterations: number
}

async function saltingOf(settings: Settings, values: AuthValues): Promise<Salting | ServerVerdict> {
  const rounds = await values.expand(settings.server_scram_iter)
  if (isFailure(rounds)) return verdictOfFailure(rounds)
  const iterations = Number(textOf(rounds).trim())
  if (!(Number.isInteger(iterations) && iterations >= leastIterations && iterations <= mostIterations)) {
    const why = `server_scram_iter "${textOf(rounds)}" is not a number from ${leastIterations} to ${mostIterations}`
    return { is: 'defer', why }
  }
  const salt = await values.expandOptional(settings.server_scram_salt)
  if (isFailure(salt)) return verdictOfFailure(salt)
  const given = salt === undefined ? '' : textOf(salt)
  return { iterations, salt: given === '' ? randomBytes(16) : Buffer.from(given, 'base64') }
}

/** From the stored keys when they have the right length, else from the password. */
async function keysFor(
  settings: Settings,
  hash: ScramHash,
  values: AuthValues,
  { salt, iterations }: Salting,
): Promise<ScramKeys | ServerVerdict> {
  const stored: Buffer[] = []
  for (const option of [settings.server_skey, settings.server_key]) {
    const text = await values.expandOptional(option)
    if (isFailure(text)) return verdictOfFailure(text)
    const key = Buffer.from(text === undefined ? '' : textOf(text), 'base64')
    if (key.length === digestBytes[hash]) stored.push(key)
  }
  const [storedKey, serverKey] = stored
  if (storedKey !== undefined && serverKey !== undefined) return { storedKey, serverKey }
  const password = await values.expandOptional(settings.server_password)
  if (password === undefined) return { is: 'fail' }
  // Here a forced failure defers as well: Exim manual, "server_password".
  if (isFailure(password)) return { is: 'defer', why: password.message }
  const salted = await saltPassword(hash, textOf(password), salt, iterations)
  return salted === undefined ? { is: 'defer', why: `the password ${forbidden}` } : keysOf(hash, salted)
}

/** RFC 4013 section 2.3. */
const forbidden = 'holds characters that SASLprep forbids'

async function call(dialogue: ClientDialogue): Promise<ClientVerdict> {
  const { instance, values } = dialogue
  const settings = settingsOf(instance)
  const hash = scramHashes[mechanismOf(instance)]
  const texts = await clientTexts(settings, instance.name, values)
  if (hash === undefined || 'is' in texts) return 'is' in texts ? texts : { is: 'declined' }
  const [user, authorization] = [encodeName(texts.user), encodeName(texts.authorization)]
  if (user === undefined || authorization === undefined) {
    return { is: 'failure', message: `client_username or client_authz ${forbidden}` }
  }
  const header = authorization === '' ? 'n,,' : `n,a=${authorization},`
  const nonce = randomBytes(18).toString('base64')
  const bare = `n=${user},r=${nonce}`
  const opening = await dialogue.begin(header + bare)
  if (opening.is !== 'challenge') return opening.is === 'accepted' ? unproven : opening
  const first = readServerFirst(opening.data ?? '')
  if (first === undefined || !first.nonce.startsWith(nonce) || first.nonce === nonce) {
    return cancelled(dialogue, `Invalid SCRAM message in server response "${opening.text}"`)
  }
  if (first.iterations < leastIterations || first.iterations > mostIterations) {
    return cancelled(dialogue, `The server asks for ${first.iterations} iterations`)
  }
  values.set(1, texts.user)
  values.set(2, String(first.iterations))
  values.set(3, base64(first.salt))
  const salted = await saltedPassword(settings, hash, texts.password, first, values)
  if ('is' in salted) {
    await dialogue.cancel()
    return salted
  }
  values.set(4, salted.toString('hex'))
  const withoutProof = `c=${base64(header)},r=${first.nonce}`
  // What the server said is signed byte for byte as it came.
  const message = `${bare},${opening.data ?? ''},${withoutProof}`
  const last = await dialogue.answer(`${withoutProof},p=${base64(clientProof(hash, salted, message))}`)
  if (last.is !== 'challenge') return last.is === 'accepted' ? unproven : last
  const expected = toBytes(`v=${base64(serverSignature(hash, keysOf(hash, salted).serverKey, message))}`)
  const given = toBytes(last.data ?? '')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return cancelled(dialogue, 'The server does not know the password')
  }
  const end = await dialogue.answer('')
  return end.is === 'challenge' ? { is: 'ended' } : end
}

/** RFC 5802 section 3: a server that does not prove itself may be another. */
const unproven: ClientVerdict = {
  is: 'failure',
  message: 'the server accepted without proof that it knows the password',
}

async function cancelled(dialogue: ClientDialogue, why: ByteString): Promise<ClientVerdict> {
  await dialogue.cancel()
  return { is: 'cancelled', why }
}

interface ClientTexts {
  readonly user: ByteString
  readonly password: ByteString
  readonly authorization: ByteString
}

async function clientTexts(
  settings: Settings,
  name: string,
  values: AuthValues,
): Promise<ClientTexts | ClientVerdict> {
  const texts: ByteString[] = []
  for (const option of [settings.client_username, settings.client_password, settings.client_authz]) {
    const text = await values.expandOptional(option)
    if (isFailure(text)) {
      if (text.kind === 'forced') return { is: 'declined' }
      return { is: 'failure', message: expansionProblem(option?.text ?? '', name, text) }
    }
    texts.push(text === undefined ? '' : textOf(text))
  }
  const [user = '', password = '', authorization = ''] = texts
  return { user, password, authorization }
}

/** From `client_spassword` when it has the right length, else computed. */
async function saltedPassword(
  settings: Settings,
  hash: ScramHash,
  password: ByteString,
  { salt, iterations }: Salting,
  values: AuthValues,
): Promise<Buffer | ClientVerdict> {
  const kept = await values.expandOptional(settings.client_spassword)
  if (isFailure(kept))
    return kept.kind === 'forced' ? { is: 'declined' } : { is: 'failure', message: kept.message }
  const hex = kept === undefined ? '' : textOf(kept)
  if (hex.length === 2 * digestBytes[hash] && /^[0-9a-f]+$/i.test(hex)) return Buffer.from(hex, 'hex')
  const salted = await saltPassword(hash, password, salt, iterations)
  return salted ?? { is: 'failure', message: `client_password ${forbidden}` }
}
