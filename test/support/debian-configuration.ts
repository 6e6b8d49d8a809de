/** The configurations that Debian's exim4-config makes of the answers to its questions. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromBytes } from '../../src/base/text.ts'
import { fetchDebian } from './debian.ts'

export const debianTypes = ['internet', 'smarthost', 'satellite', 'local', 'none'] as const
export type DebianType = (typeof debianTypes)[number]

/** The root under which exim4-config and exim4-base are unpacked: the machine's own, else the cache's. */
export function debianRoot(): { readonly root: string } | { readonly missing: string } {
  const own = [
    '/usr/sbin/update-exim4.conf',
    '/etc/exim4/conf.d',
    '/usr/share/doc/exim4-base/examples/example.conf',
  ]
  if (own.every((path) => existsSync(path))) return { root: '/' }
  return fetchDebian(['exim4-config', 'exim4-base'])
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** What `update-exim4.conf` makes of an answer to Debian's question and the choice of split files. */
export function debianConfiguration(root: string, type: DebianType, split: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), 'postern-debian-'))
  try {
    // passwd.client, which is closed to others, has no part in it.
    cpSync(join(root, 'etc/exim4'), join(folder, 'exim4'), { recursive: true, filter: readable })
    const answers = {
      dc_eximconfig_configtype: type,
      dc_other_hostnames: 'mail.example;example.org',
      dc_local_interfaces: '127.0.0.1 ; ::1',
      dc_readhost: 'visible.example',
      dc_relay_domains: 'relay.example',
      dc_minimaldns: 'false',
      dc_relay_nets: '10.0.0.0/8;192.168.0.0/16',
      dc_smarthost: 'smart.example::587',
      dc_use_split_config: String(split),
      dc_hide_mailname: 'true',
      dc_mailname_in_oh: 'true',
      dc_localdelivery: 'maildir_home',
    }
    const lines = Object.entries(answers).map(([name, value]) => `${name}='${value}'\n`)
    writeFileSync(join(folder, 'exim4/update-exim4.conf.conf'), lines.join(''))
    // The group belongs to the package, which need not be installed here.
    const script = readFileSync(join(root, 'usr/sbin/update-exim4.conf'), 'utf8').replaceAll(
      'root:Debian-exim',
      'root',
    )
    writeFileSync(join(folder, 'generate'), script)
    const output = join(folder, 'config')
    const made = spawnSync(
      'sh',
      [join(folder, 'generate'), '--keepcomments', '-d', join(folder, 'exim4'), '-o', output],
      {
        encoding: 'utf8',
        env: { ...process.env, CFILEMODE: '644', TMPDIR: folder },
      },
    )
    assert.equal(made.status, 0, made.stderr)
    return fromBytes(readFileSync(output))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
