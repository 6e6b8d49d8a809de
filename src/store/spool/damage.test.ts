import assert from 'node:assert/strict'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { test } from 'node:test'
import { addMessage, bodyOf, type SpoolWorld, spoolWorld } from '../../../test/support/spool-world.ts'
import { openSpool } from './index.ts'

/** The one segment of a closed spool. */
function segmentOf(world: SpoolWorld): string {
  const root = `${world.directory}/segments`
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\/[0-9a-f]{16}$/.test(name),
  )
  assert.equal(files.length, 1)
  return `${root}/${files[0]}`
}

/** Makes the next opening read the segments. */
function loseIndex(world: SpoolWorld): void {
  rmSync(`${world.directory}/index`, { recursive: true })
}

async function threeMessages(world: SpoolWorld): Promise<string[]> {
  const spool = await world.open()
  const ids = [
    await addMessage(spool, 'one\n'),
    await addMessage(spool, 'two\n'),
    await addMessage(spool, 'three\n'),
  ]
  await spool.close()
  return ids
}

test('a lost index is made anew', async (t) => {
  const world = spoolWorld(t)
  const ids = await threeMessages(world)
  loseIndex(world)
  const spool = await world.open()
  assert.deepEqual(
    [...spool.list()].map(({ id }) => id),
    ids,
  )
  assert.match(world.lines.join('\n'), /^spool index rebuilt: 3 messages from 1 segments in /)
})

const badIndexes = [
  {
    says: 'of garbage',
    spoil: (folder: string) => writeFileSync(`${folder}/data.mdb`, 'garbage '.repeat(5000)),
  },
  { says: 'that is cut off', spoil: (folder: string) => truncateSync(`${folder}/data.mdb`, 8192) },
  {
    says: 'that a process died of',
    spoil: (folder: string) => writeFileSync(`${folder}/opening.1.1.dead`, ''),
  },
  {
    says: 'of another boot that was not closed',
    spoil: (folder: string) => writeFileSync(`${folder}/state`, '{"boot":"other","clean":false}'),
  },
  { says: 'without its state', spoil: (folder: string) => rmSync(`${folder}/state`) },
]
for (const { says, spoil } of badIndexes) {
  test(`an index ${says} is made anew`, async (t) => {
    const world = spoolWorld(t)
    const ids = await threeMessages(world)
    spoil(`${world.directory}/index`)
    const spool = await world.open()
    assert.deepEqual(
      [...spool.list()].map(({ id }) => id),
      ids,
    )
    assert.match(world.lines.join('\n'), /index rebuilt/)
  })
}

test('an index of another boot that was closed properly is used', async (t) => {
  const world = spoolWorld(t)
  await threeMessages(world)
  writeFileSync(`${world.directory}/index/state`, '{"boot":"other","clean":true}')
  const spool = await world.open()
  assert.equal(spool.count(), 3)
  assert.deepEqual(world.lines, [])
})

test('flipped bytes cost one message; it is set aside and named', async (t) => {
  const world = spoolWorld(t)
  const ids = await threeMessages(world)
  const path = segmentOf(world)
  const bytes = readFileSync(path)
  const at = bytes.indexOf('two\n')
  bytes[at] = 0x54
  writeFileSync(path, bytes)
  loseIndex(world)
  const spool = await world.open()
  assert.deepEqual(
    [...spool.list()].map(({ id }) => id),
    [ids[0], ids[2]],
  )
  assert.equal(spool.damaged[0]?.what, `a record of message ${ids[1]}`)
  const [kept = ''] = readdirSync(`${world.directory}/damaged`)
  assert.ok(readFileSync(`${world.directory}/damaged/${kept}`).includes('Two\n'))
  assert.match(
    world.lines.join('\n'),
    /a record of message \S+ is damaged and set aside: .* kept as damaged\//,
  )
})

test('a damaged length does not hide the records behind it', async (t) => {
  const world = spoolWorld(t)
  const ids = await threeMessages(world)
  const path = segmentOf(world)
  const bytes = readFileSync(path)
  bytes.writeUInt32LE(0x7fff_ffff, 32 + 12)
  writeFileSync(path, bytes)
  loseIndex(world)
  const spool = await world.open()
  assert.deepEqual(
    [...spool.list()].map(({ id }) => id),
    ids.slice(1),
  )
})

test('a damaged record that the index knows is set aside when it is claimed', async (t) => {
  const world = spoolWorld(t)
  const ids = await threeMessages(world)
  const path = segmentOf(world)
  const bytes = readFileSync(path)
  bytes[bytes.indexOf('two\n')] = 0x54
  writeFileSync(path, bytes)
  const spool = await world.open()
  assert.equal(await spool.claim(ids[1] ?? ''), undefined)
  assert.equal(spool.damaged[0]?.what, `message ${ids[1]}`)
  assert.deepEqual(
    [...spool.list()].map(({ id }) => id),
    [ids[0], ids[2]],
  )
  assert.equal(readdirSync(`${world.directory}/damaged`).length, 1)
  const claim = await spool.claim(ids[2] ?? '')
  assert.equal((await bodyOf(claim?.message)).toString(), 'three\n')
})

const tails = [
  { says: 'an unfinished record', cut: 5, left: 2, line: /never finished/ },
  { says: 'half a record head', cut: 0, append: Buffer.from('PnR1'), left: 3, line: /rebuilt/ },
  { says: 'zeros', cut: 0, append: Buffer.alloc(5000), left: 3, line: /rebuilt/ },
]
for (const { says, cut, append, left, line } of tails) {
  test(`a segment that ends in ${says} keeps all before it`, async (t) => {
    const world = spoolWorld(t)
    await threeMessages(world)
    const path = segmentOf(world)
    truncateSync(path, statSync(path).size - cut)
    if (append !== undefined) appendFileSync(path, append)
    loseIndex(world)
    const spool = await world.open()
    assert.equal(spool.count(), left)
    assert.deepEqual(spool.damaged, [])
    assert.match(world.lines.join('\n'), line)
  })
}

