/** Plays recorded sessions with another configuration and gathers the decisions that differ. */
import { decodeUtf8, encodeUtf8, type ByteString } from '../../../base/text.ts'
import { type Exchange, play } from '../../../server/play.ts'
import { createStatedWorld, type Unanswered } from '../../../server/offline/stated-world.ts'
import { Watch } from '../../../server/offline/statements.ts'
import { Engines, isWrong, type Loaded, withEngine } from '../test/engines.ts'
import type { Difference, Matcher } from '../test/expectation.ts'
import { readText, sourcesOf } from '../test/find-files.ts'
import { readSessions } from '../test/read-file.ts'
import { compareRoute } from '../test/compare-route.ts'
import { isReplyOf } from '../test/run-test.ts'
import { Steps } from '../test/steps.ts'
import type { ConfigurationName, RouteExpectation, TestCase } from '../test/test-case.ts'

export interface ReplayOptions {
  readonly files: readonly string[]
  readonly config: ConfigurationName
  /** With what it is compared, in place of what the sessions say. */
  readonly against: ConfigurationName | undefined
  readonly macros: ReadonlyMap<string, ByteString>
  /** Replies of one kind that say something else differ too. */
  readonly texts: boolean
  /** Told after each session how many have been played. */
  readonly tell?: (sessions: number) => void
}

export interface Changed {
  readonly what: string
  readonly was: string
  readonly now: string
  /** The statement that decides now. */
  readonly by: string | undefined
}

export interface Differing {
  readonly file: string
  readonly session: string
  readonly changed: readonly Changed[]
}

export interface Replayed {
  readonly sessions: number
  readonly differing: readonly Differing[]
  /** Sessions in which the configuration asks what nobody has recorded, by question. */
  readonly unanswered: ReadonlyMap<
    string,
    { sessions: number; readonly yaml: string; readonly first: string }
  >
  /** What could not be played, each with its file and line. */
  readonly wrong: readonly string[]
  readonly milliseconds: number
}

const atOnce = 8

/** What a session says of one reply, and what of one address. */
interface Before {
  readonly replies: readonly { readonly of: string; readonly index: number; readonly says: Said }[]
  readonly routing: readonly { readonly address: string; readonly to: RouteExpectation }[]
}
interface Said {
  readonly says: string
  matches(reply: ByteString): boolean
}

/** What came of it now. */
interface Now {
  readonly exchanges: readonly Exchange[]
  readonly changedRouting: readonly Difference[]
  readonly unanswered: readonly Unanswered[]
}

export async function replay(options: ReplayOptions): Promise<Replayed | { readonly wrong: string }> {
  const began = performance.now()
  const engines = new Engines()
  const loaded = await engines.load(options.config, options.macros)
  if (isWrong(loaded)) return loaded
  const differing: Differing[] = []
  const unanswered = new Map<string, { sessions: number; readonly yaml: string; readonly first: string }>()
  const wrong: string[] = []
  let sessions = 0
  let played = 0
  for (const name of options.files) {
    const text = readText(name)
    if ('error' in text) {
      wrong.push(text.error)
      continue
    }
    const read = readSessions(name, text.text, sourcesOf(name))
    for (const { file, line, column, message } of read.problems)
      wrong.push(`${file}:${line}:${column}: ${message}`)
    const former = options.against ?? read.file.configuration
    const { macros, tests } = read.file
    const wanted = tests.filter(({ deed }) => deed.is !== 'expand')
    const found: (Differing | undefined)[] = []
    const one = async (index: number): Promise<void> => {
      const session = wanted[index]
      if (session === undefined) return
      const before = await beforeOf(session, options.against, former, engines, macros)
      if (typeof before === 'string') return void wrong.push(`${name}: ${session.name}: ${before}`)
      const now = await playOne(session, before, loaded)
      for (const { question, yaml } of now.unanswered) {
        const known = unanswered.get(question)
        if (known === undefined)
          unanswered.set(question, { sessions: 1, yaml, first: `${name}: ${session.name}` })
        else known.sessions++
      }
      const changed = changesOf(before, now, loaded, options.texts)
      if (changed.length > 0) found[index] = { file: name, session: session.name, changed }
    }
    let next = 0
    const work = async (): Promise<void> => {
      while (next < wanted.length) {
        await one(next++)
        options.tell?.(++played)
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, wanted.length) }, work))
    sessions += wanted.length
    differing.push(...found.filter((each) => each !== undefined))
  }
  return { sessions, differing, unanswered, wrong, milliseconds: performance.now() - began }
}

/** What the session itself says, or what the former configuration makes of it. */
async function beforeOf(
  session: TestCase,
  against: ConfigurationName | undefined,
  former: ConfigurationName | undefined,
  engines: Engines,
  macros: ReadonlyMap<string, ByteString>,
): Promise<Before | string> {
  const own = recorded(session)
  if (against === undefined && (own.replies.length > 0 || own.routing.length > 0)) return own
  if (former === undefined)
    return 'it says nothing of what was decided, and names no configuration: use --against'
  const loaded = await engines.load(former, macros)
  if (isWrong(loaded)) return loaded.wrong
  const { exchanges } = await playOne(session, { replies: [], routing: [] }, loaded)
  return { replies: repliesOf(exchanges), routing: own.routing }
}

