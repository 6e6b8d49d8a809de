/** The history file in the hands of Debian's opendmarc tools and a real MariaDB: requirements D3 and 3.4. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readReport } from '../src/policy/msgauth/dmarc/read-report.ts'
import { fetchMariadb, startMariadb } from './support/databases.ts'
import { fetchDebian, libraryPath } from './support/debian.ts'
import { startDnsServer } from './support/dns-server.ts'
import { startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const tools = fetchDebian([
  'opendmarc',
  'libswitch-perl',
  'libdbi-perl',
  'libdbd-mysql-perl',
  'libjson-perl',
  'libhttp-message-perl',
])
const mariadb = fetchMariadb()
const perl = spawnSync('perl', ['-MNet::SMTP', '-MIO::Compress::Zip', '-e', '1']).status === 0
const missing =
  'missing' in tools ? tools.missing : 'missing' in mariadb ? mariadb.missing : perl ? undefined : 'no perl'

const configuration = `
primary_hostname = mx.test
host_lookup =
never_users =
acl_smtp_rcpt = accept
acl_smtp_data = at_data
dmarc_history_file = FOLDER/history/dmarc.dat
begin acl
at_data:
  accept dmarc_status = *
begin routers
r:
  driver = accept
  transport = t
begin transports
t:
  driver = appendfile
  file = FOLDER/history/mbox
  user = mail
`

test('3.4: opendmarc-import reads what is written, and opendmarc-reports makes a report of it', {
  skip: missing,
}, async () => {
  if ('missing' in tools || 'missing' in mariadb) return
  const folder = temporaryFolder('opendmarc')
  mkdirSync(join(folder.path, 'history'))
  chmodSync(join(folder.path, 'history'), 0o777)
  const dns = await startDnsServer({
    'pass.test TXT': [{ type: 'TXT', data: ['v=spf1 ip4:127.0.0.1 -all'] }],
    'fail.test TXT': [{ type: 'TXT', data: ['v=spf1 -all'] }],
    '_dmarc.pass.test TXT': [
      { type: 'TXT', data: ['v=DMARC1; p=reject; rua=mailto:a@pass.test,mailto:b@pass.test'] },
    ],
    '_dmarc.other.test TXT': [
      { type: 'TXT', data: ['v=DMARC1; p=quarantine; sp=none; aspf=s; rua=mailto:a@other.test'] },
    ],
    '_dmarc.quiet.test TXT': [{ type: 'TXT', data: ['v=DMARC1; p=none'] }],
  })
  const database = await startMariadb(mariadb)
  const server = await startServer({
    configuration: configuration.replaceAll('FOLDER', folder.path),
    folder: folder.path,
    environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
  })
  const perlHome = [join(tools.root, 'usr/share/perl5'), ...perlLibraries(tools.root)].join(':')
  const environment = {
    ...process.env,
    PERL5LIB: perlHome,
    LD_LIBRARY_PATH: libraryPath(tools.root),
    LC_ALL: 'C',
  }
  const access = [
    '--dbhost=127.0.0.1',
    `--dbport=${database.port}`,
    '--dbuser=mail',
    '--dbpasswd=secret',
    '--dbname=opendmarc',
  ]
  const tool = async (name: string, args: readonly string[]): Promise<string> => {
    const child = spawn('perl', [join(tools.root, 'usr/sbin', name), ...access, ...args], {
      cwd: folder.path,
      env: environment,
    })
    let text = ''
    child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
    child.stderr.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
    assert.equal(status, 0, text)
    return text
  }
  const sql = (text: string, ...args: string[]): string => {
    const client = join(mariadb.root, 'usr/bin/mariadb')
    const done = spawnSync(
      client,
      ['--no-defaults', '-h127.0.0.1', `-P${database.port}`, '-umail', '-psecret', '-N', ...args],
      { input: text, encoding: 'utf8', env: { ...process.env, LD_LIBRARY_PATH: libraryPath(mariadb.root) } },
    )
    assert.equal(done.status, 0, done.stderr)
    return done.stdout
  }
  try {
    sql(readFileSync(join(tools.root, 'usr/share/dbconfig-common/data/opendmarc/install/mysql'), 'utf8'))
    const client = await connectSmtp(server.port)
    await client.say('EHLO pass.test')
    for (const [sender, from] of [
      ['a@pass.test', 'a@pass.test'],
      ['a@fail.test', 'a@pass.test'],
      ['', 'a@other.test'],
      ['a@fail.test', 'a@quiet.test'],
    ]) {
      await client.deliver(sender ?? '', ['u@here.test'], `From: ${from}\r\n\r\nText\r\n`)
    }
    client.end()
    const said = await tool('opendmarc-import', [`--input=${join(folder.path, 'history', 'dmarc.dat')}`])
    assert.doesNotMatch(said, /failed|uninitialized/)
    assert.equal(
      sql(
        'select f.name, e.name, p.name, m.spf, m.policy, m.disp, m.align_spf, m.align_dkim, i.addr from messages m join domains f on f.id = m.from_domain join domains e on e.id = m.env_domain join domains p on p.id = m.policy_domain join ipaddr i on i.id = m.ip order by m.id;',
        'opendmarc',
      ),
      'pass.test\tpass.test\tpass.test\t0\t15\t2\t4\t5\t127.0.0.1\n' +
        'pass.test\tfail.test\tpass.test\t7\t16\t0\t5\t5\t127.0.0.1\n' +
        'other.test\tpass.test\tother.test\t0\t17\t4\t5\t5\t127.0.0.1\n' +
        'quiet.test\tfail.test\tquiet.test\t7\t18\t2\t5\t5\t127.0.0.1\n',
    )
    assert.equal(
      sql(
        'select d.name, repuri, adkim, aspf, policy, spolicy, pct from requests r join domains d on d.id = r.domain order by r.id;',
        'opendmarc',
      ),
      'pass.test\tmailto:a@pass.test,mailto:b@pass.test\t114\t114\t114\t0\t100\n' +
        'other.test\tmailto:a@other.test\t114\t115\t113\t110\t100\n' +
        'quiet.test\t\t114\t114\t110\t0\t100\n',
    )
    const mail = [
      `--smtp-port=${server.port}`,
      '--smtp-server=127.0.0.1',
      '--report-email=dmarc@mx.test',
      '--report-org=mx.test',
    ]
    await tool('opendmarc-reports', ['--interval=86400', '--keepfiles', '--verbose', '--verbose', ...mail])
    const file = readdirSync(folder.path).find(
      (name) => name.startsWith('mx.test!pass.test!') && name.endsWith('.xml'),
    )
    const xml = readFileSync(join(folder.path, file ?? assert.fail('no report about pass.test')), 'utf8')
    const report = readReport(xml)
    assert.ok('rows' in report, xml)
    assert.deepEqual([report.domain, report.policy], ['pass.test', 'reject'])
    assert.deepEqual(
      report.rows
        .map(({ count, disposition, spf, dkim }) => [count, disposition, spf, dkim].join(' '))
        .toSorted(),
      ['1 none pass fail', '1 reject fail fail'],
    )
    // And Postern carries it to its address.
    await server.logged(/=> a <a@pass\.test>/, 20_000)
  } finally {
    await server.stop()
    await database.stop()
    await dns.close()
    folder.remove()
  }
})

/** Folders of compiled Perl modules of an unpacked root. */
function perlLibraries(root: string): string[] {
  const found: string[] = []
  for (const triplet of readdirSync(join(root, 'usr/lib'))) {
    const folder = join(root, 'usr/lib', triplet, 'perl5')
    const versions = spawnSync('ls', [folder], { encoding: 'utf8' }).stdout.split('\n')
    for (const version of versions) if (version !== '') found.push(join(folder, version))
  }
  return found
}
