/** The house rules that a machine can check: who may import whom, and who may touch the outside. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const source = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src')

/** Floor of each room. A file imports from its own room or from a lower floor. */
const floors: Readonly<Record<string, number>> = {
  base: 0,
  mail: 1,
  language: 2,
  wire: 2,
  store: 2,
  policy: 3,
  flow: 4,
  server: 5,
  tools: 6,
}

/** Within `language`: config stands below the others, which know each other only through ports.ts ... */
const languageFloors: Readonly<Record<string, number>> = { config: 0, expand: 1, lists: 1, lookups: 1 }
/** ... but for what a lookup's type word means and how its queries are quoted. */
const sharedWithinLanguage = new Set(['language/lookups/parse-type.ts', 'language/lookups/quoting.ts'])

/** The doors: the only files that may import what touches sockets, files, processes, databases. */
const doors: Readonly<Record<string, readonly string[]>> = {
  'base/accounts.ts': ['node:child_process', 'node:fs'],
  'base/posix.ts': ['koffi'],
  'base/read-socket.ts': ['node:net', 'node:tls'],
  'flow/delivery/local/current-directory.ts': ['node:fs', 'node:fs/promises'],
  'flow/delivery/local/folder-quota.ts': ['node:fs/promises'],
  'flow/delivery/local/folder.ts': ['node:fs/promises'],
  'flow/delivery/local/lmtp.ts': ['node:child_process'],
  'flow/delivery/local/lock.ts': ['node:fs/promises'],
  'flow/delivery/local/mailbox-quota.ts': ['node:fs/promises'],
  'flow/delivery/local/maildir-use.ts': ['node:fs/promises'],
  'flow/delivery/local/maildir.ts': ['node:fs/promises'],
  'flow/delivery/local/maildirsize.ts': ['node:fs/promises'],
  'flow/delivery/local/mailstore.ts': ['node:fs/promises'],
  'flow/delivery/local/make-folders.ts': ['node:fs/promises'],
  'flow/delivery/local/mbox.ts': ['node:fs', 'node:fs/promises'],
  'flow/delivery/local/note.ts': ['node:fs', 'node:fs/promises'],
  'flow/delivery/local/pipe.ts': ['node:child_process', 'node:fs', 'node:fs/promises'],
  'flow/delivery/local/queuefile.ts': ['node:fs/promises'],
  'flow/delivery/local/transport-filter.ts': ['node:child_process'],
  'language/expand/doors/functions-worker.ts': ['node:worker_threads'],
  'language/expand/doors/functions.ts': ['node:worker_threads'],
  'language/expand/doors/perl.ts': ['node:child_process', 'node:fs', 'node:net'],
  'language/expand/doors/run.ts': ['node:child_process'],
  'language/lookups/helper-process.ts': ['node:child_process'],
  'language/lookups/ldap.ts': ['ldapts', 'node:net'],
  'language/lookups/mysql.ts': ['mysql2'],
  'language/lookups/page-file.ts': ['node:fs/promises'],
  'language/lookups/pgsql.ts': ['pg'],
  'language/lookups/redis-client.ts': ['ioredis'],
  'language/lookups/sqlite-locks.ts': ['node:fs'],
  'language/lookups/sqlite-worker.ts': ['node-sqlite3-wasm'],
  'mail/rfc2047.ts': ['iconv-lite'],
  'policy/acl/udp.ts': ['node:dgram'],
  'policy/authenticators/dovecot-socket.ts': ['node:net', 'node:tls'],
  'policy/msgauth/dmarc/history-file.ts': ['node:fs/promises'],
  'policy/msgauth/dmarc/read-report.ts': ['fast-xml-parser'],
  'policy/msgauth/dmarc/unpack.ts': ['fflate'],
  'policy/scanning/malware/cmdline.ts': ['node:child_process'],
  'policy/scanning/scan-copy.ts': ['node:fs', 'node:fs/promises'],
  'server/configuration-file.ts': ['node:fs'],
  'server/drop-folder.ts': ['node:fs'],
  'server/files.ts': ['node:fs'],
  'server/follow-log.ts': ['node:fs'],
  'server/log-files.ts': ['node:fs'],
  'server/metrics/http.ts': ['node:http'],
  'server/pid-file.ts': ['node:fs'],
  'server/privileged/fork-worker.ts': ['node:child_process'],
  'server/privileged/helper-main.ts': ['node:child_process', 'node:net'],
  'server/privileged/helper.ts': ['node:child_process'],
  'server/privileged/job-runner.ts': ['node:child_process'],
  'server/privileged/sockets.ts': ['node:net'],
  'server/privileged/prepare-folders.ts': ['node:fs'],
  'server/process-state.ts': ['node:fs'],
  'server/service-ports.ts': ['node:fs'],
  'store/drop.ts': ['node:fs'],
  'store/events/journal.ts': ['node:fs'],
  'store/explanations.ts': ['node:fs', 'node:fs/promises'],
  'store/hints/index.ts': ['lmdb', 'node:fs'],
  'store/lmdb-file.ts': ['node:fs'],
  'store/lmdb-room.ts': ['lmdb', 'node:fs'],
  'store/map-room.ts': ['node:fs'],
  'store/spool/disk.ts': ['node:fs'],
  'store/spool/queue-index.ts': ['lmdb'],
  'tools/cli/commands/dmarc.ts': ['node:fs'],
  'tools/cli/commands/explain.ts': ['node:fs'],
  'tools/cli/commands/dbmbuild.ts': ['node:fs'],
  'tools/cli/commands/health.ts': ['node:net'],
  'tools/cli/commands/install.ts': ['node:fs'],
  'tools/cli/commands/migrate.ts': ['node:child_process', 'node:fs'],
  'tools/cli/commands/start.ts': ['node:fs'],
  'tools/cli/commands/version.ts': ['node:fs'],
  'tools/cli/exim-tools/exinext.ts': ['node:fs'],
  'tools/cli/exim-tools/exiwhat.ts': ['node:fs'],
  'tools/cli/exim-tools/hints-database.ts': ['node:fs'],
  'tools/cli/inetd-peer.ts': ['node:fs', 'node:net'],
  'tools/cli/modes/newaliases.ts': ['node:child_process'],
  'tools/cli/queueing.ts': ['node:child_process'],
  'tools/cli/start-daemon.ts': ['node:child_process'],
  'tools/cli/terminal.ts': ['node:fs'],
  'tools/cli/modes/filter-test.ts': ['node:fs'],
  'tools/cli/test-message.ts': ['node:fs'],
  'tools/cli/with-server.ts': ['node:fs'],
  'tools/host/door.ts': ['node:child_process', 'node:fs'],
  'tools/inspect/host-view.ts': ['node:fs'],
  'tools/inspect/test/find-files.ts': ['node:fs'],
  'tools/inspect/test/yaml-text.ts': ['yaml'],
  'tools/migrate/find-tree.ts': ['node:fs'],
  'tools/watch/log-files.ts': ['node:fs'],
  'wire/dns/exchange.ts': ['node:dgram', 'node:net'],
  'wire/dns/message.ts': ['dns-packet'],
  'wire/dns/servers.ts': ['node:fs'],
  'wire/event-target.ts': ['node:fs', 'node:http', 'node:https', 'node:net'],
  'wire/listener.ts': ['node:net'],
  'wire/outbound.ts': ['node:net'],
  'wire/http-exchange.ts': ['node:http', 'node:https', 'node:net'],
  'wire/tls/accept.ts': ['node:tls'],
  'wire/tls/certificate-files.ts': ['node:fs', 'node:tls'],
  'wire/tls/connect.ts': ['node:net', 'node:tls'],
  'wire/tls/contexts.ts': ['node:tls'],
  'wire/tls/dane.ts': ['node:tls'],
  'wire/tls/ocsp/asn1.ts': ['@peculiar/asn1-ocsp', '@peculiar/asn1-schema', '@peculiar/asn1-x509'],
  'wire/tls/self-made.ts': ['@peculiar/asn1-schema', '@peculiar/asn1-x509'],
  'wire/tls/ocsp/proof-file.ts': ['node:fs'],
  'wire/tls/ocsp/staples.ts': ['node:fs'],
}

