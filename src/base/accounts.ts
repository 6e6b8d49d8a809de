/**
 * Users and groups: /etc/passwd and /etc/group, read when they change; names that are not there are asked of NSS,
 * through the C library or `getent`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import type { Account, Accounts } from '../ports.ts'
import type { Posix } from './posix.ts'

type Group = NonNullable<ReturnType<Accounts['groupByName']>>

export interface AccountsOptions {
  readonly passwdFile?: string
  readonly groupFile?: string
  readonly nsswitchFile?: string
  /** Where systemd keeps records of users, or the sockets of those who have some. */
  readonly systemdFolders?: readonly string[]
  /** Undefined: `getent` is asked instead. */
  readonly posix?: Posix | undefined
  readonly now?: () => number
}

const systemdFolders = [
  '/run/systemd/userdb',
  '/etc/userdb',
  '/run/userdb',
  '/run/host/userdb',
  '/usr/local/lib/userdb',
  '/usr/lib/userdb',
]
const cacheMs = 60_000
const cacheSize = 10_000
/** A name that may be asked of `getent`: no option, no control character, none of the file's separators. */
const plainName = /^[^-:,\s\p{Cc}][^:,\s\p{Cc}]{0,255}$/u

export function createAccounts(options: AccountsOptions = {}): Accounts {
  const { posix, now = Date.now } = options
  const users = watched(options.passwdFile ?? '/etc/passwd', (text) =>
    table(parseUsers(text), (user) => user.uid),
  )
  const groups = watched(options.groupFile ?? '/etc/group', (text) =>
    table(parseGroups(text), (group) => group.gid),
  )
  const services = watched(options.nsswitchFile ?? '/etc/nsswitch.conf', parseServices)
  const folders = options.systemdFolders ?? systemdFolders
  const hasMore = (kind: 'passwd' | 'group'): boolean => {
    const others = services().get(kind) ?? []
    // Without any of them systemd has nobody to name, as in most containers.
    return others.some((service) => service !== 'systemd' || folders.some((folder) => existsSync(folder)))
  }
  const remembered = new Map<
    string,
    { readonly until: number; readonly value: Account | Group | undefined }
  >()

  /** Asks NSS, unless it has nothing but the files; remembers the answer, also that there is none. */
  const ask = <T extends Account | Group>(
    kind: 'passwd' | 'group',
    key: string | number,
    look: () => T | undefined,
  ) => {
    if (!hasMore(kind) || (typeof key === 'string' && !plainName.test(key))) return undefined
    const place = `${kind} ${typeof key} ${key}`
    const known = remembered.get(place)
    // What was put in for a kind is of that kind: the place begins with it.
    if (known !== undefined && known.until > now()) return known.value as T | undefined
    const value = look()
    if (remembered.size >= cacheSize) remembered.clear()
    remembered.set(place, { until: now() + cacheMs, value })
    return value
  }
  const getUser = (key: string | number): Account | undefined =>
    parseUsers(getent('passwd', key)).find(({ name, uid }) => name === key || uid === key)
  const getGroup = (key: string | number): Group | undefined =>
    parseGroups(getent('group', key)).find(({ name, gid }) => name === key || gid === key)

  return {
    byName: (name) =>
      users().byName.get(name) ??
      ask('passwd', name, () => (posix === undefined ? getUser(name) : posix.userByName(name))),
    byUid: (uid) =>
      users().byNumber.get(uid) ??
      ask('passwd', uid, () => (posix === undefined ? getUser(uid) : posix.userById(uid))),
    groupByName: (name) =>
      groups().byName.get(name) ??
      ask('group', name, () => (posix === undefined ? getGroup(name) : posix.groupByName(name))),
    groupByGid: (gid) =>
      groups().byNumber.get(gid) ??
      ask('group', gid, () => (posix === undefined ? getGroup(gid) : posix.groupById(gid))),
  }
}

/** A file that is read again when its time or size changes; empty when it cannot be read. */
function watched<T>(path: string, parse: (text: string) => T): () => T {
  let stamp = ''
  let value = parse('')
  return () => {
    const facts = statSync(path, { throwIfNoEntry: false })
    const current = facts === undefined ? '' : `${facts.mtimeMs} ${facts.size} ${facts.ino}`
    if (current === stamp) return value
    stamp = current
    value = parse(facts === undefined ? '' : readFileSync(path, 'latin1'))
    return value
  }
}

/** The first line of a name or number counts, as in the C library. */
function table<T extends { readonly name: string }>(
  rows: readonly T[],
  numberOf: (row: T) => number,
): { readonly byName: ReadonlyMap<string, T>; readonly byNumber: ReadonlyMap<number, T> } {
  const reversed = rows.toReversed()
  return {
    byName: new Map(reversed.map((row) => [row.name, row])),
    byNumber: new Map(reversed.map((row) => [numberOf(row), row])),
  }
}

function parseUsers(text: string): Account[] {
  const users: Account[] = []
  for (const fields of rows(text)) {
    const [name, , uid, gid, gecos = '', home = '', shell = ''] = fields
    if (name === undefined || !isNumber(uid) || !isNumber(gid)) continue
    users.push({ name, uid: Number(uid), gid: Number(gid), gecos, home, shell })
  }
  return users
}

function parseGroups(text: string): Group[] {
  const groups: Group[] = []
  for (const [name, , gid, members = ''] of rows(text)) {
    if (name === undefined || !isNumber(gid)) continue
    groups.push({ name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') })
  }
  return groups
}

/** Lines of colon-separated fields. NIS lines (`+`, `-`) are left to NSS. */
function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !/^[+#-]/.test(line))
    .map((line) => line.split(':'))
}

function isNumber(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,10}$/.test(text)
}

/** What nsswitch.conf names beside the files. */
function parseServices(text: string): Map<'passwd' | 'group', readonly string[]> {
  const kinds = new Map<'passwd' | 'group', readonly string[]>()
  for (const [, kind, services = ''] of text.matchAll(/^\s*(passwd|group)\s*:([^#\n]*)/gm)) {
    const others = services.split(/\s+/).filter((service) => !['', 'files', 'compat'].includes(service))
    if (kind === 'passwd' || kind === 'group') kinds.set(kind, others)
  }
  return kinds
}

function getent(database: 'passwd' | 'group', key: string | number): string {
  const done = spawnSync('getent', [database, String(key)], {
    timeout: 5000,
    maxBuffer: 1 << 20,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return done.status === 0 ? done.stdout.toString('latin1') : ''
}
