/** A `*.postern-test.yaml` file: what it says, or every mistake in it with its place. */
import { parseInterval } from '../../../base/interval.ts'
import { encodeUtf8, fromBytes } from '../../../base/text.ts'
import { type Matcher, readMatcher, readMatchers } from './expectation.ts'
import { Fields, itemsOf, Problems } from './fields.ts'
import { readWorld, type WorldSource } from './read-world.ts'
import type {
  ConfigurationName,
  Deed,
  Expectations,
  RouteExpectation,
  Step,
  TestCase,
  TestFile,
} from './test-case.ts'
import { parseJson } from './json-text.ts'
import { isProblems } from './value.ts'
import { parseYaml } from './yaml-text.ts'
import type { Entry, Place, Problem, Value } from './value.ts'

export type ReadFile =
  | { readonly is: 'read'; readonly file: TestFile }
  | { readonly is: 'wrong'; readonly problems: readonly Problem[] }

export interface Sources {
  /** Reads what lies beside the test file. */
  readFile(name: string): string | undefined
  /** The absolute path of a name in the test file. */
  resolve(name: string): string
}

const fileNames = ['configuration', 'macros', 'world', 'tests'] as const

export function readTestFile(name: string, text: string, sources: Sources): ReadFile {
  const { values, problems: broken } = parseText(name, text)
  if (broken.length > 0) return { is: 'wrong', problems: broken }
  const problems = new Problems(name)
  const into = nothingYet()
  for (const written of values) readDocument(written, into, sources, problems)
  if (values.length === 0) problems.add({ line: 1, column: 1 }, 'the file is empty')
  if (problems.found.length > 0) return { is: 'wrong', problems: problems.found }
  return { is: 'read', file: { file: name, ...into } }
}

/** As `readTestFile`, but of lines of JSON each stands for itself: those that are wrong are left out. */
export function readSessions(
  name: string,
  text: string,
  sources: Sources,
): { readonly file: TestFile; readonly problems: readonly Problem[] } {
  const into = nothingYet()
  if (!name.endsWith('.jsonl')) {
    const read = readTestFile(name, text, sources)
    return read.is === 'read'
      ? { file: read.file, problems: [] }
      : { file: { file: name, ...into }, problems: read.problems }
  }
  const { values, problems: broken } = parseText(name, text)
  const found = [...broken]
  for (const written of values) {
    const problems = new Problems(name)
    const count = into.tests.length
    readDocument(written, into, sources, problems)
    if (problems.found.length > 0) into.tests.length = count
    found.push(...problems.found)
  }
  return { file: { file: name, ...into }, problems: found.sort((a, b) => a.line - b.line) }
}

/** What the documents of a file say together. */
interface Gathered {
  configuration: ConfigurationName | undefined
  readonly macros: Map<string, string>
  readonly tests: TestCase[]
}

function nothingYet(): Gathered {
  return { configuration: undefined, macros: new Map(), tests: [] }
}

function readDocument(written: Value, into: Gathered, sources: Sources, problems: Problems): void {
  const source: WorldSource = { problems, readFile: (path) => sources.readFile(path) }
  const document = wholeFile(written)
  if (document.is === 'nothing') return
  const fields = new Fields(document, 'a test file', fileNames, problems)
  into.configuration ??= readConfigurationName(fields, sources, problems)
  for (const { key, value } of fields.entries('macros'))
    into.macros.set(key, encodeUtf8(value.is === 'text' ? value.text : ''))
  const world = fields.get('world')
  if (world !== undefined) readWorld([world], source)
  const list = fields.get('tests')
  if (list === undefined) problems.add(document.at, 'a test file has a list "tests"')
  else if (list.is !== 'list') problems.add(list.at, '"tests" is a list')
  else
    for (const item of list.items) into.tests.push(readTest(item, world === undefined ? [] : [world], source))
}

/** JSON, and lines of JSON, are read without YAML: many sessions come so. */
function parseText(
  name: string,
  text: string,
): { readonly values: readonly Value[]; readonly problems: readonly Problem[] } {
  if (name.endsWith('.json')) return parseJson(name, [text])
  if (name.endsWith('.jsonl')) return parseJson(name, text.split('\n'))
  const parsed = parseYaml(name, text)
  return isProblems(parsed) ? { values: [], problems: parsed } : { values: parsed, problems: [] }
}

