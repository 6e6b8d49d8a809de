/** The cram_md5 authenticator. Source: RFC 2195; Exim manual, "The cram_md5 authenticator". */
import { createHmac, randomInt, timingSafeEqual } from 'node:crypto'
import { isFailure } from '../../base/outcome.ts'
import { type ByteString, textOf, toBytes } from '../../base/text.ts'
import type { AuthenticatorInstance } from '../../language/config/configuration.ts'
import { askCondition, verdictOfFailure } from './condition.ts'
import { cramMd5Options, type CramMd5Settings } from './cram_md5.options.ts'
import type {
  AuthenticatorDriver,
  ClientDialogue,
  ClientVerdict,
  ServerDialogue,
  ServerVerdict,
} from './driver.ts'
import { expansionProblem } from './problem.ts'

export const cramMd5: AuthenticatorDriver = {
  name: 'cram_md5',
  doc: 'Proves knowledge of a secret with a digest of a challenge: CRAM-MD5.',
  options: cramMd5Options,
  check: () => undefined,
  isServer: (instance) => settingsOf(instance).server_secret !== undefined,
  isClient: (instance) => settingsOf(instance).client_secret !== undefined,
  serverSpeaksFirst: true,
  serve,
  call,
}

/** The driver of the instance is cram_md5, so its settings were read through its table. */
function settingsOf(instance: AuthenticatorInstance): AuthenticatorInstance<CramMd5Settings>['settings'] {
  return (instance as AuthenticatorInstance<CramMd5Settings>).settings
}

/** The lower-case hexadecimal digest of RFC 2195. */
export function cramDigest(secret: ByteString, challenge: ByteString): string {
  return createHmac('md5', toBytes(secret)).update(toBytes(challenge)).digest('hex')
}

async function serve({ instance, values, ask }: ServerDialogue): Promise<ServerVerdict> {
  const settings = settingsOf(instance)
  const { ports, server } = values.context
  const seconds = Math.floor(ports.now() / 1000)
  const challenge = `<${server.pid}.${randomInt(2 ** 47)}.${seconds}@${server.primaryHostname}>`
  const answer = await ask(challenge)
  if (answer.is !== 'data') return answer
  const match = /^(.*) ([^ ]*)$/s.exec(answer.data)
  values.add(match?.[1] ?? answer.data)
  if (settings.server_secret === undefined) return { is: 'fail' }
  const secret = await values.expand(settings.server_secret)
  if (isFailure(secret)) return verdictOfFailure(secret)
  const expected = toBytes(cramDigest(textOf(secret), challenge))
  const given = toBytes(match?.[2] ?? '')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { is: 'fail' }
  return askCondition(settings.server_condition, values)
}

async function call(dialogue: ClientDialogue): Promise<ClientVerdict> {
  const { instance, values } = dialogue
  const { client_name, client_secret } = settingsOf(instance)
  const known: ByteString[] = []
  // Before a word is said: who cannot answer does not ask.
  for (const option of [client_secret, client_name]) {
    if (option === undefined) return { is: 'declined' }
    const expanded = await values.expand(option)
    if (!isFailure(expanded)) known.push(textOf(expanded))
    else if (expanded.kind === 'forced') return { is: 'declined' }
    else return { is: 'failure', message: expansionProblem(option.text, instance.name, expanded) }
  }
  const [secret = '', name = ''] = known
  const reply = await dialogue.begin(undefined)
  if (reply.is !== 'challenge') return reply
  if (reply.data === undefined) {
    await dialogue.cancel()
    return { is: 'failure', message: `bad base 64 string in challenge: ${reply.text.slice(4)}` }
  }
  const last = await dialogue.answer(`${name} ${cramDigest(secret, reply.data)}`)
  return last.is === 'challenge' ? { is: 'ended' } : last
}
