/** Where addresses go: `-bt`, `-bv` and `-bvs` of a real Exim and of Postern on the same configuration. */
import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type EximOracle, eximToCompare } from './support/exim-oracle.ts'
import { createWorld, type World } from './support/routing-world.ts'
import { repository } from './support/server.ts'

const data = join(repository, 'test', 'testdata', 'routing')
const addresses = readFileSync(join(data, 'addresses'), 'latin1')
  .split('\n')
  .filter((line) => line !== '')

/** Differences that are meant. */
const badUnseen = 'Exim tells of the deferral and of the delivery that it put off too'
const meant: Readonly<Record<string, string>> = {
  '-bt root@badunseen.example': badUnseen,
  '-bv -v root@badunseen.example': badUnseen,
  '-bvs -v root@badunseen.example': badUnseen,
}

const modes = ['bt', 'bv', 'bvs', 'bv -v', 'bvs -v'] as const

let folder: string
let exim: EximOracle
let world: World

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-routing-'))
  chmodSync(folder, 0o755)
  cpSync(data, folder, { recursive: true })
  for (const name of ['aliases', 'list']) {
    const file = join(folder, name)
    writeFileSync(file, readFileSync(file, 'latin1').replaceAll('DIR', folder), 'latin1')
  }
  for (const name of readdirSync(join(folder, 'fw')))
    chmodSync(join(folder, 'fw', name), name === 'badmode' ? 0o666 : 0o644)
  const configuration = `DIR = ${folder}\n${readFileSync(join(folder, 'routers.conf'), 'latin1')}`
  exim = eximToCompare(configuration)
  // The sender that Exim takes when root calls it.
  world = createWorld(configuration, { sender: 'root@example.com', localInterfaces: ['127.0.0.1', '::1'] })
})

after(() => rmSync(folder, { recursive: true, force: true }))

for (const mode of modes) {
  for (const address of addresses) {
    const name = `-${mode} ${address}`
    test(name, { skip: meant[name] }, async (t) => {
      if (exim.skip !== false) return t.skip(exim.skip)
      const [flag, ...verbose] = mode.split(' ') as ['bt' | 'bv' | 'bvs']
      const theirs = exim.run([`-${flag}`, ...verbose, address])
      const ours = await world.routing.test(
        address,
        flag,
        world.contextFor(flag),
        undefined,
        verbose.length > 0,
      )
      assert.deepEqual(ours.lines, withoutLogLines(theirs.lines))
      assert.equal(ours.exitCode, theirs.exitCode)
    })
  }
}

/** Exim says some of its log lines to stdout, and ends one of its sentences with an empty line. */
function withoutLogLines(lines: readonly string[]): string[] {
  return lines
    .join('\n')
    .replaceAll(/LOG: MAIN\n {2}.*\n/g, '')
    .replace(/not permitted\n$/, 'not permitted')
    .split('\n')
}
