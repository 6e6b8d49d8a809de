/** Lookup types and rules about all of them: psl, regdom, lmdb, readsock, dbmbuild; caching, counters, slow lookups. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readSocket } from '../src/base/read-socket.ts'
import { isFailure } from '../src/base/outcome.ts'
import { isTainted, textOf } from '../src/base/text.ts'
import { createLookups } from '../src/language/lookups/index.ts'
import { findInLmdb } from '../src/language/lookups/lmdb-pages.ts'
import { fetchDebian, wrapper } from './support/debian.ts'
import { connectionFacts, expansionBench, messageFacts } from './support/expansion-context.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-types-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const { expander, context } = expansionBench({
  context: { address: { localPart: 'joe', domain: 'example.org' } },
})
async function ask(text: string, within = context): Promise<string> {
  const value = await expander.expandText(text, within)
  return isFailure(value) ? `Failed: ${value.message}` : textOf(value)
}

const suffixes = join(folder, 'suffixes.dat')
writeFileSync(suffixes, '// a comment\norg\nco.uk\nuk\n*.ck\n!www.ck\n\ncompany\n')
const suffixCases: readonly (readonly [domain: string, psl: string, regdom: string])[] = [
  ['a.b.example.org', 'org', 'example.org'],
  ['example.co.uk', 'co.uk', 'example.co.uk'],
  ['co.uk', 'co.uk', 'none'],
  ['x.y.ck', 'y.ck', 'x.y.ck'],
  ['a.www.ck', 'ck', 'www.ck'],
  ['a.b.unlisted', 'unlisted', 'b.unlisted'],
  ['Example.ORG.', 'org', 'example.org'],
]
for (const [domain, psl, regdom] of suffixCases)
  test(`psl, regdom: ${domain}`, async () => {
    assert.equal(await ask(`\${lookup{${domain}}psl{${suffixes}}{$value}{none}}`), psl)
    assert.equal(await ask(`\${lookup{${domain}}regdom{${suffixes}}{$value}{none}}`), regdom)
  })

test('lmdb: keys of a file, also those written since, and a file put in its place', async () => {
  // By another process: LMDB must not open a file twice in one.
  const make = (path: string, pairs: Readonly<Record<string, string>>): void => {
    const script = `import { open } from 'lmdb'
      const [path, pairs] = process.argv.slice(1)
      const database = open({ path, noSubdir: true, encoding: 'binary', keyEncoding: 'binary' })
      for (const [key, value] of Object.entries(JSON.parse(pairs))) await database.put(Buffer.from(key), Buffer.from(value))
      await database.close()`
    const words = ['--input-type=module', '-e', script, path, JSON.stringify(pairs)]
    const run = spawnSync(process.execPath, words, { encoding: 'utf8' })
    assert.equal(run.status, 0, run.stderr)
  }
  const path = join(folder, 'keys.mdb')
  make(path, { joe: 'his data', '*': 'rest', '*.b.c': 'wild' })
  assert.equal(await ask(`\${lookup{joe}lmdb{${path}}{$value}{none}}`), 'his data')
  assert.equal(await ask(`\${lookup{Joe}lmdb{${path}}{$value}{none}}`), 'none')
  assert.equal(await ask(`\${lookup{ann}lmdb*{${path}}{$value}{none}}`), 'rest')
  assert.equal(await ask(`\${lookup{a.b.c}partial-lmdb{${path}}{$value}{none}}`), 'wild')
  assert.equal(await ask(`\${lookup{${'k'.repeat(600)}}lmdb{${path}}{$value}{none}}`), 'none')
  make(path, { new: 'added' })
  assert.equal(await ask(`\${lookup{new}lmdb{${path}}{$value}{none}}`), 'added')
  make(`${path}2`, { joe: 'other file' })
  renameSync(`${path}2`, path)
  assert.equal(await ask(`\${lookup{joe}lmdb{${path}}{$value}{none}}`), 'other file')
  assert.match(
    await ask('${lookup{x}lmdb{/nonexistent/file}}'),
    /LMDB: Unable to open DB file .*No such file/,
  )
  const text = join(folder, 'text.mdb')
  writeFileSync(text, 'this is no database\n'.repeat(1000))
  assert.match(await ask(`\${lookup{x}lmdb{${text}}}`), /gave DEFER: LMDB: Unable to open DB file/)
  assert.equal(await ask(`\${lookup{joe}lmdb{${path}}{$value}{none}}`), 'other file')
})

describe('lmdb: files that mdb_load has made', () => {
  const utilities = fetchDebian(['lmdb-utils'])
  const skip = 'missing' in utilities ? utilities.missing : false
  /** Adds pairs to a file. */
  const load = (path: string, pairs: Iterable<readonly [string, string]>): void => {
    if ('missing' in utilities) return
    const lines = [...pairs].flat().map((text) => ` ${text}\n`)
    const text = `VERSION=3\nformat=print\ntype=btree\nmapsize=1073741824\nHEADER=END\n${lines.join('')}DATA=END\n`
    const run = spawnSync(wrapper(utilities.root, 'usr/bin/mdb_load'), ['-n', path], {
      input: text,
      encoding: 'utf8',
    })
    assert.equal(run.status, 0, run.stderr)
  }
  const find = (key: string, path: string): Promise<string> =>
    ask(`\${lookup{${key}}lmdb{${path}}{$value}{none}}`)
  const name = (i: number): string => `user${(i * 7919) % 100_003}@example.org`

  test('one key, and another file beside it', { skip }, async () => {
    const path = join(folder, 'one.mdb')
    load(path, [['alice', 'her data']])
    assert.equal(await find('alice', path), 'her data')
    assert.equal(await find('alic', path), 'none')
    assert.equal(await find('alice2', path), 'none')
    assert.equal(await find('', path), 'none')
    // Its program writes while the file is open here.
    load(path, [['bob', 'his data']])
    assert.equal(await find('bob', path), 'his data')
    assert.equal(await find('alice', path), 'her data')
  })

  test('20,000 keys, long values, one on pages of its own', { skip }, async () => {
    const path = join(folder, 'many.mdb')
    const pairs = Array.from(
      { length: 20_000 },
      (_, i) => [name(i), `mailbox ${i} ${'x'.repeat(i % 300)}`] as const,
    )
    load(path, [...pairs, ['large', 'y'.repeat(100_000)]])
    for (let i = 0; i < pairs.length; i += 97)
      assert.equal(await find(pairs[i]?.[0] ?? '', path), pairs[i]?.[1], pairs[i]?.[0])
    assert.equal(await find('large', path), 'y'.repeat(100_000))
    assert.equal(await find('user@example.org', path), 'none')
    assert.equal(await find('zzz', path), 'none')
    assert.equal(await find('!', path), 'none')
  })

  test('a file that is damaged anywhere ends no process and holds nobody up', { skip }, async () => {
    const path = join(folder, 'damaged.mdb')
    load(
      path,
      Array.from({ length: 500 }, (_, i) => [name(i), `mailbox ${i}`] as const),
    )
    const whole = readFileSync(path)
    let seed = 1
    const random = (below: number): number => (seed = (seed * 48_271) % 0x7fff_ffff) % below
    for (let i = 0; i < 400; i++) {
      const bytes = Buffer.from(whole.subarray(0, i % 4 === 0 ? random(whole.length) : whole.length))
      for (let n = 0; n < 20 && bytes.length > 0; n++)
        bytes[random(Math.min(bytes.length, 8192 + n * 1000))] = random(256)
      const began = performance.now()
      const found = await findInLmdb(
        (position, length) => Promise.resolve(bytes.subarray(position, position + length)),
        Buffer.from(name(random(500))),
      )
      if (found.is === 'error')
        assert.doesNotMatch(found.message, /undefined|out of range|Cannot|not a function/)
      assert.ok(performance.now() - began < 500)
    }
  })
})

