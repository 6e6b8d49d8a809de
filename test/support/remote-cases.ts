/** What test/remote-vs-exim.test.ts sends to scripted hosts. */
import type { RemoteCase } from './remote-compare.ts'
import type { HostReply, HostScript } from './remote-host.ts'

/** Answers by the beginning of the command: `RCPT TO:<b` and so on; `connect` and `end` are what they are. */
function says(replies: Readonly<Record<string, string>>, more: Omit<HostScript, 'reply'> = {}): HostScript {
  const rows = Object.entries(replies)
  return { ...more, reply: (line): HostReply => rows.find(([start]) => line.startsWith(start))?.[1] }
}

/** Of known length: a Message-Id that the program adds is not. */
const withBody = (body: string): string =>
  `Subject: x\nFrom: a@a.example\nDate: Sun, 29 Nov 2026 06:56:46 +0000\nMessage-Id: <a@b>\n\n${body}`

const plain: readonly string[] = ['8BITMIME', 'SIZE 100000']
const chunking: readonly string[] = ['PIPELINING', 'CHUNKING', '8BITMIME', 'SIZE 100000']
const dsn: readonly string[] = ['PIPELINING', 'DSN']

const unset = '${if eq{1}{2}{x}fail}'
const odd: readonly string[] = ['', '${lc', unset, '${if eq{1}{2}{x}}', 'x', '-1', '$nosuch']

const replies: readonly RemoteCase[] = [
  { says: 'one message, PIPELINING', host: {} },
  { says: 'one message, command by command', host: { offers: plain } },
  { says: 'hosts_avoid_pipelining', host: {}, options: 'hosts_avoid_pipelining = *' },
  { says: 'CHUNKING', host: { offers: chunking } },
  { says: 'CHUNKING not wanted', host: { offers: chunking }, options: 'hosts_try_chunking =' },
  { says: 'CHUNKING without PIPELINING', host: { offers: ['CHUNKING'] } },
  { says: 'no extension at all', host: { offers: [] } },
  { says: 'HELO where EHLO is not known', host: says({ EHLO: '500 what is that' }) },
  {
    says: 'EHLO and HELO refused for good',
    meant: 'Exim adds the tail of the answer to EHLO to that to HELO',
    host: says({ EHLO: '550 no', HELO: '550 no, thanks' }),
  },
  {
    says: 'HELO refused for now',
    meant: 'Exim adds the tail of the answer to EHLO to that to HELO',
    host: says({ EHLO: '550 no', HELO: '450 not now' }),
  },
  { says: 'EHLO refused for now', host: says({ EHLO: '450 not now' }) },
  { says: 'hosts_avoid_esmtp', host: {}, options: 'hosts_avoid_esmtp = *' },
  { says: 'a banner that does not want EHLO', host: says({ connect: '220 far no EHLO please' }) },
  { says: 'a banner of several lines', host: says({ connect: '220-far\n220-is\n220 here' }) },
  { says: 'greeted with 4xx', host: says({ connect: '421 too busy' }) },
  { says: 'greeted with 5xx', host: says({ connect: '554 go away' }) },
  { says: 'greeted with 5xx of several lines', host: says({ connect: '554-go away\n554 please' }) },
  { says: 'nonsense for a greeting', host: says({ connect: 'hello' }) },
  { says: 'nonsense after MAIL', host: says({ MAIL: 'hello' }, { offers: plain }) },
  { says: 'MAIL refused for now', host: says({ MAIL: '450 4.7.1 greylisted' }) },
  { says: 'MAIL refused for good', host: says({ MAIL: '550 5.1.0 no such sender' }) },
  { says: 'MAIL refused for now, no PIPELINING', host: says({ MAIL: '450 wait' }, { offers: plain }) },
  { says: 'MAIL refused for good, no PIPELINING', host: says({ MAIL: '550 no' }, { offers: plain }) },
  {
    says: 'one of three recipients each way',
    to: ['a', 'b', 'c'],
    host: says({ 'RCPT TO:<b': '550 5.1.1 no b', 'RCPT TO:<c': '452 4.2.2 c is full' }),
  },
  {
    says: 'one of three recipients each way, no PIPELINING',
    meant: 'recipients beyond a limit (452) follow at once with and without PIPELINING',
    to: ['a', 'b', 'c'],
    host: says({ 'RCPT TO:<b': '550 no b', 'RCPT TO:<c': '452 c is full' }, { offers: plain }),
  },
  {
    says: 'one of three recipients each way, CHUNKING',
    meant: 'recipients beyond a limit (452) follow on the same connection',
    to: ['a', 'b', 'c'],
    host: says({ 'RCPT TO:<b': '550 no b', 'RCPT TO:<c': '452 c is full' }, { offers: chunking }),
  },
  {
    says: 'all recipients refused for good',
    to: ['a', 'b'],
    host: says({ RCPT: '550 nobody' }),
  },
  { says: 'all recipients refused for now', to: ['a', 'b'], host: says({ RCPT: '450 later' }) },
  {
    says: 'all recipients refused, and the server says 354 all the same',
    to: ['a', 'b'],
    host: says({ RCPT: '550 nobody', DATA: '354 go' }),
  },
  {
    says: 'all recipients refused, no PIPELINING',
    to: ['a', 'b'],
    host: says({ RCPT: '550 nobody' }, { offers: plain }),
  },
  {
    says: 'all recipients refused, CHUNKING',
    meant: 'BDAT waits for the answers to RCPT: nothing is sent for nobody',
    to: ['a', 'b'],
    host: says({ RCPT: '550 nobody' }, { offers: chunking }),
  },
  {
    says: 'a refusal of several lines',
    host: says({ RCPT: '550-5.1.1 no\n550-5.1.1 such\n550 5.1.1 user' }),
  },
  { says: 'DATA refused for now', host: says({ DATA: '451 not now' }) },
  { says: 'DATA refused for good', host: says({ DATA: '554 no' }) },
  { says: 'DATA refused for now, no PIPELINING', host: says({ DATA: '451 not now' }, { offers: plain }) },
  { says: 'DATA refused for good, no PIPELINING', host: says({ DATA: '554 no' }, { offers: plain }) },
  { says: 'the message refused for now', host: says({ end: '451 4.3.0 try again' }) },
  { says: 'the message refused for good', host: says({ end: '550 5.7.1 spam' }) },
  {
    says: 'the message refused for now after BDAT',
    host: says({ end: '451 try again' }, { offers: chunking }),
  },
  { says: 'the message refused for good after BDAT', host: says({ end: '550 spam' }, { offers: chunking }) },
  {
    says: 'the message is taken with an answer of several lines',
    host: says({ end: '250-taken\n250 as 2' }),
  },
]

