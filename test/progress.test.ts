/** Work that takes more than a second shows where it is, on a terminal and nowhere else. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { progress, waiting } from '../src/tools/cli/progress.ts'
import type { Terminal } from '../src/tools/cli/terminal.ts'
import { postern, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('progress')
after(() => folder.remove())

function terminal(watched: boolean): Terminal & { readonly said: string[] } {
  const said: string[] = []
  return {
    out: () => undefined,
    err: (text) => said.push(text),
    input: Readable.from([]),
    interactive: false,
    watched,
    said,
  }
}
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('nothing is shown for a second, then the number, the share and the speed; at the end the line is wiped', async () => {
  const seen = terminal(true)
  const shown = progress(seen, 'messages', 200)
  shown.at(1)
  assert.deepEqual(seen.said, [])
  await wait(1050)
  shown.at(50)
  shown.at(51)
  assert.equal(seen.said.length, 1)
  assert.match(seen.said[0] ?? '', /^\rmessages: 50 of 200 \(25%\), \d+ a second$/)
  shown.end()
  assert.match(seen.said[1] ?? '', /^\r +\r$/)
})

test('what cannot be counted shows how long it has been waited for', async () => {
  const seen = terminal(true)
  const shown = waiting(seen, 'asking the responder')
  await wait(1600)
  shown.end()
  assert.ok(seen.said.includes('\rasking the responder: 1 s'), JSON.stringify(seen.said))
  assert.match(seen.said.at(-1) ?? '', /^\r +\r$/)
  const count = seen.said.length
  await wait(600)
  assert.equal(seen.said.length, count)
})

test('into a file nothing is written', async () => {
  const seen = terminal(false)
  const [counted, waited] = [progress(seen, 'x', 5), waiting(seen, 'y')]
  await wait(1400)
  counted.at(3)
  counted.end()
  waited.end()
  assert.deepEqual(seen.said, [])
})

test('dbmbuild of a large file, in a real terminal and in a pipe', (t) => {
  if (spawnSync('script', ['--version']).status !== 0)
    return t.skip('no script(1) of util-linux for a terminal')
  const source = join(folder.path, 'source')
  writeFileSync(source, Array.from({ length: 1_500_000 }, (_, i) => `key${i}: value\n`).join(''))
  const words = ['dbmbuild', source, `${source}.cdb`]
  const seen = spawnSync('script', ['-qec', `${postern} ${words.join(' ')}`, '/dev/null'], {
    encoding: 'utf8',
    timeout: 120_000,
  })
  assert.match(seen.stdout, /\rentries read: \d+, \d+ a second/)
  const piped = spawnSync(postern, words, { encoding: 'utf8', timeout: 120_000 })
  assert.equal(piped.stderr, '')
  assert.equal(piped.stdout, '1500000 entries written\n')
})