describe('readsock', () => {
  let server: Server
  const path = join(folder, 'socket')
  let port = 0
  before(async () => {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      let text = ''
      // The client gives up in one test.
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => (text += bytes.toString()))
      socket.on('end', () => socket.end(`got ${text}\nbye\n`))
    })
    await new Promise<void>((done) => server.listen(path, done))
    const tcp = createServer((socket) => socket.end('over tcp'))
    await new Promise<void>((done) => tcp.listen(0, '127.0.0.1', done))
    const address = tcp.address()
    port = typeof address === 'object' && address !== null ? address.port : 0
    server.once('close', () => tcp.close())
  })
  after(() => void server.close())

  test('sends a request and finds the answer, which is tainted', async () => {
    assert.equal(await ask(`\${lookup readsock{${path} hello $domain}}`), 'got hello example.org\nbye\n')
    assert.equal(await ask(`\${lookup readsock,file=${path},eol=+{x y}}`), 'got x y+bye+')
    const value = await expander.expandText(`\${lookup readsock{${path} x}}`, context)
    assert.ok(!isFailure(value) && isTainted(value))
    assert.equal(await ask(`\${lookup readsock{inet:127.0.0.1:${port} x}}`), 'over tcp')
  })
  test('defers without an answer; a socket named from outside is refused', async () => {
    assert.match(
      await ask('${lookup readsock{/nonexistent/socket x}}'),
      /gave DEFER: readsock: failed to connect/,
    )
    assert.match(
      await ask(`\${lookup readsock,timeout=50ms,shutdown=no{${path} x}}`),
      /gave DEFER: readsock: socket read timed out/,
    )
    assert.match(await ask('${lookup readsock{/run/$domain x}}'), /Tainted socket name/)
    assert.match(await ask('${lookup readsock{relative x}}'), /neither the path of a socket/)
  })
})

