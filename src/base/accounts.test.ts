import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createAccounts } from './accounts.ts'

const passwd =
  'root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000:Alice \xc3\xa9,,,:/home/alice:/bin/sh\n+nis\nbroken:x:abc\n'
const group = 'root:x:0:\nmail:x:8:alice,bob\n'

function inFolder(check: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'postern-accounts-'))
  try {
    writeFileSync(`${folder}/passwd`, passwd, 'latin1')
    writeFileSync(`${folder}/group`, group)
    writeFileSync(`${folder}/nsswitch`, 'passwd: files\ngroup:   files # systemd\n')
    check(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('users and groups are read from their files', () => {
  inFolder((folder) => {
    const accounts = createAccounts({
      passwdFile: `${folder}/passwd`,
      groupFile: `${folder}/group`,
      nsswitchFile: `${folder}/nsswitch`,
    })
    const alice = {
      name: 'alice',
      uid: 1000,
      gid: 1000,
      gecos: 'Alice \xc3\xa9,,,',
      home: '/home/alice',
      shell: '/bin/sh',
    }
    assert.deepEqual(accounts.byName('alice'), alice)
    assert.deepEqual(accounts.byUid(1000), alice)
    assert.deepEqual(accounts.groupByName('mail'), { name: 'mail', gid: 8, members: ['alice', 'bob'] })
    assert.equal(accounts.groupByGid(8)?.name, 'mail')
    for (const name of ['broken', '+nis', 'nobody-such', '', 'alice:x'])
      assert.equal(accounts.byName(name), undefined)
  })
})

test('a changed file is read again', () => {
  inFolder((folder) => {
    const accounts = createAccounts({
      passwdFile: `${folder}/passwd`,
      groupFile: `${folder}/group`,
      nsswitchFile: `${folder}/nsswitch`,
    })
    assert.equal(accounts.byName('carol'), undefined)
    writeFileSync(`${folder}/passwd`, `${passwd}carol:x:1001:1001::/home/carol:/bin/sh\n`, 'latin1')
    assert.equal(accounts.byName('carol')?.uid, 1001)
    rmSync(`${folder}/passwd`)
    assert.equal(accounts.byName('alice'), undefined)
  })
})

test('names that are not in the files are asked of getent, once a minute', () => {
  inFolder((folder) => {
    writeFileSync(`${folder}/passwd`, '')
    writeFileSync(`${folder}/nsswitch`, 'passwd: files sss\n')
    let time = 0
    const accounts = createAccounts({
      passwdFile: `${folder}/passwd`,
      groupFile: `${folder}/group`,
      nsswitchFile: `${folder}/nsswitch`,
      now: () => time,
    })
    assert.equal(accounts.byName('root')?.uid, 0)
    assert.equal(accounts.byUid(0)?.name, 'root')
    assert.equal(accounts.byName('-s'), undefined)
    assert.equal(accounts.byName('no-such-user-here'), undefined)
    time = 61_000
    assert.equal(accounts.byName('root')?.uid, 0)
  })
})

test('systemd is asked where it has records of users', () => {
  inFolder((folder) => {
    writeFileSync(`${folder}/passwd`, '')
    writeFileSync(`${folder}/nsswitch`, 'passwd: files systemd\n')
    const asked = (systemdFolders: readonly string[]) =>
      createAccounts({
        passwdFile: `${folder}/passwd`,
        groupFile: `${folder}/group`,
        nsswitchFile: `${folder}/nsswitch`,
        systemdFolders,
      }).byName('root')?.uid
    assert.equal(asked([`${folder}/none`]), undefined)
    assert.equal(asked([`${folder}/none`, folder]), 0)
  })
})