const broken: readonly RemoteCase[] = [
  { says: 'nobody listens' },
  { says: 'closed at the greeting', host: says({ connect: 'drop' }) },
  { says: 'closed at EHLO', host: says({ EHLO: 'drop' }) },
  { says: 'closed at EHLO and HELO', host: says({ EHLO: '500 no', HELO: 'drop' }) },
  { says: 'closed at MAIL', host: says({ MAIL: 'drop' }) },
  { says: 'closed at MAIL, no PIPELINING', host: says({ MAIL: 'drop' }, { offers: plain }) },
  { says: 'closed at the second RCPT', to: ['a', 'b'], host: says({ 'RCPT TO:<b': 'drop' }) },
  {
    says: 'closed at the second RCPT, no PIPELINING',
    to: ['a', 'b'],
    host: says({ 'RCPT TO:<b': 'drop' }, { offers: plain }),
  },
  { says: 'closed at DATA', host: says({ DATA: 'drop' }) },
  { says: 'closed at DATA, no PIPELINING', host: says({ DATA: 'drop' }, { offers: plain }) },
  { says: 'closed after the message', host: says({ end: 'drop' }) },
  { says: 'closed after the message sent with BDAT', host: says({ end: 'drop' }, { offers: chunking }) },
  { says: 'closed instead of an answer to QUIT', host: says({ QUIT: 'drop' }) },
  { says: '421 at MAIL and closed', host: says({ MAIL: '421 shutting downdrop' }, { offers: plain }) },
  { says: '421 at RCPT and closed', host: says({ RCPT: '421 shutting downdrop' }, { offers: plain }) },
  { says: '421 after the message and closed', host: says({ end: '421 shutting downdrop' }) },
  { says: 'silent at the greeting', host: says({ connect: 'hang' }) },
  { says: 'silent at EHLO', host: says({ EHLO: 'hang' }) },
  { says: 'silent at MAIL', host: says({ MAIL: 'hang' }, { offers: plain }) },
  { says: 'silent at RCPT', to: ['a', 'b'], host: says({ 'RCPT TO:<b': 'hang' }, { offers: plain }) },
  { says: 'silent at DATA', host: says({ DATA: 'hang' }, { offers: plain }) },
  {
    says: 'silent after the message',
    meant: 'the time-out is told as one',
    host: says({ end: 'hang' }),
    options: 'final_timeout = 2s',
  },
]