/** A document that is a single test, or a list of them, as the file that it stands for. */
function wholeFile(document: Value): Value {
  const { at } = document
  if (document.is === 'list')
    return { is: 'map', at, entries: [{ key: 'tests', keyAt: at, value: document }] }
  if (document.is !== 'map' || document.entries.some(({ key }) => key === 'tests')) return document
  const ofFile = ({ key }: Entry): boolean => key === 'configuration' || key === 'macros'
  if (!document.entries.some(({ key }) => key === 'name')) return document
  const test: Value = { is: 'map', at, entries: document.entries.filter((entry) => !ofFile(entry)) }
  const tests: Value = { is: 'list', at, items: [test] }
  return {
    is: 'map',
    at,
    entries: [...document.entries.filter(ofFile), { key: 'tests', keyAt: at, value: tests }],
  }
}

function readConfigurationName(
  fields: Fields,
  sources: Sources,
  problems: Problems,
): ConfigurationName | undefined {
  const value = fields.get('configuration')
  if (value === undefined || value.is === 'nothing') return undefined
  if (value.is === 'text') return { is: 'file', path: sources.resolve(value.text) }
  const which = new Fields(value, '"configuration"', ['built_in', 'file'], problems)
  const file = which.text('file')
  if (file !== undefined) return { is: 'file', path: sources.resolve(file) }
  return { is: 'built in', which: which.oneOf('built_in', ['start', 'install']) ?? 'start' }
}

const testNames = [
  'name',
  'world',
  'from',
  'helo',
  'mail',
  'rcpt',
  'message',
  'dialogue',
  'route',
  'sender',
  'expand',
  'expect',
] as const

function readTest(item: Value, outer: readonly Value[], source: WorldSource): TestCase {
  const { problems } = source
  const fields = new Fields(item, 'a test', testNames, problems)
  const name = fields.text('name')
  if (name === undefined) problems.add(item.at, 'a test has a "name"')
  const own = fields.get('world')
  const from = fields.get('from')
  const layers = [
    ...outer,
    ...(own === undefined ? [] : [own]),
    ...(from === undefined ? [] : [clientLayer(from)]),
  ]
  const stated = readWorld(layers, source)
  return {
    name: name ?? '',
    at: item.at,
    stated,
    deed: readDeed(fields, stated.client.tls !== undefined && !stated.client.tls.onConnect, source),
    expect: readExpectations(fields.get('expect'), fields, problems),
  }
}

/** `from: 192.0.2.1` for `world: {client: {address: 192.0.2.1}}`. */
function clientLayer(from: Value): Value {
  const { at } = from
  const inner: Entry = { key: 'address', keyAt: at, value: from }
  const client: Value = { is: 'map', at, entries: [inner] }
  return { is: 'map', at, entries: [{ key: 'client', keyAt: at, value: client }] }
}

// ------------------------------------------------------------------------------------------- what is done

function readDeed(fields: Fields, startTls: boolean, source: WorldSource): Deed {
  const { problems } = source
  const route = fields.text('route')
  if (route !== undefined) {
    const sender = fields.text('sender')
    return {
      is: 'route',
      address: encodeUtf8(route),
      sender: sender === undefined ? undefined : encodeUtf8(sender),
    }
  }
  const expand = fields.text('expand')
  if (expand !== undefined) return { is: 'expand', text: encodeUtf8(expand) }
  const dialogue = fields.get('dialogue')
  if (dialogue !== undefined) {
    const steps =
      dialogue.is === 'text'
        ? readTranscript(dialogue.text, dialogue.at, problems)
        : itemsOf(dialogue).map((one) => readStep(one, source))
    return { is: 'session', steps, stopsWhenRefused: false }
  }
  return { is: 'session', steps: shortForm(fields, startTls, source), stopsWhenRefused: true }
}

function shortForm(fields: Fields, startTls: boolean, source: WorldSource): Step[] {
  const helo = fields.text('helo') ?? 'client.example'
  const mail = fields.text('mail')
  const rcpt = fields.texts('rcpt') ?? []
  const message = fields.get('message')
  const command = (text: string): Step => ({ is: 'command', text: encodeUtf8(text), expect: undefined })
  const bracketed = (address: string): string => (/^<.*>/.test(address) ? address : `<${address}>`)
  const steps = [command(`EHLO ${helo}`), ...(startTls ? [command('STARTTLS'), command(`EHLO ${helo}`)] : [])]
  if (mail !== undefined || rcpt.length > 0 || message !== undefined)
    steps.push(command(`MAIL FROM:${bracketed(mail ?? '')}`))
  for (const address of rcpt) steps.push(command(`RCPT TO:${bracketed(address)}`))
  if (message !== undefined) steps.push(messageStep(message, undefined, source))
  return steps
}

