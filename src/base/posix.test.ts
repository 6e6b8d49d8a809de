import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openPosix, posixAvailable } from './posix.ts'

const missing = posixAvailable()
const loaded = openPosix()
const posix = typeof loaded === 'string' ? undefined : loaded
const options = missing === undefined && posix !== undefined ? {} : { skip: missing ?? 'no C library' }

for (const kind of ['fcntlLock', 'flock'] as const) {
  test(`${kind} keeps a second opener out until it is given up`, options, () => {
    assert.ok(posix)
    const folder = mkdtempSync(join(tmpdir(), 'postern-posix-'))
    const path = join(folder, 'file')
    const [first, second] = [openSync(path, 'w'), openSync(path, 'r+')]
    assert.equal(posix[kind](first, 'write'), 'locked')
    assert.equal(posix[kind](second, 'write'), 'busy')
    assert.equal(posix[kind](first, 'unlock'), 'locked')
    assert.equal(posix[kind](second, 'write'), 'locked')
    closeSync(second)
    closeSync(first)
    assert.deepEqual(posix[kind](9999, 'write'), { error: 'EBADF' })
    rmSync(folder, { recursive: true })
  })
}

const passwords = [
  {
    says: 'yescrypt',
    setting: '$y$j9T$F5Jx5fExrKuPp53xLKQ..1$',
  },
  {
    says: 'SHA-512',
    setting: '$6$saltstring',
    // As openssl passwd gives it.
    gives:
      /^\$6\$saltstring\$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl\/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1$/,
  },
]
for (const { says, setting, gives } of passwords) {
  test(`crypt knows ${says}`, options, async () => {
    assert.ok(posix)
    const hash = await posix.crypt('Hello world!', setting)
    assert.ok(hash?.startsWith(setting) === true, hash)
    assert.ok(hash)
    if (gives !== undefined) assert.match(hash, gives)
    assert.equal(await posix.crypt('Hello world!', hash), hash)
    assert.notEqual(await posix.crypt('hello world!', hash), hash)
  })
}

test('crypt refuses a setting it does not know', options, async () => {
  assert.equal(await posix?.crypt('a', '$nonsense$'), undefined)
  assert.equal(await posix?.crypt('a\0b', '$6$salt'), undefined)
})

test('users and groups come from NSS', options, () => {
  assert.ok(posix)
  assert.equal(posix.userByName('root')?.uid, 0)
  assert.equal(posix.userById(0)?.name, 'root')
  assert.equal(posix.userByName('no-such-user-here'), undefined)
  assert.equal(posix.groupByName('root')?.gid, 0)
  assert.equal(posix.groupById(0)?.name, 'root')
  assert.ok(posix.groupsOf('root', 0).includes(0))
  const withMembers = readFileSync('/etc/group', 'latin1')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([, , , members]) => members !== undefined && members !== '')
  if (withMembers?.[0] !== undefined && withMembers[3] !== undefined) {
    assert.deepEqual(posix.groupByName(withMembers[0])?.members, withMembers[3].split(','))
  }
})

test('a datagram socket that is not there gives the error', options, () => {
  assert.deepEqual(posix?.openDatagram('/nonexistent/log'), { error: 'ENOENT' })
})