const options: readonly RemoteCase[] = [
  {
    says: 'a size over the limit of the server',
    host: says({ MAIL: '552 too big' }, { offers: ['SIZE 10'] }),
  },
  { says: 'size_addition', host: {}, options: 'size_addition = 7' },
  {
    says: 'an interface that is forced to fail is none',
    host: {},
    options: 'interface = ${if eq{1}{2}{x}fail}',
  },
  {
    says: 'retry_include_ip_address that is forced to fail',
    host: {},
    options: 'retry_include_ip_address = ${if eq{1}{2}{x}fail}',
  },
  {
    says: 'an authenticated_sender that cannot be expanded',
    meant: 'it is found out before anybody is connected to',
    host: {},
    options: 'authenticated_sender = $nosuch',
  },
  ...[
    'max_parallel = ${lc',
    'max_parallel = ${if eq{1}{2}{x}fail}',
    'max_parallel = ${if eq{1}{2}{x}}',
    'max_parallel = ${if eq{1}{1}{x}}',
    'max_parallel = -1',
    'max_parallel = 0',
    'max_parallel = 1K',
    'max_rcpt = 0',
    'multi_domain = ${lc',
    'multi_domain = ${if eq{1}{2}{x}fail}',
    'multi_domain = ${if eq{1}{1}{x}}',
    'hosts =',
    'hosts = ${lc',
    'hosts = ${if eq{1}{2}{x}fail}',
    'hosts = +',
    'hosts = 127.77.0.256',
    'hosts = no-such-host.invalid',
    'hosts = 127.77.0.1::x',
    'return_path = text',
    'return_path = 7',
    'return_path = ${lc',
    'return_path = ${if eq{1}{2}{x}fail}',
    'return_path =',
    'return_path = <a@b.example>',
    'return_path = a@b.example c',
    'transport_filter = ${lc',
    'transport_filter = ${if eq{1}{2}{x}fail}',
    'transport_filter =',
    'transport_filter = $local_part',
    'transport_filter = /bin/sed s/line/LINE/',
    'headers_add = ${if eq{1}{2}{x}fail}',
    'headers_add =',
    'headers_remove = ${if eq{1}{2}{x}fail}',
    'headers_remove = ^sub',
    'message_size_limit = 10',
    'message_size_limit = ${lc',
    'message_size_limit = x',
    ...odd.flatMap((value) => ['port', 'interface', 'fallback_hosts'].map((name) => `${name} = ${value}`)),
    ...['localhost', '[127.77.0.1]', 'two words', 'a_b.example', '$sending_ip_address', '$host'].map(
      (value) => `helo_data = ${value}`,
    ),
    ...['PORT : 25', 'PORTx', 'smtpx'].map((value) => `port = ${value}`),
    ...[
      '127.77.0.9',
      '127.77.0.256',
      '<; 127.77.0.9',
      '127.77.0.9 : 127.77.0.8',
      '::1',
      '<; ::1 ; 127.77.0.9',
      'localhost',
      '+',
      '*',
    ].map((value) => `interface = ${value}`),
    ...['no-such-host.invalid', '127.77.0.1', '127.77.0.1::x', '+ : 127.77.0.1'].map(
      (value) => `fallback_hosts = ${value}`,
    ),
    'connection_max_messages = 0',
    'connection_max_messages = -1',
    'connection_max_messages = 1',
    'hosts_override',
    'message_linelength_limit = 10',
    'size_addition = 0',
    'connect_timeout = 0s',
    'keepalive = false',
    'delay_after_cutoff = false',
    'allow_localhost = false\nhosts = 127.0.0.1',
    'serialize_hosts = *',
    'serialize_hosts = ${lc',
    'disable_logging',
    'rcpt_include_affixes',
  ].map(
    (option): RemoteCase => ({
      says: `option ${option}`,
      host: {},
      options: option,
      to: ['a', 'b@1'],
      ...(option.startsWith('transport_filter = ${') && {
        meant: 'it is found out before anybody is connected to',
      }),
      ...(option === 'message_size_limit = 10' && { meant: 'the bounce says why' }),
    }),
  ),
  ...[
    'hosts_avoid_esmtp',
    'hosts_avoid_pipelining',
    'hosts_avoid_tls',
    'hosts_require_auth',
    'hosts_try_auth',
    'hosts_require_tls',
    'hosts_try_chunking',
    'hosts_try_prdr',
    'serialize_hosts',
  ].flatMap((name) =>
    ['${lc', unset, '! *', '+none', '$host'].map(
      (value): RemoteCase => ({
        says: `list ${name} = ${value}`,
        host: says({ AUTH: '235 welcome' }, { offers: ['PIPELINING', 'CHUNKING', 'PRDR', 'AUTH PLAIN'] }),
        options: `${name} = ${value}`,
        ...(/lc|none/.test(value) &&
          name === 'hosts_require_tls' && { meant: 'what cannot be told asks for TLS all the same' }),
        ...(/lc|none/.test(value) && name === 'hosts_avoid_tls' && { meant: 'the panic log says so' }),
        ...(value === '${lc' && name.endsWith('_auth') && { meant: 'told as often as it is asked' }),
      }),
    ),
  ),
  {
    says: 'helo_data that knows the connection, and one that is forced to fail without it',
    host: {},
    options: 'helo_data = ${if def:sending_ip_address{$sending_ip_address.$host}fail}',
  },
  {
    says: 'recipients of one domain: what the transport knows of them',
    to: ['a', 'b'],
    host: {},
    options: 'helo_data = ${if def:domain{one}{many}}.${if def:local_part{one}{many}}.example',
  },
  {
    says: 'recipients of two domains: what the transport knows of them',
    to: ['a', 'b@1'],
    host: {},
    options: 'helo_data = ${if def:domain{one}{many}}.${if def:router_name{one}{none}}.example',
  },
  {
    says: 'size_addition = -1',
    meant: 'no SIZE at all, as the manual has it',
    host: {},
    options: 'size_addition = -1',
  },
  {
    says: 'headers_add and headers_remove',
    host: {},
    options: 'headers_add = X-A: b\nheaders_remove = subject',
  },
  { says: 'headers_rewrite', host: {}, options: 'headers_rewrite = *@a.example $1@z.example f' },
  { says: 'return_path', host: {}, options: 'return_path = other@y.example' },
  {
    says: 'return_path_add and others',
    meant: 'SIZE counts the headers that the transport adds',
    host: {},
    options: 'return_path_add\ndelivery_date_add\nenvelope_to_add',
  },
  {
    says: 'rcpt_include_affixes',
    host: {},
    routerOptions: 'local_part_prefix = x-',
    to: ['x-a'],
    options: 'rcpt_include_affixes',
  },
  { says: 'an affix is left out', host: {}, routerOptions: 'local_part_prefix = x-', to: ['x-a'] },
  { says: 'body_only', host: {}, options: 'body_only' },
  { says: 'headers_only', host: {}, options: 'headers_only' },
  { says: 'max_rcpt', loose: true, host: {}, to: ['a', 'b', 'c'], options: 'max_rcpt = 2' },
  {
    says: 'max_rcpt = 1',
    loose: true,
    host: { offers: chunking },
    to: ['a', 'b'],
    options: 'max_rcpt = 1',
  },
  {
    says: 'max_rcpt with connection_max_messages = 1',
    host: {},
    to: ['a', 'b'],
    options: 'max_rcpt = 1\nconnection_max_messages = 1',
  },
  { says: 'domains together', host: {}, to: ['a@p', 'b@q'] },
  {
    says: 'multi_domain = false',
    loose: true,
    host: {},
    to: ['a@p', 'b@q'],
    options: 'multi_domain = false',
  },
  { says: 'helo_data', host: {}, options: 'helo_data = other.example' },
  {
    says: 'helo_data that cannot be expanded',
    meant: 'seen before a connection is made',
    host: {},
    options: 'helo_data = ${bogus}',
  },
  {
    says: 'a second host after a refusal for now',
    addresses: ['127.77.0.1', '127.77.0.2'],
    options: 'hosts = 127.77.0.1 : 127.77.0.2',
    host: {
      reply: (line, host) => (line === 'connect' && host.address === '127.77.0.1' ? '421 busy' : undefined),
    },
  },
  {
    says: 'a second host after a refused connection',
    addresses: ['127.77.0.2'],
    options: 'hosts = 127.77.0.1 : 127.77.0.2',
    host: {},
  },
  {
    says: 'a second host for one recipient',
    meant: 'an address that was delivered leaves no retry time behind',
    to: ['a', 'b'],
    addresses: ['127.77.0.1', '127.77.0.2'],
    options: 'hosts = 127.77.0.1 : 127.77.0.2',
    host: {
      reply: (line, host) =>
        line.startsWith('RCPT TO:<b') && host.address === '127.77.0.1' ? '450 not b' : undefined,
    },
  },
  {
    says: 'no second host after the message was refused for good',
    addresses: ['127.77.0.1', '127.77.0.2'],
    options: 'hosts = 127.77.0.1 : 127.77.0.2',
    host: says({ end: '550 no' }),
  },
  {
    says: 'both hosts refuse the message for now',
    addresses: ['127.77.0.1', '127.77.0.2'],
    options: 'hosts = 127.77.0.1 : 127.77.0.2',
    host: says({ end: '450 no' }),
  },
  {
    says: 'hosts_max_try',
    addresses: ['127.77.0.3'],
    options: 'hosts = 127.77.0.1 : 127.77.0.2 : 127.77.0.3\nhosts_max_try = 2',
    host: {},
  },
  { says: 'fallback_hosts', addresses: ['127.77.0.2'], options: 'fallback_hosts = 127.77.0.2', host: {} },
  { says: 'fallback_hosts fail too', options: 'fallback_hosts = 127.77.0.2' },
  { says: 'a host with its own port', options: 'hosts = <; 127.77.0.1:PORT\nport = 1', host: {} },
  { says: 'interface', options: 'interface = 127.77.0.9', host: {} },
  {
    says: 'interface: the first that is of the kind of the host',
    options: 'interface = <; ::1 ; 127.77.0.9 ; eth0',
    host: {},
  },
  { says: 'interface: none that is of the kind of the host', options: 'interface = <; ::1', host: {} },
  {
    says: 'an interface for each host',
    addresses: ['127.77.0.2'],
    options:
      'hosts = 127.77.0.1 : 127.77.0.2\ninterface = ${if eq{$host_address}{127.77.0.2}{127.77.0.9}{127.77.0.8}}',
    host: {},
  },
  { says: 'an interface that is no address', options: 'interface = eth0', host: {} },
  { says: 'an interface that is a single colon and a number', options: 'interface = ::1', host: {} },
  { says: '250 to DATA', host: says({ DATA: '250 what' }) },
  { says: '250 to DATA, one command at a time', host: says({ DATA: '250 what' }, { offers: [] }) },
  { says: 'two messages to one host', messages: 2, host: {}, loose: true },
  { says: 'two queue runs, retry time not reached', host: says({ connect: '421 busy' }) },
  { says: 'two messages, the sender refused for now', messages: 2, host: says({ MAIL: '450 wait' }) },
  { says: 'no answer to QUIT is waited for', host: says({ QUIT: 'hang' }) },
  { says: 'a null sender', from: '<>', host: {} },
  { says: 'a bounce that is refused', from: '<>', host: says({ RCPT: '550 no' }) },
  { says: 'lines too long', host: {}, message: withBody(`${'x'.repeat(1200)}\n`) },
  {
    says: 'eight bits',
    meant: 'BODY=8BITMIME is passed on',
    host: {},
    message: withBody('\xe4\xf6\n'),
    mail: 'BODY=8BITMIME',
  },
  {
    says: 'eight bits where they are not offered',
    host: { offers: [] },
    message: withBody('\xe4\xf6\n'),
    mail: 'BODY=8BITMIME',
  },
  { says: 'an empty body', host: {}, message: withBody('') },
  { says: 'dots', host: {}, message: withBody('.\n..\n.x\n') },
  { says: 'dots in BDAT', host: { offers: chunking }, message: withBody('.\n..\n.x\n') },
]