/** `message: true` is a small one that serves; `message: {file: NAME}` lies beside the test file. */
function messageStep(value: Value, expect: Matcher | undefined, source: WorldSource): Step {
  const { problems } = source
  if (value.is === 'map') {
    const fields = new Fields(value, '"message"', ['file', 'base64'], problems)
    const base64 = fields.text('base64')
    if (base64 !== undefined) return { is: 'message', text: fromBytes(Buffer.from(base64, 'base64')), expect }
    const file = fields.text('file') ?? ''
    const text = source.readFile(file)
    if (text === undefined) problems.add(value.at, `there is no file ${file}`)
    return { is: 'message', text: text ?? '', expect }
  }
  if (value.is !== 'text') problems.add(value.at, '"message" is the text of a message, {file: NAME}, or true')
  const text = value.is === 'text' ? value.text : ''
  const small = 'From: sender@example.org\nTo: recipient@example.org\nSubject: test\n\nThis is a test.\n'
  return { is: 'message', text: encodeUtf8(/^(?:true|yes)$/.test(text) ? small : text), expect }
}

/** `EHLO x`, `{EHLO x: 250}`, `{send: ..., reply: ...}`, `{message: ..., reply: ...}`, `{wait: 5m}`. */
function readStep(value: Value, source: WorldSource): Step {
  const { problems } = source
  if (value.is === 'text') return { is: 'command', text: encodeUtf8(value.text), expect: undefined }
  if (value.is !== 'map' || value.entries.length === 0) {
    problems.add(
      value.at,
      'a step of a dialogue is a command, {COMMAND: REPLY}, {message: TEXT}, or {wait: TIME}',
    )
    return { is: 'wait', milliseconds: 0 }
  }
  const [only] = value.entries
  if (only !== undefined && value.entries.length === 1 && !['send', 'message', 'wait'].includes(only.key))
    return { is: 'command', text: encodeUtf8(only.key), expect: readMatcher(only.value, 'begins', problems) }
  const fields = new Fields(value, 'a step of a dialogue', ['send', 'message', 'wait', 'reply'], problems)
  const reply = fields.get('reply')
  const expect = reply === undefined ? undefined : readMatcher(reply, 'begins', problems)
  const wait = fields.text('wait')
  if (wait !== undefined) {
    const seconds = parseInterval(wait)
    if (seconds === undefined) problems.add(value.at, `"${wait}" is no time: write 5m`)
    return { is: 'wait', milliseconds: (seconds ?? 0) * 1000 }
  }
  const message = fields.get('message')
  if (message !== undefined) return messageStep(message, expect, source)
  return { is: 'command', text: encodeUtf8(fields.text('send') ?? ''), expect }
}

