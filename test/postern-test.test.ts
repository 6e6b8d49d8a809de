/** `postern test`: the tests that stand beside the configurations we ship, and what the command says when one fails. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { debianConfiguration, debianRoot } from './support/debian-configuration.ts'
import { postern } from './support/server.ts'

const examples = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'examples')
let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-test-'))
})
after(() => rmSync(folder, { recursive: true }))

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function run(...words: string[]): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [postern, 'test', ...words], {
    encoding: 'utf8',
    cwd: folder,
    timeout: 120_000,
  })
  return { code: status, out: stdout, err: stderr }
}

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

let shipped = 0
function passes(ran: Ran): void {
  assert.equal(ran.code, 0, ran.out + ran.err)
  const [, count = '0'] = /^(\d+) passed of \d+ tests/m.exec(ran.out) ?? []
  assert.ok(Number(count) > 0, ran.out)
  shipped += Number(count)
}

for (const name of ['start', 'install'])
  test(`the configuration of postern ${name} is as its tests say`, () => {
    passes(run(join(examples, `postern-${name}.postern-test.yaml`)))
  })

for (const type of ['internet', 'smarthost'] as const)
  test(`the configuration that Debian makes for "${type}" is as its tests say`, (t) => {
    const found = debianRoot()
    if ('missing' in found) return t.skip(found.missing)
    const config = write(`debian-${type}.conf`, debianConfiguration(found.root, type, false))
    passes(run('-C', config, join(examples, `debian-${type}.postern-test.yaml`)))
  })

test('more than sixty tests are shipped', (t) => {
  if ('missing' in debianRoot()) return t.skip('without those of Debian there are fewer')
  assert.ok(shipped >= 60, `${shipped} tests`)
})

const configuration = `
primary_hostname = mail.example.net
domainlist local_domains = example.net
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
begin acl
check_rcpt:
  deny  dnslists = bl.example
        message = $sender_host_address is listed
  deny  condition = \${lookup redis{GET bad:$sender_address}{yes}{no}}
        message = bad sender
  accept domains = +local_domains
         set acl_m_kind = \${if eq{$tls_in_cipher}{}{clear}{secret}}
  deny  message = no relay
check_data:
  accept add_header = X-Kind: $acl_m_kind
begin routers
never:
  driver = accept
  domains = never.example
  transport = discard
local:
  driver = accept
  transport = discard
begin transports
discard:
  driver = appendfile
  file = /dev/null
`

const world = `
configuration: exim.conf
world:
  client: {address: 192.0.2.7, name: null}
  dns: {"*.bl.example": nxdomain}
  lookups: {redis: {"/^GET bad:/": null}}
`

function conf(): void {
  write('exim.conf', configuration)
}

test('what is asked of DNS and databases is answered from the file, and variables, headers and TLS can be expected', () => {
  conf()
  const file = write(
    'good.postern-test.yaml',
    `${world}
tests:
- name: taken
  mail: a@example.org
  rcpt: b@example.net
  message: true
  expect:
    reply: accepted
    variables: {acl_m_kind: clear, "\${lc:X}": x}
    headers: {X-Kind: clear}
    headers_added: "X-Kind: clear"
    routing: {b@example.net: {router: local, transport: discard}}
- name: with TLS
  world: {tls: {version: TLS1.3}}
  mail: a@example.org
  rcpt: b@example.net
  message: true
  expect: {reply: accepted, headers: {X-Kind: secret}, log: P=esmtps}
- name: listed
  world: {dns: {7.2.0.192.bl.example: {A: 127.0.0.2, TXT: listed}}}
  mail: a@example.org
  rcpt: b@example.net
  expect: {reply: 550 192.0.2.7 is listed, decided_by: ":8"}
- name: a list that does not answer
  world: {dns: {"*.bl.example": servfail}}
  mail: a@example.org
  rcpt: b@example.net
  expect: accepted
- name: bad
  world: {lookups: {redis: {GET bad:a@example.org: 1}}}
  mail: a@example.org
  rcpt: b@example.net
  expect: 550 bad sender
- name: the database is away
  world: {lookups: {redis: {GET bad:a@example.org: {defer: no connection}}}}
  mail: a@example.org
  rcpt: b@example.net
  expect: deferred
`,
  )
  const ran = run(file)
  assert.equal(ran.code, 0, ran.out)
  assert.match(ran.out, /6 passed of 6 tests/)
})

test('a question that the world does not answer fails the test, with the YAML to add', () => {
  conf()
  const file = write(
    'unanswered.postern-test.yaml',
    `configuration: exim.conf
tests:
- {name: asks, mail: a@example.org, rcpt: b@example.net, expect: accepted}
`,
  )
  const { code, out } = run(file)
  assert.equal(code, 1)
  assert.match(out, /not stated: the DNS for A of 1\.2\.0\.192\.bl\.example/)
  assert.match(out, /^ +dns:\n +1\.2\.0\.192\.bl\.example: nxdomain/m)
  assert.match(out, /not stated: the redis lookup GET bad:a@example\.org/)
  assert.match(out, /^ +lookups:\n +redis:\n +"GET bad:a@example\.org": what it finds/m)
})

test('what is not as expected is shown beside what was found, with its line', () => {
  conf()
  const file = write(
    'differs.postern-test.yaml',
    `${world}
tests:
- name: differs
  mail: a@example.org
  rcpt: b@example.com
  expect:
    reply: 550 relay denied
`,
  )
  const { code, out } = run(file)
  assert.equal(code, 1)
  assert.match(out, /FAIL {2}differs .*differs\.postern-test\.yaml:9/)
  assert.match(
    out,
    /the reply to RCPT TO:<b@example\.com> \(line 13\)\n +expected +550 relay denied\n +found +550 no relay/,
  )
  assert.match(out, /1 failed, 0 passed of 1 tests/)
})

test('colours are for terminals, and for who asks for them', () => {
  conf()
  assert.doesNotMatch(run('differs.postern-test.yaml').out, /\u001B/)
  assert.match(run('differs.postern-test.yaml', '--colour').out, /found +\u001B\[31m550 no relay\u001B\[0m/)
})

test('a file whose configuration is not on this host says so, and the others are run', () => {
  write(
    'here.postern-test.yaml',
    'configuration: {built_in: start}\ntests:\n- {name: small letters, expand: "${lc:A}", expect: a}\n',
  )
  write(
    'there.postern-test.yaml',
    'configuration: /nonexistent/exim.conf\ntests:\n- {name: small letters, expand: "${lc:A}", expect: a}\n',
  )
  const { code, out } = run('here.postern-test.yaml', 'there.postern-test.yaml')
  assert.match(
    out,
    /^ {2}cannot run {2}its configuration \/nonexistent\/exim\.conf is not on this host: run it where it is, or name another one with -C FILE$/m,
  )
  assert.match(out, /^1 file could not be run, 1 passed of 1 tests/m)
  assert.equal(code, 1)
  const named = run('-C', '/nonexistent/other.conf', 'here.postern-test.yaml')
  assert.match(named.out, /cannot run {2}there is no configuration \/nonexistent\/other\.conf$/m)
})

test('mistakes in the file have file, line and column', () => {
  conf()
  for (const { says, text, expected } of [
    {
      says: 'an unknown word',
      text: 'tests:\n- name: x\n  rcp: a@b\n  expect: accepted\n',
      expected: /:3:3: a test has no "rcp"; did you mean "rcpt"\?/,
    },
    { says: 'no YAML', text: 'tests:\n- name: [x\n', expected: /:3:1: / },
    {
      says: 'no address',
      text: 'world:\n  client: {address: 1.2.3}\ntests: []\n',
      expected: /:2:21: "1\.2\.3" is not an IP address/,
    },
    { says: 'no expectation', text: 'tests:\n- name: x\n', expected: /:2:3: a test has an "expect"/ },
    {
      says: 'no record',
      text: 'world:\n  dns: {a.example: {MX: mx.example}}\ntests: []\n',
      expected: /:2:21: "mx\.example" is no MX record/,
    },
  ]) {
    const { code, out } = run(write('wrong.postern-test.yaml', `${text}`), '-C', 'exim.conf')
    assert.equal(code, 1, says)
    assert.match(out, expected, says)
  }
})

test('--coverage names statements and routers that no test reached', () => {
  conf()
  const { out } = run('good.postern-test.yaml', '--coverage', '--filter', 'listed')
  assert.match(out, /never {2}.*exim\.conf:10 {2}ACL check_rcpt: deny condition/)
  assert.match(out, /never {2}.*exim\.conf:\d+ {2}router never/)
  assert.doesNotMatch(out, /exim\.conf:8 /)
  assert.match(out, /1 passed of 1 tests/)
})

test('--junit writes the results as XML, --json prints them', () => {
  conf()
  const { out } = run('differs.postern-test.yaml', 'good.postern-test.yaml', '--json', '--junit', 'junit.xml')
  const told: { passed: number; failed: number } = JSON.parse(out)
  assert.deepEqual([told.passed, told.failed], [6, 1])
  const xml = readFileSync(join(folder, 'junit.xml'), 'utf8')
  assert.match(xml, /<testsuites tests="7" failures="1" errors="0"/)
  assert.match(
    xml,
    /<failure message="the reply to RCPT TO:&lt;b@example\.com&gt;: expected 550 relay denied/,
  )
})

test('a hundred tests take less than three seconds of work', () => {
  conf()
  const many = Array.from(
    { length: 100 },
    (_, index) =>
      `- {name: test ${index}, mail: a${index}@example.org, rcpt: b@example.net, message: true, expect: accepted}`,
  )
  const file = write('many.postern-test.yaml', `${world}\ntests:\n${many.join('\n')}\n`)
  const { code, out } = run(file, '--json')
  assert.equal(code, 0, out.slice(0, 2000))
  const told: { passed: number; cpuMilliseconds: number } = JSON.parse(out)
  assert.equal(told.passed, 100)
  // Work, not time: the machine may do other things too.
  assert.ok(told.cpuMilliseconds < 3000, `${told.cpuMilliseconds} ms`)
})

test('--watch runs the tests again when the configuration changes', async () => {
  conf()
  const watched = write(
    'watched.postern-test.yaml',
    `${world}\ntests:\n- {name: relays, mail: a@example.org, rcpt: b@example.com, expect: 550 no relay}\n`,
  )
  const child = spawn(
    process.execPath,
    [postern, 'test', '--watch', watched, '-C', 'exim.conf', '--junit', 'watched.xml'],
    { cwd: folder },
  )
  try {
    let out = ''
    const until = (wanted: RegExp): Promise<void> =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not seen: ${wanted}\n${out}`)), 60_000)
        const look = (): void => {
          if (!wanted.test(out)) return
          clearTimeout(timer)
          child.stdout.off('data', look)
          out = ''
          resolve()
        }
        child.stdout.on('data', look)
        look()
      })
    child.stdout.on('data', (piece: Buffer) => (out += piece.toString()))
    await until(/1 passed of 1 tests[^]*Waiting for a change/)
    writeFileSync(join(folder, 'exim.conf'), configuration.replace('no relay', 'never'))
    await until(/1 failed, 0 passed of 1 tests[^]*Waiting for a change/)
    conf()
    await until(/1 passed of 1 tests[^]*Waiting for a change/)
    // What we write ourselves is no change.
    await sleep(1000)
    assert.equal(out, '')
  } finally {
    child.kill()
  }
})
