/** Runs one test in the engine and tells what is not as it expects. */
import { isFailure } from '../../../base/outcome.ts'
import { decodeUtf8, encodeUtf8, textOf, type ByteString } from '../../../base/text.ts'
import { splitHeaders } from '../../../mail/header.ts'
import type { Context } from '../../../ports.ts'
import { newMessage } from '../../../flow/receive/message-facts.ts'
import type { Left, Offline, OfflineEngine } from '../../../server/offline/engine.ts'
import { type Exchange, play } from '../../../server/play.ts'
import { createStatedWorld, type StatedWorld, type Unanswered } from '../../../server/offline/stated-world.ts'
import { Watch, type Ended } from '../../../server/offline/statements.ts'
import { compareRoute, listed, sameSet, shownRoute } from './compare-route.ts'
import type { Loaded } from './engines.ts'
import { withEngine } from './engines.ts'
import { compare, type Difference, type Matcher } from './expectation.ts'
import { Steps } from './steps.ts'
import type { Step, TestCase } from './test-case.ts'

export interface TestResult {
  readonly test: TestCase
  readonly differences: readonly Difference[]
  readonly unanswered: readonly Unanswered[]
  /** What happened, for the person who looks why: commands and replies, log lines. */
  readonly seen: readonly string[]
  readonly milliseconds: number
}

/** A test that lasts longer hangs. */
const limitMs = 20_000

export async function runTest(test: TestCase, loaded: Loaded): Promise<TestResult> {
  const began = performance.now()
  const world = createStatedWorld(test.stated)
  const watch = new Watch()
  const run = withEngine(loaded, (engine) => perform(test, engine, world, watch, loaded))
  const result = await within(run, test)
  for (const key of watch.reached) loaded.reached.add(key)
  return { test, ...result, unanswered: world.unanswered, milliseconds: performance.now() - began }
}

interface Performed {
  readonly differences: readonly Difference[]
  readonly seen: readonly string[]
}

async function within(run: Promise<Performed>, test: TestCase): Promise<Performed> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Performed>((resolve) => {
    timer = setTimeout(
      () =>
        resolve(
          failure(test, 'the end of the test', `within ${limitMs / 1000} s`, 'nothing happens any more'),
        ),
      limitMs,
    )
  })
  try {
    return await Promise.race([run, late])
  } catch (error) {
    return failure(
      test,
      'the run',
      'an end',
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    )
  } finally {
    clearTimeout(timer)
  }
}

function failure(test: TestCase, what: string, expected: string, found: string): Performed {
  return { differences: [{ what, expected, found, at: test.at }], seen: [] }
}

async function perform(
  test: TestCase,
  engine: OfflineEngine,
  world: StatedWorld,
  watch: Watch,
  loaded: Loaded,
): Promise<Performed> {
  const offline = engine.begin(world, watch)
  switch (test.deed.is) {
    case 'session':
      return performSession(test, engine, offline, world, watch, loaded)
    case 'route': {
      const message = newMessage({
        receivedAt: world.now(),
        local: true,
        originator: { login: 'test', uid: 1000, gid: 1000 },
      })
      message.sender = test.deed.sender ?? ''
      const context = offline.services().context
      const result = await engine.routing.route([{ address: test.deed.address }], { ...context, message })
      const routing = test.expect.route
      return {
        differences: [
          ...(routing === undefined ? [] : compareRoute(test.deed.address, routing, result)),
          ...compareLogs(test, offline.left),
          ...(await compareVariables(test, { ...context, message })),
        ],
        seen: [...shownRoute(result), ...shownLog(offline.left)],
      }
    }
    case 'expand': {
      const context = offline.services().context
      const outcome = await context.ports.expandText(test.deed.text, context)
      const { value, fails } = test.expect
      const found = isFailure(outcome) ? `fails: ${outcome.message}` : textOf(outcome)
      return {
        differences: [
          ...(value === undefined ? [] : compare('the value', value, found)),
          ...(fails === undefined ? [] : compare('the failure', fails, found)),
        ],
        seen: [`${test.deed.text} -> ${found}`],
      }
    }
  }
}

// ----------------------------------------------------------------------------------------------- a session

/** An exchange with the statements that ended the ACLs of it, and what was expected of it. */
interface Told extends Exchange {
  readonly ended: readonly Ended[]
  readonly step: Step | undefined
}