/** The plain-text form: `C: EHLO x`, `S: 250`; lines of a message after DATA up to the line with the dot. */
function readTranscript(text: string, at: Place, problems: Problems): Step[] {
  const steps: { is: 'command' | 'message'; text: string; expect: string[] }[] = []
  let message: string[] | undefined
  for (const line of text.split('\n')) {
    if (/^\s*(?:#.*)?$/.test(line) && message === undefined) continue
    const [, who = '', said = ''] = /^\s*([CS]): ?(.*)$/.exec(line) ?? []
    if (who === '') {
      problems.add(at, `"${line}": a line of a dialogue begins with "C: " or "S: "`)
      continue
    }
    const last = steps.at(-1)
    if (who === 'S') {
      if (last === undefined) steps.push({ is: 'command', text: '', expect: [said] })
      else if (!(message !== undefined && said.startsWith('354'))) last.expect.push(said)
    } else if (message !== undefined) {
      if (said !== '.') message.push(said.replace(/^\./, ''))
      else {
        steps.push({ is: 'message', text: `${message.join('\n')}\n`, expect: [] })
        message = undefined
      }
    } else if (/^DATA$/i.test(said)) message = []
    else steps.push({ is: 'command', text: said, expect: [] })
  }
  return steps.map(({ is, text: said, expect }) => ({
    is,
    text: encodeUtf8(said),
    expect:
      expect.length === 0
        ? undefined
        : readMatcher({ is: 'text', text: expect.join('\n'), at }, 'begins', problems),
  }))
}

// -------------------------------------------------------------------------------------- what is expected

const expectNames = [
  'reply',
  'replies',
  'log',
  'reject_log',
  'panic_log',
  'no_log',
  'decided_by',
  'sender',
  'recipients',
  'headers',
  'headers_added',
  'headers_removed',
  'routing',
  'variables',
  'packets',
  'value',
  'fails',
  'defers',
  'discarded',
  'router',
  'transport',
  'hosts',
  'to',
] as const
const routeNames = ['router', 'transport', 'hosts', 'to', 'fails', 'defers', 'discarded'] as const

function readExpectations(value: Value | undefined, test: Fields, problems: Problems): Expectations {
  if (value === undefined) problems.add(test.at, 'a test has an "expect"')
  const expand = test.get('expand') !== undefined
  const route = test.get('route') !== undefined
  const given = value ?? { is: 'nothing', at: test.at }
  // `expect: 550 relay not permitted` is what is expected most.
  const key = expand ? 'value' : route ? 'router' : 'reply'
  const whole: Value =
    given.is === 'text'
      ? { is: 'map', at: given.at, entries: [{ key, keyAt: given.at, value: given }] }
      : given
  const fields = new Fields(whole, 'what is expected', expectNames, problems)
  const one = (name: string, plain: 'begins' | 'contains' | 'is'): Matcher | undefined => {
    const found = fields.get(name)
    return found === undefined ? undefined : readMatcher(found, plain, problems)
  }
  const logs = (name: string, log: 'main' | 'reject' | 'panic', absent: boolean): Expectations['logs'] =>
    readMatchers(fields.get(name), 'contains', problems).map((line) => ({ log, line, absent }))
  const recipients = fields.get('recipients')
  return {
    reply: one('reply', 'begins'),
    replies: fields.entries('replies').map(({ key: of, value: reply }) => ({
      of,
      matchers: itemsOf(reply).map((item) => readMatcher(item, 'begins', problems)),
      at: reply.at,
    })),
    logs: [
      ...logs('log', 'main', false),
      ...logs('reject_log', 'reject', false),
      ...logs('panic_log', 'panic', false),
      ...logs('no_log', 'main', true),
    ],
    decidedBy: one('decided_by', 'contains'),
    sender: one('sender', 'is'),
    recipients: recipients === undefined ? undefined : readMatchers(recipients, 'is', problems),
    headers: fields.entries('headers').map(({ key: name, keyAt, value: header }) => ({
      name,
      value: header.is === 'nothing' ? undefined : readMatcher(header, 'is', problems),
      at: keyAt,
    })),
    headersAdded: readMatchers(fields.get('headers_added'), 'contains', problems),
    headersRemoved: readMatchers(fields.get('headers_removed'), 'is', problems),
    routing: fields.entries('routing').map(({ key: address, value: to }) => ({
      address,
      to: readRoute(routeFields(to, problems), to.at, problems),
    })),
    variables: fields.entries('variables').map(({ key: text, keyAt, value: is }) => ({
      text,
      at: keyAt,
      value: readMatcher(is, 'is', problems),
    })),
    packets: readMatchers(fields.get('packets'), 'contains', problems),
    fails: one('fails', 'contains'),
    value: one('value', 'is'),
    route: route ? readRoute(fields, fields.at, problems) : undefined,
  }
}

/** `routing: {a@b: local_user}` names the router alone. */
function routeFields(value: Value, problems: Problems): Fields {
  const whole: Value =
    value.is === 'text'
      ? { is: 'map', at: value.at, entries: [{ key: 'router', keyAt: value.at, value }] }
      : value
  return new Fields(whole, 'where an address goes', routeNames, problems)
}

function readRoute(fields: Fields, at: Place, problems: Problems): RouteExpectation {
  const one = (name: string, plain: 'contains' | 'is'): Matcher | undefined => {
    const found = fields.get(name)
    return found === undefined ? undefined : readMatcher(found, plain, problems)
  }
  const many = (name: string): readonly Matcher[] | undefined => {
    const found = fields.get(name)
    return found === undefined ? undefined : readMatchers(found, 'is', problems)
  }
  return {
    at,
    router: one('router', 'is'),
    transport: one('transport', 'is'),
    hosts: many('hosts'),
    to: many('to'),
    fails: one('fails', 'contains'),
    defers: one('defers', 'contains'),
    discarded: fields.yes('discarded'),
  }
}
