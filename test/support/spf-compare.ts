/**
 * Asks a real Exim and Postern, both with `-bh`, for SPF results over one zone, and prints them as JSON. Runs by
 * itself in a network of its own, where port 53 is free and /etc/resolv.conf names 127.0.0.1: `unshare -mn`.
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ScriptedRecord, startDnsServer, type Zone } from './dns-server.ts'

export interface ComparedSpf {
  readonly name: string
  readonly ours: string
  readonly theirs: string
}

const [exim = '', ours = '', configuration = ''] = process.argv.slice(2)

const records: Readonly<Record<string, string>> = {
  all: '+all',
  fail: '-all',
  softfail: '~all',
  neutral: '?all',
  bare: '',
  ip4: 'ip4:192.0.2.1 -all',
  'ip4-net': 'ip4:192.0.2.0/28 -all',
  'ip4-other': 'ip4:192.0.2.128/25 -all',
  ip6: 'ip6:2001:db8::/32 -all',
  a: 'a -all',
  'a-name': 'a:host.test -all',
  'a-prefix': 'a:near.test/24 -all',
  'a-none': 'a:nowhere.test -all',
  mx: 'mx -all',
  'mx-name': 'mx:mailed.test -all',
  ptr: 'ptr:host.test -all',
  'ptr-other': 'ptr:other.test -all',
  'ptr-label': 'ptr:test -all',
  exists: 'exists:%{ir}.list.test -all',
  'exists-not': 'exists:%{l}.list.test ~all',
  include: 'include:ip4.test -all',
  'include-fail': 'include:fail.test ~all',
  'include-soft': 'include:softfail.test ?all',
  'include-none': 'include:nowhere.test -all',
  redirect: 'redirect=ip4.test',
  'redirect-fail': 'redirect=fail.test',
  'redirect-none': 'redirect=nowhere.test',
  'redirect-all': '-all redirect=all.test',
  unknown: 'x=y ip4:192.0.2.1 -all',
  syntax: 'foo:bar -all',
  'syntax-late': 'ip4:192.0.2.1 foo:bar -all',
  prefix: 'ip4:192.0.2.1/40 -all',
  loop: 'include:loop.test -all',
  many: `${Array.from({ length: 11 }, (_, i) => `a:h${i}.test`).join(' ')} ip4:192.0.2.1 -all`,
  voids: 'a:x.nowhere.test a:y.nowhere.test a:z.nowhere.test ip4:192.0.2.1 -all',
  upper: 'IP4:192.0.2.1 -ALL',
  spaces: '  ip4:192.0.2.1   -all  ',
  'macro-d': 'exists:%{d2}.by.test -all',
  'macro-h': 'a:%{h} -all',
  order: '-ip4:192.0.2.1 +all',
}
const more: Readonly<Record<string, readonly ScriptedRecord[]>> = {
  'a.test A': [{ type: 'A', data: '192.0.2.1' }],
  'host.test A': [{ type: 'A', data: '192.0.2.1' }],
  'host.test AAAA': [{ type: 'AAAA', data: '2001:db8::7' }],
  'near.test A': [{ type: 'A', data: '192.0.2.200' }],
  'mx.test MX': [{ type: 'MX', data: { preference: 5, exchange: 'host.test' } }],
  'mailed.test MX': [{ type: 'MX', data: { preference: 5, exchange: 'host.test' } }],
  '1.2.0.192.in-addr.arpa PTR': [{ type: 'PTR', data: 'host.test' }],
  '1.2.0.192.list.test A': [{ type: 'A', data: '127.0.0.2' }],
  'macro-d.test.by.test A': [{ type: 'A', data: '127.0.0.2' }],
  'plain.test TXT': [{ type: 'TXT', data: ['no policy'] }],
  'two.test TXT': [
    { type: 'TXT', data: ['v=spf1 -all'] },
    { type: 'TXT', data: ['v=spf1 +all'] },
  ],
  'parts.test TXT': [{ type: 'TXT', data: ['v=spf1 ip4:192.', '0.2.1 -all'] }],
}
const zone: Record<string, Zone[string]> = { ...more, 'servfail.test TXT': 'servfail' }
for (const [name, text] of Object.entries(records)) {
  zone[`${name}.test TXT`] = [{ type: 'TXT', data: [`v=spf1 ${text}`.trimEnd()] }]
}

writeFileSync(
  configuration,
  `primary_hostname = mx.test
spool_directory = ${dirname(configuration)}/spool
log_file_path = ${dirname(configuration)}/%slog
smtp_accept_max_nonmail = 10000
host_lookup =
dns_retrans = 1s
dns_retry = 1
acl_smtp_mail = at_mail
acl_smtp_rcpt = at_rcpt
begin acl
at_mail:
  accept
at_rcpt:
  deny spf = pass:fail:softfail:none:neutral:permerror:temperror:invalid
       message = $spf_result|\${sg{\${authresults{mx.test}}}{\\\\n\\\\t}{|}}|$spf_header_comment
  deny message = no result
`,
)

const names = [...Object.keys(records), 'plain', 'two', 'parts', 'servfail', 'missing']
const dns = await startDnsServer(zone, { port: 53 })
const compared: ComparedSpf[] = []
for (const address of ['192.0.2.1', '2001:db8::7']) {
  const [us, them] = [await ask(ours, address), await ask(exim, address)]
  for (const [i, name] of [...names, '<>'].entries()) {
    compared.push({ name: `${name} from ${address}`, ours: us[i] ?? 'nothing', theirs: them[i] ?? 'nothing' })
  }
}
await dns.close()
process.stdout.write(JSON.stringify(compared))

/** One dialogue; the refusals of RCPT, each on one line, without the folding that differs. */
function ask(program: string, address: string): Promise<string[]> {
  const lines = ['EHLO host.test']
  for (const name of names) lines.push(`MAIL FROM:<a@${name}.test>`, 'RCPT TO:<x@here.test>', 'RSET')
  lines.push('MAIL FROM:<>', 'RCPT TO:<x@here.test>', 'QUIT')
  return new Promise((resolve) => {
    const child = spawn(program, ['-C', configuration, '-bh', address], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let output = ''
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString('latin1')))
    child.on('close', () => {
      const replies = output.replaceAll('\r', '').match(/^(?:550-.*\n)*550 .*$/gm) ?? []
      const texts = replies.map((reply) => reply.replaceAll(/^550[- ]/gm, '').replaceAll(/\s+/g, ' '))
      // Each describes a mistake in words of its own.
      resolve(
        texts.map((text) => text.replace(/(error in processing during lookup of domain of [^:]+): .*/, '$1')),
      )
    })
    child.stdin.end(`${lines.join('\r\n')}\r\n`)
  })
}
