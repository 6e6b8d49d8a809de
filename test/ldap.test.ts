/** LDAP lookups against a real slapd, and against the answers of a real Exim. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isFailure } from '../src/base/outcome.ts'
import { taint, textOf } from '../src/base/text.ts'
import type { MainSettings } from '../src/language/config/options/main.ts'
import { expansionBench, type Bench } from './support/expansion-context.ts'
import { fetchSlapd, startSlapd, type Database } from './support/databases.ts'

const program = fetchSlapd()
const skip = 'missing' in program ? program.missing : false

/** Certificates of its own, so that the check of names is real. */
function makeCertificate(folder: string): { readonly certificate: string; readonly key: string } | undefined {
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
  ])
  if (made.status !== 0) return undefined
  for (const file of [certificate, key]) chmodSync(file, 0o644)
  return { certificate, key }
}

describe('LDAP', { skip }, () => {
  let server: Database
  let bench: Bench
  const folder = mkdtempSync(join(tmpdir(), 'postern-ldap-'))
  chmodSync(folder, 0o755)
  const tls = makeCertificate(folder)
  const settings = (more: Partial<MainSettings> = {}): Partial<MainSettings> => ({
    ldap_default_servers: [`127.0.0.1:${server.port}`],
    ...more,
  })

  before(async () => {
    if ('missing' in program) return
    server = await startSlapd(program, readFileSync('test/testdata/ldap.ldif', 'utf8'), tls)
    bench = expansionBench({ settings: settings() })
  })
  after(async () => {
    bench.close()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const askWith = async (using: Bench, text: string): Promise<string> => {
    const value = await using.expander.expandText(text, using.context)
    return isFailure(value) ? `Failed: ${value.message}` : textOf(value)
  }
  const ask = (text: string): Promise<string> => askWith(bench, text)

  /** Where ours is other than Exim's, and why. */
  const differs: readonly (readonly [query: RegExp, why: string])[] = [
    [/\?\+\?/, 'operational attributes: those of the directory, times and all'],
    [/127\.0\.0\.1:1\//, 'ours says why the server was not reached'],
    [/DEREFERENCE=x/, 'ours names the words'],
    [/\{lookup ldapauth/, 'ours says where it belongs'],
  ]

  test('queries give what Exim gives', async () => {
    const rows = readFileSync('test/testdata/ldap-queries.txt', 'utf8')
      .trimEnd()
      .replaceAll('PORT', String(server.port))
      .replaceAll('SOCKET', encodeURIComponent(server.socket))
      .split('\n')
    const exim = process.env['POSTERN_TEST_EXIM4'] ?? '/usr/sbin/exim4'
    const input = rows.map((row, i) => `${row}\n=====${i}=====\n`).join('')
    const answers = existsSync(exim)
      ? spawnSync(exim, ['-C', '/dev/null', '-be'], { input, encoding: 'latin1', timeout: 60_000 }).stdout
      : undefined
    let at = 0
    const wrong: string[] = []
    for (const [i, row] of rows.entries()) {
      const ours = await ask(row)
      const mark = `\n> =====${i}=====\n`
      const end = answers?.indexOf(mark, at) ?? -1
      const theirs = answers?.slice(at, end).replace(/^> /, '').replace(/\n$/, '') ?? ours
      at = end + mark.length
      if (differs.some(([query]) => query.test(row))) continue
      if (ours !== theirs) wrong.push(`${row}\n  Exim: ${theirs}\n  ours: ${ours}`)
    }
    assert.deepEqual(wrong, [])
  })

  test('what a query is known to give', async () => {
    const url = 'ldap:///o=base'
    assert.equal(await ask(`\${lookup ldap{${url}?cn?sub?(uid=fred)}}`), 'Fred,Fre,, ddy')
    assert.equal(
      await ask(`\${lookup ldap{${url}?cn,sn?sub?(uid=fred)}}`),
      'cn="Fred,Fre,, ddy" sn="Flint \\"stone\\" \\\\x"',
    )
    assert.equal(await ask(`\${lookup ldapdn{${url}?cn?sub?(uid=fred)}}`), 'uid=fred,o=base')
    assert.equal(await ask(`\${lookup ldap{${url}?cn?sub?(uid=fred)}{$ldap_dn}}`), 'uid=fred,o=base')
    assert.equal(
      await ask(`\${lookup ldapm{${url}?mail?sub?(mail=*)}}`),
      'fred@example.org\nalice@example.org,a@example.org',
    )
    assert.match(
      await ask('${lookup ldap{ldap://127.0.0.1:1/o=base?cn}}'),
      /gave DEFER: failed to bind .*ECONNREFUSED/,
    )
  })

  test('the next server is asked when one is not reached, none when one answers', async () => {
    const two = expansionBench({
      settings: settings({ ldap_default_servers: ['127.0.0.1:1', `127.0.0.1:${server.port}`] }),
    })
    assert.equal(await askWith(two, '${lookup ldap{ldap:///o=base?mail?sub?(uid=fred)}}'), 'fred@example.org')
    two.close()
    const socket = expansionBench({ settings: settings({ ldap_default_servers: [server.socket] }) })
    assert.equal(
      await askWith(socket, '${lookup ldap{ldap:///o=base?mail?sub?(uid=fred)}}'),
      'fred@example.org',
    )
    socket.close()
  })

  test('a text from outside must be quoted, and then stays a value', async () => {
    const hostile = '*)(uid=*'
    const world = expansionBench({
      settings: settings(),
      context: { address: { localPart: hostile, domain: 'al,ice' } },
    })
    assert.match(
      await askWith(world, '${lookup ldap{ldap:///o=base?mail?sub?(uid=$local_part)}}'),
      /tainted search query is not properly quoted.*\$\{quote_ldap:\$local_part\}/,
    )
    assert.equal(
      await askWith(world, '${lookup ldap{ldap:///o=base?mail?sub?(uid=${quote_ldap:$local_part})}{y}{n}}'),
      'n',
    )
    assert.equal(
      await askWith(world, '${lookup ldap{ldap:///uid=${quote_ldap_dn:$domain},o=base?cn?base}}'),
      'Alice (x)*',
    )
    world.context.variables.set('acl_verify_message', taint('203.0.113.5', '$acl_verify_message'))
    assert.equal(
      await askWith(
        world,
        '${lookup ldap{ldap:///o=base?mail?sub?(|(uid=$acl_verify_message)(uid=fred))}{y}{n}}',
      ),
      'y',
    )
    assert.match(
      await askWith(world, '${lookup ldap{ldap://$acl_verify_message/o=base?mail?sub?(uid=fred)}{y}{n}}'),
      /tainted search query is not properly quoted/,
    )
    // A password from outside never becomes another setting.
    const login = '${if ldapauth{user="uid=fred,o=base" pass=$acl_verify_message ldap:///}{y}{n}}'
    for (const [password, answer] of [
      ['fredpw', 'y'],
      ['wrong', 'n'],
      ['x user=cn=root,o=base pass=secret', 'n'],
      ['"fredpw"', 'n'],
    ] as const) {
      const variables = new Map([['acl_verify_message', taint(password, '$acl_verify_message')]])
      world.context.variables.set('acl_verify_message', variables.get('acl_verify_message') ?? '')
      assert.equal(await askWith(world, login), answer, password)
      assert.equal(
        await askWith(world, login.replace('$acl_verify_message', '${quote:$acl_verify_message}')),
        answer,
        password,
      )
    }
    world.close()
  })

  test('TLS: ldap_start_tls checks the certificate', {
    skip: tls === undefined && 'no openssl',
  }, async () => {
    const query = '${lookup ldap{ldap:///o=base?mail?sub?(uid=fred)}}'
    const checked = expansionBench({
      settings: settings({ ldap_start_tls: true, ldap_ca_cert_file: tls?.certificate }),
    })
    assert.equal(await askWith(checked, query), 'fred@example.org')
    checked.close()
    const unknown = expansionBench({ settings: settings({ ldap_start_tls: true }) })
    assert.match(await askWith(unknown, query), /gave DEFER: failed to bind .*certificate/)
    unknown.close()
    const careless = expansionBench({
      settings: settings({ ldap_start_tls: true, ldap_require_cert: 'never' }),
    })
    assert.equal(await askWith(careless, query), 'fred@example.org')
    careless.close()
  })

  test('a server that hangs costs the time limit, then rests', async () => {
    const slow = expansionBench({ settings: settings() })
    assert.equal(
      await askWith(slow, '${lookup ldap{ldap:///o=base?mail?sub?(uid=fred)}}'),
      'fred@example.org',
    )
    server.process.kill('SIGSTOP')
    while (!/\) [Tt] /.test(readFileSync(`/proc/${server.process.pid}/stat`, 'utf8')))
      await new Promise((resolve) => setTimeout(resolve, 5))
    try {
      const start = Date.now()
      for (let i = 0; i < 3; i++)
        assert.match(
          await askWith(slow, `\${lookup ldap,timeout=300ms{ldap:///o=base?mail?sub?(uid=${i})}}`),
          /gave DEFER/,
        )
      const begin = Date.now()
      assert.match(
        await askWith(slow, '${lookup ldap{ldap:///o=base?mail?sub?(uid=x)}}'),
        /not asked again for a moment/,
      )
      assert.ok(
        Date.now() - begin < 250 && begin - start < 5000,
        `${begin - start} ms, ${Date.now() - begin} ms`,
      )
    } finally {
      server.process.kill('SIGCONT')
    }
    slow.close()
  })

  test('many at once share a bounded number of connections', async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        ask(`\${lookup ldapm,cache=no_rd{ldap:///o=base?mail?sub?(|(uid=fred)(uid=${i}))}}`),
      ),
    )
    assert.deepEqual(new Set(answers), new Set(['fred@example.org']))
  })
})