test('saslauthd: counted strings go out, OK and NO come back', async () => {
  const path = join(folder, 'mux')
  const asked: string[] = []
  const server = createServer((socket) => {
    socket.on('data', (bytes) => {
      asked.push(bytes.toString('latin1'))
      const answer = bytes.includes('right') ? 'OK' : 'NO'
      socket.end(Buffer.concat([Buffer.from([0, answer.length]), Buffer.from(answer)]))
    })
  })
  await new Promise<void>((done) => server.listen(path, done))
  const bench = expansionBench({
    deps: { doors: { askSocket: (request) => readSocket({ ...request, to: { path } }) } },
  })
  const check = (text: string) => bench.expander.expandText(text, bench.context)
  assert.equal(await check('${if saslauthd{{joe}{right}{smtp}{realm}}{y}{n}}'), 'y')
  assert.equal(await check('${if saslauthd{{joe}{wrong}}{y}{n}}'), 'n')
  assert.deepEqual(asked, ['\0\x03joe\0\x05right\0\x04smtp\0\x05realm', '\0\x03joe\0\x05wrong\0\0\0\0'])
  server.close()
})

test('dbmbuild makes a cdb file, with the switches of exim_dbmbuild', async () => {
  const source = join(folder, 'aliases')
  const made = join(folder, 'aliases.cdb')
  writeFileSync(source, '# c\nAlice: a\nbob  b c\n  more\n\nalice: second\n"q k": v\nempty\nBOB: again\n')
  const build = (...words: string[]) =>
    spawnSync(process.execPath, [resolve('bin/postern'), 'dbmbuild', ...words], { encoding: 'utf8' })
  const find = (key: string) => ask(`\${lookup{${key}}cdb{${made}}{<$value>}{none}}`)
  const first = build(source, made)
  assert.equal(first.stdout, '4 entries written\n2 duplicate keys \n')
  assert.equal(first.stderr, '** Duplicate key "alice"\n** Duplicate key "bob"\n')
  assert.equal(first.status, 1)
  assert.deepEqual(await Promise.all(['alice', 'Alice', 'bob', 'q k', 'empty', 'nobody'].map(find)), [
    '<a>',
    'none',
    '<b c more>',
    '<v>',
    '<>',
    'none',
  ])
  assert.equal(build('-noduperr', '-nowarn', source, made).status, 0)
  assert.equal(build('-nolc', '-nozero', source, made).stdout, '6 entries written\n')
  assert.equal(await find('Alice'), '<a>')
  assert.equal(build('-lastdup', '-nowarn', source, made).status, 1)
  assert.equal(await find('alice'), '<second>')
  assert.match(build('/nonexistent', made).stderr, /unable to open \/nonexistent: no such file or directory/)
  assert.match(build(source, source).stderr, /input and output filenames are the same/)
  assert.match(build('-bogus', source, made).stderr, /^usage:/)
  // Many entries, none lost.
  writeFileSync(source, Array.from({ length: 20_000 }, (_, i) => `key${i}: value ${i}\n`).join(''))
  assert.equal(build(source, made).stdout, '20000 entries written\n')
  for (const i of [0, 1, 777, 19_999]) assert.equal(await find(`key${i}`), `<value ${i}>`)
  assert.ok(readFileSync(made).length > 2048)
})

