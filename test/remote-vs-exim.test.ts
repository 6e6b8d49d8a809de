/** Deliveries to scripted hosts by a real Exim and by Postern: log lines, dialogues, hints and reports. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import { type Both, compareRemote, withoutConnections } from './support/remote-compare.ts'
import { remoteCases } from './support/remote-cases.ts'
import { temporaryFolder } from './support/server.ts'

const exim = process.env.POSTERN_TEST_EXIM4
const skip =
  exim === undefined
    ? 'no Exim on this machine to compare with'
    : process.getuid?.() !== 0
      ? 'needs root: Exim gives up its rights for a file given with -C'
      : noOpenssl

const folder = temporaryFolder('remote-vs-exim')
after(() => folder.remove())

const authenticators = `plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^user^secret
`

const authority = skip === false ? new TestAuthority(folder.path) : undefined
authority?.leaf('far')
const certificate = {
  key: authority?.read('far.key') ?? '',
  cert: authority?.read('far.chain') ?? '',
}
const cases = remoteCases(certificate)
let results: readonly Both[] = []

before(async () => {
  if (skip === false) results = await compareRemote(cases, folder.path, exim ?? '', { authenticators })
})

cases.forEach((one, i) => {
  test(`${i + 1}: ${one.says}`, { skip }, () => {
    const both = results[i]
    assert.ok(both)
    assert.ok(both.theirs.log.length > 0)
    if (one.loose === true) assert.deepEqual(withoutConnections(both.ours), withoutConnections(both.theirs))
    else if (one.meant === undefined) assert.deepEqual(both.ours, both.theirs)
    else assert.notDeepEqual(both.ours, both.theirs)
  })
})