const guarded =
  /^(node:(net|tls|fs|dns|dgram|child_process|http|https|http2|cluster|worker_threads|vm)(\/.*)?|lmdb|@peculiar\/.*|koffi|dns-packet|fast-xml-parser|fflate|iconv-lite|ioredis|ldapts|pg|mysql2.*|node-sqlite3-wasm|node:sqlite|yaml)$/

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (name) =>
    name.endsWith('.ts') &&
    !name.endsWith('.test.ts') &&
    !name.endsWith('.d.ts') &&
    !name.includes('testdata'),
)
const imports: Import[] = files.flatMap((from) => {
  const text = readFileSync(join(source, from), 'utf8')
  const found: Import[] = []
  for (const match of text.matchAll(/^(?:import|export)\s+(type\s)?[^'"`;]*?from\s+'([^']+)'/gm)) {
    found.push({ from, to: match[2] ?? '', typeOnly: match[1] !== undefined })
  }
  for (const match of text.matchAll(/(?:^import\s+|\bimport\()'([^']+)'/gm))
    found.push({ from, to: match[1] ?? '', typeOnly: false })
  return found
})
const inner = imports
  .filter((each) => each.to.startsWith('.'))
  .map((each) => ({ ...each, to: normalize(join(dirname(each.from), each.to)) }))
const room = (file: string): string => file.split('/', 1)[0] ?? ''

test('a file imports from its own room or from a lower floor', () => {
  const wrong = inner.filter(({ from, to, typeOnly }) => {
    if (from === 'index.ts' || from === 'ports.ts' || room(from) === room(to)) return false
    if (to === 'ports.ts') return !typeOnly
    const [here, there] = [floors[room(from)], floors[room(to)]]
    return here === undefined || there === undefined || there >= here
  })
  assert.deepEqual(wrong.map(show), [])
})

test('ports.ts holds types alone, from low floors', () => {
  const wrong = inner.filter(({ from, to, typeOnly }) => {
    const low = /^(base|mail|language\/config)\//.test(to)
    return from === 'ports.ts' && !(typeOnly && low)
  })
  assert.deepEqual(wrong.map(show), [])
})

test('within the language, expand, lists and lookups know each other only through ports.ts', () => {
  const part = (file: string): string => file.split('/')[1] ?? ''
  const wrong = inner.filter(({ from, to }) => {
    if (room(from) !== 'language' || room(to) !== 'language' || part(from) === part(to)) return false
    if (sharedWithinLanguage.has(to)) return false
    return (languageFloors[part(to)] ?? 9) >= (languageFloors[part(from)] ?? 0)
  })
  assert.deepEqual(wrong.map(show), [])
})

test('the files of a message’s way know each other only through the shared ones of their floor', () => {
  const part = (file: string): string => file.split('/')[1] ?? ''
  const wrong = inner.filter(
    ({ from, to }) =>
      room(from) === 'flow' &&
      room(to) === 'flow' &&
      part(from) !== part(to) &&
      !part(to).endsWith('.ts') &&
      !part(from).endsWith('.ts'),
  )
  assert.deepEqual(wrong.map(show), [])
})

test('there are no import cycles', () => {
  const next = new Map<string, string[]>()
  for (const { from, to, typeOnly } of inner) if (!typeOnly) next.set(from, [...(next.get(from) ?? []), to])
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) {
      cycles.push([...way.slice(way.indexOf(file)), file].join(' -> '))
      return
    }
    if (done.has(file)) return
    for (const each of next.get(file) ?? []) visit(each, [...way, file])
    done.add(file)
  }
  for (const file of next.keys()) visit(file, [])
  assert.deepEqual(cycles, [])
})

test('only the doors touch sockets, files, processes and databases', () => {
  const found: Record<string, string[]> = {}
  for (const { from, to, typeOnly } of imports) {
    if (typeOnly || !guarded.test(to)) continue
    ;(found[from] ??= []).push(to)
  }
  const sorted = Object.fromEntries(
    Object.entries(found)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([file, modules]) => [file, [...new Set(modules)].sort()]),
  )
  assert.deepEqual(sorted, doors)
})

function show({ from, to }: Import): string {
  return `${from} imports ${to}`
}