test('nisplus and others are refused with what to do', async () => {
  assert.match(await ask('${lookup nisplus{[a=b],c}}'), /NIS\+ is not supported/)
  assert.match(await ask('${lookup oracle{select}}'), /use pgsql or mysql/)
})

describe('results of lookups', () => {
  let calls = 0
  const lookups = createLookups({
    extra: [
      {
        name: 'spf',
        doc: 'Counts how often it is asked.',
        since: '0.1',
        style: 'query',
        async find(query, options) {
          calls++
          await new Promise((done) => setTimeout(done, Number(options.get('wait') ?? 0)))
          const text = textOf(query)
          if (text === 'defer') return { is: 'defer', message: 'not now' }
          if (text === 'none') return { is: 'none' }
          return text.startsWith('set')
            ? { is: 'found', data: String(calls), keep: false }
            : { is: 'found', data: String(calls) }
        },
      },
    ],
  })
  const lines: string[] = []
  const of = (parts: Partial<typeof context> = {}) => ({
    ...context,
    settings: { ...context.settings, slow_lookup_log: 40 },
    ports: {
      ...context.ports,
      log: { ...context.ports.log, main: (_: unknown, text: string) => void lines.push(text) },
    },
    ...parts,
  })
  const query = async (key: string, within: typeof context, options: string = ''): Promise<string> => {
    const result = await lookups.lookup({ type: 'spf', options, key }, within)
    return result.is === 'found' ? textOf(result.data) : result.is
  }

  test('R4: are kept for the message, and asked anew for the next', async () => {
    const message = of({ message: messageFacts([]) })
    const first = await query('a', message)
    assert.equal(await query('a', message), first)
    assert.notEqual(await query('b', message), first)
    assert.notEqual(await query('a', of({ message: messageFacts([]) })), first)
    const connection = of({ connection: connectionFacts() })
    const early = await query('a', connection)
    assert.equal(await query('a', connection), early)
  })
  test('two at once ask once', async () => {
    const message = of({ message: messageFacts([]) })
    const before = calls
    const both = await Promise.all([query('c', message, 'wait=5'), query('c', message, 'wait=5')])
    assert.equal(both[0], both[1])
    assert.equal(calls, before + 1)
  })
  test('R4: what defers, and what a change gave, is not kept; a change forgets the rest', async () => {
    const message = of({ message: messageFacts([]) })
    const before = calls
    await query('defer', message)
    await query('defer', message)
    assert.equal(calls, before + 2)
    const known = await query('a', message)
    await query('none', message)
    await query('none', message)
    assert.equal(calls, before + 4)
    assert.equal(await query('a', message), known)
    await query('set', message)
    assert.notEqual(await query('a', message), known)
  })
  test('cache=no_rd asks and keeps, cache=no_wr keeps nothing', async () => {
    const message = of({ message: messageFacts([]) })
    const first = await query('a', message)
    const second = await query('a', message, 'cache=no_rd')
    assert.notEqual(second, first)
    assert.equal(await query('a', message), second)
    const other = of({ message: messageFacts([]) })
    const third = await query('a', other, 'cache=no_wr')
    assert.notEqual(await query('a', other), third)
  })
  test('are counted by type, and slow ones logged', async () => {
    const counts = lookups.counters.of('spf')
    assert.ok(counts.asked >= calls && counts.fromCache > 3 && counts.deferred === 2 && counts.waiting === 0)
    assert.equal(counts.found + counts.none + counts.deferred + counts.failed, counts.asked)
    await query('slow one', of({ message: messageFacts([]) }), 'wait=60')
    assert.match(lines.join('\n'), /^Long spf lookup for 'slow one': \d+ msec$/m)
    lookups.close()
  })
})