const passedOn: readonly RemoteCase[] = [
  {
    says: 'DSN passed on',
    host: { offers: dsn },
    mail: 'RET=HDRS ENVID=x+2Dy',
    rcpt: 'NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+2Do@o.example',
  },
  {
    says: 'DSN kept by dsn_lasthop',
    host: { offers: dsn },
    mail: 'RET=HDRS ENVID=x+2Dy',
    rcpt: 'NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+2Do@o.example',
    routerOptions: 'dsn_lasthop',
  },
  { says: 'DSN NOTIFY=NEVER passed on', host: { offers: dsn }, mail: 'RET=FULL', rcpt: 'NOTIFY=NEVER' },
  {
    says: 'DSN success where it is not offered',
    host: {},
    mail: 'RET=HDRS ENVID=xyz',
    rcpt: 'NOTIFY=SUCCESS ORCPT=rfc822;o@o.example',
  },
  {
    says: 'DSN failure asked for',
    host: says({ RCPT: '550 5.1.1 no' }),
    mail: 'RET=HDRS ENVID=xyz',
    rcpt: 'NOTIFY=FAILURE ORCPT=rfc822;o@o.example',
  },
  { says: 'DSN failure not wanted', host: says({ RCPT: '550 5.1.1 no' }), rcpt: 'NOTIFY=NEVER' },
  {
    says: 'PRDR',
    meant: 'the confirmation is that of the recipient',
    to: ['a', 'b', 'c'],
    host: {
      offers: ['PIPELINING', 'PRDR'],
      each: (rcpt) =>
        rcpt.includes('<b') ? '550 not b' : rcpt.includes('<c') ? '450 c later' : '250 a good',
    },
  },
  { says: 'PRDR not wanted', to: ['a', 'b'], host: { offers: ['PRDR'] }, options: 'hosts_try_prdr =' },
  { says: 'PRDR with one recipient', host: { offers: ['PRDR'] } },
  {
    says: 'LMTP',
    to: ['a', 'b', 'c'],
    options: 'protocol = lmtp',
    host: {
      each: (rcpt) =>
        rcpt.includes('<b') ? '550 not b' : rcpt.includes('<c') ? '450 c later' : '250 a good',
    },
  },
  { says: 'LMTP, one recipient', options: 'protocol = lmtp', host: { each: () => '250 good' } },
  {
    says: 'LMTP, closed between the answers',
    meant: 'the recipient without an answer waits, not the message',
    to: ['a', 'b'],
    options: 'protocol = lmtp',
    host: { each: (rcpt) => (rcpt.includes('<b') ? 'drop' : '250 a good') },
  },
  { says: 'LMTP, LHLO refused', options: 'protocol = lmtp', host: says({ LHLO: '500 no' }) },
  {
    says: 'IGNOREQUOTA',
    options: 'protocol = lmtp\nlmtp_ignore_quota',
    host: { offers: ['IGNOREQUOTA'], each: () => '250 good' },
  },
]

