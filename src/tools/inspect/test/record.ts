/** Plays a session in the real world and writes it down as a test that passes without it. */
import { decodeUtf8, encodeUtf8, type ByteString } from '../../../base/text.ts'
import { createOfflineEngine } from '../../../server/offline/engine.ts'
import { play } from '../../../server/play.ts'
import { contentOf, type RecordedWorld } from '../../../server/offline/recorded-world.ts'
import { piecesOf, Watch } from '../../../server/offline/statements.ts'
import type { Configuration } from '../../../language/config/configuration.ts'
import type { RoutingResult } from '../../../flow/routed.ts'
import { Steps } from './steps.ts'
import type { Step } from './test-case.ts'

export interface RecordedSession {
  readonly address: string
  readonly port: number
  readonly helo: string
  readonly mail: string
  readonly rcpt: readonly string[]
  readonly message: ByteString | undefined
}

/** What a test has: a name, what is done, the world, what is expected. */
export async function recordSession(
  configuration: Configuration,
  world: RecordedWorld,
  session: RecordedSession,
): Promise<Readonly<Record<string, unknown>>> {
  const engine = createOfflineEngine(configuration)
  const watch = new Watch()
  const offline = engine.begin(world, watch)
  const steps = new Steps(stepsOf(session), true, () => undefined)
  const exchanges = await play(offline.services(), {
    left: offline.left,
    client: {
      address: session.address,
      port: session.port,
      interfaceAddress: '192.0.2.25',
      interfacePort: 25,
      name: undefined,
      tls: undefined,
      proxy: undefined,
      authenticated: undefined,
    },
    script: steps.script,
    now: () => world.now(),
  })
  const accepted = offline.left.accepted.at(-1)
  const routed =
    accepted === undefined
      ? undefined
      : await engine.routing.route(accepted.envelope.recipients, accepted.context)
  const of = (wanted: RegExp): string[] =>
    exchanges.filter(({ command }) => wanted.test(command)).map(({ reply }) => expectedReply(reply))
  const replies = Object.fromEntries(
    Object.entries({
      connect: of(/^\(connects\)$/).map((reply) => reply.slice(0, 3)),
      helo: of(/^EHLO /).map((reply) => reply.slice(0, 3)),
      mail: of(/^MAIL /),
      rcpt: of(/^RCPT /),
      data: of(/^DATA$/).filter((reply) => !reply.startsWith('354')),
      message: of(/^\(the message\)$/),
    }).filter(([, texts]) => texts.length > 0),
  )
  const refused = exchanges.find(({ reply }) => /^[45]/.test(reply))
  const by = refused?.decided?.by
  const piece =
    by === undefined
      ? undefined
      : piecesOf(configuration).find(({ file, line }) => file === decodeUtf8(by.file) && line === by.line)
  const outcome = refused === undefined ? 'is accepted' : `gets ${refused.reply.slice(0, 3)}`
  return {
    name: `<${session.mail}> to ${session.rcpt.join(', ')} from ${session.address} ${outcome}`,
    world: world.stated(),
    helo: session.helo,
    mail: session.mail,
    rcpt: session.rcpt,
    ...(session.message === undefined ? {} : { message: contentOf(session.message) }),
    expect: {
      replies,
      ...(piece === undefined ? {} : { decided_by: { contains: piece.text } }),
      ...(routed === undefined ? {} : { routing: routingOf(routed) }),
    },
  }
}

function stepsOf({ helo, mail, rcpt, message }: RecordedSession): Step[] {
  const command = (text: string): Step => ({ is: 'command', text: encodeUtf8(text), expect: undefined })
  return [
    command(`EHLO ${helo}`),
    command(`MAIL FROM:<${mail}>`),
    ...rcpt.map((address) => command(`RCPT TO:<${address}>`)),
    ...(message === undefined ? [] : [{ is: 'message', text: message, expect: undefined } as const]),
  ]
}

/** An id is another one each time. */
function expectedReply(reply: ByteString): string {
  return decodeUtf8(reply.replace(/id=\S+.*$/s, 'id='))
}

function routingOf({ routed, unrouted, discarded }: RoutingResult): Record<string, unknown> {
  const addresses = [...routed, ...unrouted, ...discarded].map(({ recipient }) => recipient.address)
  return Object.fromEntries(
    [...new Set(addresses)].map((address) => {
      const mine = routed.filter(({ recipient }) => recipient.address === address)
      const [first] = mine
      const failed = unrouted.find(({ recipient }) => recipient.address === address)
      if (first === undefined && failed !== undefined)
        return [
          decodeUtf8(address),
          { [failed.is === 'failed' ? 'fails' : 'defers']: decodeUtf8(failed.message) },
        ]
      if (first === undefined) return [decodeUtf8(address), { discarded: true }]
      const hosts = mine.flatMap((one) => one.hosts.map(({ name, address: ip }) => `${name} [${ip ?? ''}]`))
      const one = (texts: readonly string[]): string => [...new Set(texts)].join(', ')
      return [
        decodeUtf8(address),
        {
          router: one(mine.map(({ router }) => router.name)),
          transport: one(mine.map(({ transport }) => transport.name)),
          to: mine.map(({ address: to }) => decodeUtf8(to)),
          ...(hosts.length === 0 ? {} : { hosts }),
        },
      ]
    }),
  )
}