function recorded({ expect, deed }: TestCase): Before {
  const replies = expect.replies.flatMap(({ of, matchers }) =>
    matchers.map((says, index) => ({ of, index, says })),
  )
  const counts = new Map<string, number>()
  const stepped =
    deed.is !== 'session'
      ? []
      : deed.steps.flatMap((step) => {
          if (step.is === 'wait' || step.text === '') return []
          const of = step.is === 'message' ? 'message' : decodeUtf8(step.text)
          const index = counts.get(of) ?? 0
          counts.set(of, index + 1)
          return step.expect === undefined ? [] : [{ of, index, says: step.expect }]
        })
  const deciding: Matcher | undefined = expect.reply
  const last = deciding === undefined ? [] : [{ of: '', index: 0, says: deciding }]
  const route = expect.route
  return {
    replies: [...replies, ...stepped, ...last],
    routing: [
      ...expect.routing,
      ...(route === undefined || deed.is !== 'route'
        ? []
        : [{ address: decodeUtf8(deed.address), to: route }]),
    ],
  }
}

function repliesOf(exchanges: readonly Exchange[]): Before['replies'] {
  const counts = new Map<string, number>()
  return exchanges.map(({ command, reply }) => {
    const of =
      command === '(connects)' ? 'connect' : command === '(the message)' ? 'message' : decodeUtf8(command)
    const index = counts.get(of) ?? 0
    counts.set(of, index + 1)
    const same = withoutId(reply)
    return { of, index, says: { says: decodeUtf8(same), matches: (text) => withoutId(text) === same } }
  })
}

function withoutId(reply: ByteString): ByteString {
  return reply.replace(/id=\S+.*$/s, 'id=').replace(/^220 .*/s, '220')
}

async function playOne(session: TestCase, before: Before, loaded: Loaded): Promise<Now> {
  const world = createStatedWorld(session.stated)
  return withEngine(loaded, async (engine) => {
    const offline = engine.begin(world, new Watch())
    const { deed } = session
    if (deed.is !== 'session') {
      const { context } = offline.services()
      const address = deed.is === 'route' ? deed.address : ''
      const result = await engine.routing.route([{ address }], context)
      return {
        exchanges: [],
        changedRouting: before.routing.flatMap((one) =>
          compareRoute(encodeUtf8(one.address), one.to, result),
        ),
        unanswered: world.unanswered,
      }
    }
    const steps = new Steps(deed.steps, deed.stopsWhenRefused, (milliseconds) => world.pass(milliseconds))
    const exchanges = await play(offline.services(), {
      left: offline.left,
      client: session.stated.client,
      script: steps.script,
      now: () => world.now(),
    })
    const accepted = offline.left.accepted.at(-1)
    const result =
      accepted === undefined || before.routing.length === 0
        ? undefined
        : await engine.routing.route(accepted.envelope.recipients, accepted.context)
    return {
      exchanges,
      changedRouting:
        result === undefined
          ? []
          : before.routing.flatMap((one) => compareRoute(encodeUtf8(one.address), one.to, result)),
      unanswered: world.unanswered,
    }
  })
}

function changesOf(before: Before, now: Now, loaded: Loaded, texts: boolean): Changed[] {
  const changed: Changed[] = []
  for (const { of, index, says } of before.replies) {
    const exchange = exchangeOf(now.exchanges, of, index)
    const reply = exchange?.reply ?? ''
    if (says.matches(reply)) continue
    if (!texts && exchange !== undefined && kindOf(says.says) === kindOf(decodeUtf8(reply))) continue
    // A command that was not said: what came before it is what differs.
    if (exchange === undefined && changed.length > 0) continue
    changed.push({
      what: of === '' ? decodeUtf8(exchange?.command ?? 'the session') : decodeUtf8(exchange?.command ?? of),
      was: says.says,
      now: exchange === undefined ? 'it does not come to this' : decodeUtf8(reply),
      by: exchange === undefined ? undefined : placeOf(exchange, loaded),
    })
  }
  for (const { what, expected, found } of now.changedRouting)
    changed.push({ what, was: expected, now: found, by: undefined })
  return changed
}

function exchangeOf(exchanges: readonly Exchange[], of: string, index: number): Exchange | undefined {
  if (of === '')
    return (
      exchanges.find(({ reply }) => /^[45]/.test(reply)) ??
      exchanges.findLast(({ command }) => command !== 'QUIT')
    )
  return exchanges.filter(({ command }) => isReplyOf(command, of))[index]
}

/** 2, 4 or 5: taken, to be tried again, refused. Undefined: cannot be told from the words. */
function kindOf(says: string): string | undefined {
  const words: Readonly<Record<string, string>> = { accepted: '2', deferred: '4', refused: '5' }
  return words[says] ?? /^[2345](?=\d\d)/.exec(says)?.[0]
}

function placeOf({ decided }: Exchange, { pieceAt }: Loaded): string | undefined {
  const by = decided?.by
  if (by === undefined) return undefined
  const at = `${decodeUtf8(by.file)}:${by.line}`
  const text = pieceAt.get(at)?.text ?? ''
  return `${at} ACL ${by.acl}: ${text.length > 100 ? `${text.slice(0, 100)}...` : text}`
}
