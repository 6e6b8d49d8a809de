/**
 * Deliveries whose names a resolver must complete, by a real Exim and by Postern, printed as JSON. Runs by itself in a network of
 * its own, where port 53 is free and /etc/resolv.conf and /etc/hosts are those of the test: `unshare -mn`.
 */
import { startDnsServer, type Zone } from './dns-server.ts'
import { plainMessage, side, type Side } from './side-by-side.ts'
import { startSink } from './smtp-sink.ts'

export interface NamesShown {
  readonly says: string
  readonly ours: readonly string[]
  readonly theirs: readonly string[]
}

const at = '127.88.0.1'
const a = (data: string) => [{ type: 'A', data }]
const zone: Zone = {
  'single.home.test A': a(at),
  'part.sub.office.test A': a(at),
  'short.home.test MX': [{ type: 'MX', data: { preference: 1, exchange: 'mx.home.test' } }],
  'deep.low.office.test MX': [{ type: 'MX', data: { preference: 1, exchange: 'mx.home.test' } }],
  'mx.home.test A': a(at),
  'broken.test': 'servfail',
  'host.broken.test': 'servfail',
}

interface Case {
  readonly says: string
  readonly to: string
  /** Options of the router `all` and the transport. */
  readonly router: string
  readonly transport?: string
  readonly main?: string
  /** From:, To: and Cc: as the host got them. */
  readonly headers?: true
  /** What Postern does that Exim 4.96 cannot: lines that it must show. */
  readonly own?: readonly RegExp[]
}

const manual = 'driver = accept'
const lookup = 'driver = dnslookup\n  self = send'
const event =
  'event_action = ${if eq{$event_name}{dns:fail}{${acl{ev}{$event_name}{$event_data}{$event_defer_errno}}}}'

export const cases: readonly Case[] = [
  { says: 'dns_qualify_single', to: 'a@x.test', router: manual, transport: 'hosts = single' },
  {
    says: 'dns_qualify_single = false',
    to: 'a@x.test',
    router: manual,
    transport: 'hosts = single\n  dns_qualify_single = false',
  },
  {
    says: 'dns_search_parents',
    to: 'a@x.test',
    router: manual,
    transport: 'hosts = part.sub\n  dns_search_parents',
  },
  { says: 'no dns_search_parents', to: 'a@x.test', router: manual, transport: 'hosts = part.sub' },
  {
    says: 'dns_qualify_single of fallback_hosts',
    to: 'a@x.test',
    router: manual,
    transport: 'hosts = 127.88.0.99\n  fallback_hosts = single',
  },
  { says: 'gethostbyname', to: 'a@x.test', router: manual, transport: 'hosts = onlyhosts\n  gethostbyname' },
  {
    says: 'gethostbyname of a name that nobody knows',
    to: 'a@x.test',
    router: manual,
    transport: 'hosts = nobody.test\n  gethostbyname',
  },
  { says: 'rewrite_headers of dnslookup', to: 'a@short', router: lookup, headers: true },
  {
    says: 'rewrite_headers = false',
    to: 'a@short',
    router: `${lookup}\n  rewrite_headers = false`,
    headers: true,
  },
  {
    says: 'rewrite_headers and search_parents',
    to: 'a@deep.low',
    router: `${lookup}\n  search_parents`,
    headers: true,
  },
  {
    says: 'rewrite_headers and widen_domains',
    to: 'a@deep.low',
    router: `${lookup}\n  widen_domains = nowhere.test : office.test`,
    headers: true,
  },
  {
    says: 'a host whose name cannot be looked up now',
    to: 'a@x.test',
    router: manual,
    transport: 'hosts = host.broken.test',
  },
  {
    says: 'event dns:fail: no such domain',
    to: 'a@gone.test',
    router: lookup,
    main: event,
    own: [/ EV dns:fail\|nxdomain:gone\.test:MX\|0$/],
  },
  {
    says: 'event dns:fail: no answer',
    to: 'a@broken.test',
    router: lookup,
    main: event,
    own: [/ EV dns:fail\|again:broken\.test:MX\|0$/],
  },
]

async function play(each: Case, which: Side): Promise<string[]> {
  const sink = await startSink({}, at, 2525)
  try {
    const domain = each.to.slice(each.to.indexOf('@') + 1)
    const text = plainMessage
      .replace('a@a.example', `other@${domain}`)
      .replace('b@b.example', `${each.to}, "x" <x@${domain}>, y@else.test`)
    await which.run(['-odq', '-oi', '-f', 's@a.example', each.to], text)
    await which.run(['-q'])
    const headers = sink.messages.flatMap(({ data }) =>
      // Exim writes an address of a changed header a line.
      data
        .replaceAll(/\r\n[ \t]+/g, ' ')
        .split('\r\n')
        .filter((line) => /^(?:From|To|Cc):/i.test(line))
        .map((line) => line.replaceAll(/\s+/g, ' ')),
    )
    const log = which.log().filter((line) => !/ <= |queue run|Completed/.test(line))
    return [...log, ...sink.messages.flatMap(({ rcpts }) => rcpts), ...(each.headers === true ? headers : [])]
  } finally {
    await sink.close()
  }
}

const configuration = (each: Case): string => `
${each.main ?? ''}
dns_retry = 1
dns_retrans = 1s
acl_not_smtp = ok
begin acl
ok:
  accept
ev:
  accept logwrite = EV $acl_arg1|$acl_arg2|$acl_arg3
begin routers
all:
  ${each.router}
  transport = out
begin transports
out:
  driver = smtp
  port = 2525
  hosts_avoid_tls = *
  hosts_try_chunking =
  hosts_try_dane =
  ${each.transport ?? ''}
begin retry
* * F,2h,15m
`

if (process.argv[2] === 'inside') {
  const dns = await startDnsServer(zone, { port: 53 })
  const shown: NamesShown[] = []
  for (const [i, each] of cases.entries()) {
    const folder = `${process.argv[3] ?? ''}/c${i}`
    const ours = await play(each, await side('postern', folder, configuration(each)))
    const theirs = await play(each, await side('exim', folder, configuration(each)))
    shown.push({ says: each.says, ours, theirs })
  }
  await dns.close()
  process.stdout.write(JSON.stringify(shown))
}