const authentication: readonly RemoteCase[] = [
  {
    says: 'AUTH PLAIN',
    options: 'hosts_try_auth = *',
    host: says({ AUTH: '235 welcome' }, { offers: ['PIPELINING', 'AUTH PLAIN LOGIN'] }),
  },
  {
    says: 'AUTH refused, hosts_try_auth',
    options: 'hosts_try_auth = *',
    host: says({ AUTH: '535 wrong' }, { offers: ['AUTH PLAIN'] }),
  },
  {
    says: 'AUTH refused, hosts_require_auth',
    options: 'hosts_require_auth = *',
    host: says({ AUTH: '535 wrong' }, { offers: ['AUTH PLAIN'] }),
  },
  { says: 'AUTH not offered, hosts_require_auth', options: 'hosts_require_auth = *', host: {} },
  {
    says: 'AUTH with no mechanism of ours',
    options: 'hosts_require_auth = *',
    host: { offers: ['AUTH XYZ'] },
  },
  {
    says: 'AUTH refused for now',
    options: 'hosts_require_auth = *',
    host: says({ AUTH: '454 later' }, { offers: ['AUTH PLAIN'] }),
  },
  {
    says: 'closed at AUTH',
    options: 'hosts_try_auth = *',
    host: says({ AUTH: 'drop' }, { offers: ['AUTH PLAIN'] }),
  },
  {
    says: 'authenticated_sender',
    meant: 'xtext has capital digits: RFC 3461 section 4',
    options: 'hosts_try_auth = *\nauthenticated_sender = me+you@x.example',
    host: says({ AUTH: '235 welcome' }, { offers: ['AUTH PLAIN'] }),
  },
  {
    says: 'authenticated_sender_force',
    options: 'authenticated_sender = me@x.example\nauthenticated_sender_force',
    host: {},
  },
]