for (const indexed of [true, false]) {
  test(`a missing body file costs one message${indexed ? '' : ', also without an index'}`, async (t) => {
    const world = spoolWorld(t)
    const first = await world.open()
    const large = await addMessage(first, Buffer.alloc(100_000, 'x'))
    const small = await addMessage(first)
    await first.close()
    for (const name of readdirSync(`${world.directory}/bodies`)) rmSync(`${world.directory}/bodies/${name}`)
    if (!indexed) loseIndex(world)
    const spool = await world.open()
    assert.equal(await spool.claim(large), undefined)
    assert.match(spool.damaged[0]?.why ?? '', /^its body file \S+ is missing$/)
    assert.match(readFileSync(`${world.directory}/damaged/${large}-0`, 'latin1'), /alice@example\.org/)
    assert.deepEqual(
      [...spool.list()].map(({ id }) => id),
      [small],
    )
  })
}

test('a body file that is cut off is never delivered: it is set aside', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open()
  const large = await addMessage(spool, Buffer.alloc(100_000, 'x'))
  const small = await addMessage(spool)
  await spool.close()
  const [name = ''] = readdirSync(`${world.directory}/bodies`)
  truncateSync(`${world.directory}/bodies/${name}`, 1000)
  const again = await world.open()
  assert.equal(await again.claim(large), undefined)
  assert.match(again.damaged[0]?.why ?? '', /^its body file \S+ has 1000 bytes in place of 100000$/)
  assert.deepEqual(
    [...again.list()].map(({ id }) => id),
    [small],
  )
  assert.equal(statSync(`${world.directory}/damaged/${name}`).size, 1000)
})

test('the body of a message whose record is damaged is kept', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open()
  await addMessage(spool, Buffer.alloc(100_000, 'x'))
  await spool.close()
  const [name = ''] = readdirSync(`${world.directory}/bodies`)
  const path = segmentOf(world)
  const bytes = readFileSync(path)
  bytes[bytes.indexOf('alice@')] = 0x41
  writeFileSync(path, bytes)
  loseIndex(world)
  await world.open()
  assert.equal(statSync(`${world.directory}/damaged/${name}`).size, 100_000)
  assert.match(world.lines.join('\n'), /body \S+ belongs to no message that can be read; kept as damaged/)
})

test('strange files in the spool do no harm', async (t) => {
  const world = spoolWorld(t)
  const ids = await threeMessages(world)
  for (const folder of ['segments', 'bodies', 'msglog', 'damaged'])
    writeFileSync(`${world.directory}/${folder}/strange`, 'x')
  mkdirSync(`${world.directory}/segments/folder`)
  writeFileSync(`${world.directory}/segments/folder/0123456789abcdef`, 'not a segment')
  loseIndex(world)
  writeFileSync(`${world.directory}/segments/folder/notes`, 'by hand')
  const spool = await world.open()
  assert.deepEqual(
    [...spool.list()].map(({ id }) => id),
    ids,
  )
  for (const name of ['strange', 'notes']) {
    assert.ok(existsSync(`${world.directory}/damaged/strange-${name}`), name)
    assert.match(world.lines.join('\n'), new RegExp(`${name} is no file of the spool`))
  }
})

const refused = [
  {
    says: 'an Exim spool is refused and the import command is named',
    make: (directory: string) => {
      mkdirSync(`${directory}/input`)
      writeFileSync(`${directory}/input/1xVgtD-0003n0-0l-H`, '')
    },
    error: /is the spool of an Exim\. .* "postern spool import \//,
  },
  {
    says: 'a split Exim spool is refused too',
    make: (directory: string) => {
      mkdirSync(`${directory}/input/D`, { recursive: true })
      writeFileSync(`${directory}/input/D/1xVgtD-0003n0-0l-H`, '')
    },
    error: /is the spool of an Exim/,
  },
  {
    says: 'a newer format is refused with a sentence',
    make: (directory: string) => writeFileSync(`${directory}/postern-spool`, 'Postern spool, format 99\n'),
    error: /has format 99 and was written by a newer Postern; this one knows formats up to 1/,
  },
  {
    says: 'a format that is none is refused',
    make: (directory: string) => writeFileSync(`${directory}/postern-spool`, 'something'),
    error: /is not a format that Postern wrote: "something"/,
  },
]
for (const { says, make, error } of refused) {
  test(says, async (t) => {
    const { directory } = spoolWorld(t)
    make(directory)
    await assert.rejects(openSpool({ directory, now: Date.now, log: () => {} }), { message: error })
    assert.equal(existsSync(`${directory}/segments`), false)
  })
}

test('a message that cannot be read for a moment can be claimed afterwards', async (t) => {
  const world = spoolWorld(t)
  const [id = ''] = await threeMessages(world)
  const spool = await world.open({ careMs: 1_000_000 })
  const segment = segmentOf(world)
  // No link is followed: that fails as opening does where no descriptor is left.
  renameSync(segment, `${world.directory}/elsewhere`)
  symlinkSync(`${world.directory}/elsewhere`, segment)
  assert.equal(await spool.claim(id), undefined)
  assert.match(world.lines.join('\n'), /ELOOP/)
  renameSync(`${world.directory}/elsewhere`, segment)
  assert.ok(await spool.claim(id))
})