async function performSession(
  test: TestCase,
  engine: OfflineEngine,
  offline: Offline,
  world: StatedWorld,
  watch: Watch,
  loaded: Loaded,
): Promise<Performed> {
  if (test.deed.is !== 'session') throw new Error('not a session')
  const { client } = test.stated
  const steps = new Steps(test.deed.steps, test.deed.stopsWhenRefused, (milliseconds) =>
    world.pass(milliseconds),
  )
  const ended: Ended[][] = []
  const exchanges = await play(offline.services(), {
    left: offline.left,
    client,
    script: steps.script,
    begins: () => void (watch.ended = []),
    ends: () => void ended.push(watch.ended),
    takePacket: (packet) => void world.packets.push(packet),
    now: () => world.now(),
  })
  const told = exchanges.map(
    (exchange, index): Told => ({
      ...exchange,
      ended: ended[index] ?? [],
      step: steps.of.get(index),
    }),
  )
  const message = test.deed.steps.findLast((step) => step.is === 'message')
  const differences = [
    ...compareReplies(test, told),
    ...compareLogs(test, offline.left),
    ...compareDecision(test, told, loaded),
    ...compareMessage(test, offline.left, message?.is === 'message' ? message.text : ''),
    ...(await compareRouting(test, engine, offline.left)),
    ...(await compareVariables(test, offline.left.last ?? offline.services().context)),
    ...test.expect.packets.flatMap((packet) =>
      world.packets.some((one) => packet.matches(one))
        ? []
        : [
            {
              what: 'the UDP packets',
              expected: packet.says,
              found: world.packets.join('\n'),
              at: packet.at,
            },
          ],
    ),
    ...steps.left.map(
      (step): Difference => ({
        what: `the reply to ${'text' in step ? decodeUtf8(step.text) : 'a wait'}`,
        expected: 'expect' in step ? (step.expect?.says ?? 'a reply') : 'a reply',
        found: 'the connection was closed before',
        at: test.at,
      }),
    ),
  ]
  return { differences, seen: [...told.map(shownExchange), ...shownLog(offline.left)] }
}

// -------------------------------------------------------------------------------------------- comparisons

function compareReplies(test: TestCase, told: readonly Told[]): Difference[] {
  const { reply, replies } = test.expect
  const found: Difference[] = []
  for (const one of told)
    if (one.step !== undefined && one.step.is !== 'wait' && one.step.expect !== undefined)
      found.push(...compare(`the reply to ${decodeUtf8(one.command)}`, one.step.expect, one.reply))
  if (reply !== undefined) {
    const deciding = decidingExchange(told)
    found.push(
      ...compare(`the reply to ${decodeUtf8(deciding?.command ?? 'nothing')}`, reply, deciding?.reply ?? ''),
    )
  }
  for (const { of, matchers, at } of replies) {
    const wanted = told.filter(({ command }) => isReplyOf(command, of))
    matchers.forEach((matcher, index) => {
      const one = wanted[index]
      if (one === undefined)
        found.push({
          what: `the reply to ${of}`,
          expected: matcher.says,
          found: 'there was no such command',
          at,
        })
      else found.push(...compare(`the reply to ${decodeUtf8(one.command)}`, matcher, one.reply))
    })
  }
  return found
}

/** `connect`, `helo`, `message`, any verb, or a whole command. */
export function isReplyOf(command: ByteString, of: string): boolean {
  const said = decodeUtf8(command).toLowerCase()
  const name = of.toLowerCase()
  if (name === 'connect') return said === '(connects)'
  if (name === 'message') return said === '(the message)'
  if (name === 'helo') return /^(?:helo|ehlo|lhlo)\b/.test(said)
  return said === name || said.split(/[ :]/, 1)[0] === name
}

/** The first refusal, else the last answer before QUIT. */
function decidingExchange(told: readonly Told[]): Told | undefined {
  return told.find(({ reply }) => /^[45]/.test(reply)) ?? told.findLast(({ command }) => command !== 'QUIT')
}

function compareLogs(test: TestCase, left: Left): Difference[] {
  return test.expect.logs.flatMap(({ log, line, absent }) => {
    const lines = left.log
      .filter((one) => one.log === log)
      .map(({ id, text }) => `${id === undefined || id === '' ? '' : `${id} `}${text}`)
    const there = lines.some((one) => line.matches(one))
    if (there !== absent) return []
    return [
      {
        what: `the ${log} log`,
        expected: `${absent ? 'no line ' : ''}${line.says}`,
        found: lines.length === 0 ? 'no line' : decodeUtf8(lines.join('\n')),
        at: line.at,
      },
    ]
  })
}

/** What may be said of the statement that decided: its place, its ACL, its text. */
function compareDecision(test: TestCase, told: readonly Told[], loaded: Loaded): Difference[] {
  const { decidedBy } = test.expect
  if (decidedBy === undefined) return []
  const deciding = decidingExchange(told)
  // When nothing was refused each statement that accepted something has decided.
  const asked = /^[45]/.test(deciding?.reply ?? '') ? told.filter((one) => one === deciding) : told
  const places = asked.flatMap(({ ended, decided }) => [
    ...ended.filter(({ result }) => result !== 'accept').map(({ file, line }) => ({ file, line, acl: '' })),
    ...(decided?.by === undefined
      ? []
      : [{ file: decodeUtf8(decided.by.file), line: decided.by.line, acl: decided.by.acl }]),
  ])
  const descriptions = places.map(({ file, line, acl }) => {
    const piece = loaded.pieceAt.get(`${file}:${line}`)
    return `${file}:${line} ${piece?.name ?? acl} ${piece?.text ?? ''}`
  })
  if (descriptions.some((one) => decides(decidedBy, encodeUtf8(one)))) return []
  return [
    {
      what: 'the statement that decided',
      expected: decidedBy.says,
      found: descriptions.length === 0 ? 'no ACL decided' : [...new Set(descriptions)].join('\n'),
      at: decidedBy.at,
    },
  ]
}