/** @param certificate of the hosts: nobody knows who signed it */
export function remoteCases(certificate: NonNullable<HostScript['certificate']>): readonly RemoteCase[] {
  const offers = ['STARTTLS', 'PIPELINING']
  const tls: readonly RemoteCase[] = [
    { says: 'STARTTLS', host: { offers, certificate } },
    {
      says: 'STARTTLS offered, hosts_avoid_tls',
      host: { offers, certificate },
      options: 'hosts_avoid_tls = *',
    },
    { says: 'STARTTLS refused', host: says({ STARTTLS: '454 no TLS today' }, { offers }) },
    { says: 'STARTTLS refused for good', host: says({ STARTTLS: '554 no TLS' }, { offers }) },
    {
      says: 'STARTTLS refused, hosts_require_tls',
      meant: 'the answer is told',
      host: says({ STARTTLS: '454 no TLS today' }, { offers }),
      options: 'hosts_require_tls = *',
    },
    { says: 'STARTTLS not offered, hosts_require_tls', host: {}, options: 'hosts_require_tls = *' },
    {
      says: 'the handshake fails',
      meant: 'one sentence for all that keeps TLS from being had',
      host: {
        offers,
        certificate,
        reply: (line, { count }) => (line === 'STARTTLS' && count < 3 ? '220 godrop' : undefined),
      },
    },
    {
      says: 'the handshake fails, hosts_require_tls',
      meant: 'one sentence for all that keeps TLS from being had',
      host: says({ STARTTLS: '220 godrop' }, { offers }),
      options: 'hosts_require_tls = *',
    },
    {
      says: 'the handshake fails, tls_tempfail_tryclear = false',
      meant: 'one sentence for all that keeps TLS from being had',
      host: says({ STARTTLS: '220 godrop' }, { offers }),
      options: 'tls_tempfail_tryclear = false',
    },
    {
      says: 'a certificate that must be good',
      meant: 'one sentence for all that keeps TLS from being had',
      host: { offers, certificate },
      options: 'tls_verify_hosts = *',
    },
    {
      says: 'a certificate that must be good, hosts_require_tls',
      meant: 'one sentence for all that keeps TLS from being had',
      host: { offers, certificate },
      options: 'tls_verify_hosts = *\nhosts_require_tls = *',
    },
    { says: 'TLS from the start', host: { certificate, onConnect: true }, options: 'protocol = smtps' },
    {
      says: 'two recipients in two transactions over TLS',
      loose: true,
      to: ['a', 'b'],
      host: { offers, certificate },
      options: 'max_rcpt = 1',
    },
  ]
  return [...replies, ...broken, ...options, ...passedOn, ...authentication, ...tls]
}