/** `:12` is line 12, not 123. */
function decides(matcher: Matcher, description: ByteString): boolean {
  return /:\d+$/.test(matcher.says) && !matcher.says.startsWith('/')
    ? description.includes(`${encodeUtf8(matcher.says)} `)
    : matcher.matches(description)
}

function compareMessage(test: TestCase, left: Left, sent: ByteString): Difference[] {
  const { sender, recipients, headers, headersAdded, headersRemoved } = test.expect
  const wanted =
    sender !== undefined ||
    recipients !== undefined ||
    headers.length + headersAdded.length + headersRemoved.length > 0
  if (!wanted) return []
  const envelope = left.accepted.at(-1)?.envelope
  if (envelope === undefined)
    return [{ what: 'the message', expected: 'accepted', found: 'no message was accepted', at: test.at }]
  const kept = envelope.headers.filter(({ type }) => type !== '*').map(({ text }) => text)
  const original = splitHeaders(sent.replaceAll('\r', '').split(/\n\n/, 1)[0] ?? '').map(({ text }) =>
    text.trim(),
  )
  const added = kept.filter((text) => !original.includes(text.trim()))
  const found: Difference[] = []
  if (sender !== undefined) found.push(...compare('the envelope sender', sender, envelope.sender))
  if (recipients !== undefined) {
    const addresses = envelope.recipients.map(({ address }) => address)
    if (!sameSet(recipients, addresses))
      found.push({
        what: 'the recipients',
        expected: listed(recipients),
        found: addresses.join(', '),
        at: test.at,
      })
  }
  for (const { name, value, at } of headers) {
    const values = kept.filter((text) => nameOf(text) === name.toLowerCase()).map(bodyOf)
    const right = value === undefined ? values.length === 0 : values.some((one) => value.matches(one))
    if (!right)
      found.push({
        what: `the header ${name}`,
        expected: value?.says ?? 'none',
        found: values.length === 0 ? 'none' : decodeUtf8(values.join('\n')),
        at,
      })
  }
  for (const matcher of headersAdded)
    if (!added.some((text) => matcher.matches(text.trimEnd())))
      found.push({
        what: 'the headers added',
        expected: matcher.says,
        found: decodeUtf8(added.join('').trimEnd()),
        at: matcher.at,
      })
  for (const matcher of headersRemoved) {
    const name = matcher.says.toLowerCase()
    const gone = original.some((text) => nameOf(text) === name) && !kept.some((text) => nameOf(text) === name)
    if (!gone)
      found.push({
        what: 'the headers removed',
        expected: matcher.says,
        found: 'it is still there, or never was',
        at: matcher.at,
      })
  }
  return found
}

function nameOf(header: ByteString): string {
  return (header.split(':', 1)[0] ?? '').trim().toLowerCase()
}

function bodyOf(header: ByteString): ByteString {
  return header
    .slice(header.indexOf(':') + 1)
    .replace(/\n[ \t]+/g, ' ')
    .trim()
}

async function compareRouting(test: TestCase, engine: OfflineEngine, left: Left): Promise<Difference[]> {
  const { routing } = test.expect
  if (routing.length === 0) return []
  const accepted = left.accepted.at(-1)
  if (accepted === undefined)
    return [
      { what: 'the routing', expected: 'an accepted message', found: 'no message was accepted', at: test.at },
    ]
  const result = await engine.routing.route(accepted.envelope.recipients, accepted.context)
  return routing.flatMap(({ address, to }) => compareRoute(encodeUtf8(address), to, result))
}

async function compareVariables(test: TestCase, context: Context): Promise<Difference[]> {
  const found: Difference[] = []
  for (const { text, value, at } of test.expect.variables) {
    const outcome = await context.ports.expandText(encodeUtf8(/[$]/.test(text) ? text : `$${text}`), context)
    if (isFailure(outcome))
      found.push({ what: text, expected: value.says, found: `cannot be expanded: ${outcome.message}`, at })
    else found.push(...compare(text, value, textOf(outcome)))
  }
  return found
}

// ------------------------------------------------------------------------------------------------ for people

function shownExchange({ command, reply }: Told): string {
  return `${decodeUtf8(command)}\n    ${decodeUtf8(reply).replaceAll('\n', '\n    ')}`
}

function shownLog(left: Left): string[] {
  return left.log.map(
    ({ log, id, text }) => `${log} log: ${id === undefined || id === '' ? '' : `${id} `}${decodeUtf8(text)}`,
  )
}
