/** What routing hands to delivery, and what verification says, on small configurations. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isFailure } from '../src/base/outcome.ts'
import { textOf } from '../src/base/text.ts'
import type { RoutingResult } from '../src/flow/routed.ts'
import type { RouteOptions } from '../src/flow/routing/index.ts'
import { createWorld, type World } from './support/routing-world.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-routing-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const transports = `
begin transports
smtp:
  driver = smtp
box:
  driver = appendfile
  file = /dev/null
other:
  driver = appendfile
  file = /dev/null
cat:
  driver = pipe
`

function worldOf(routers: string, main = ''): World {
  const text = `primary_hostname = mx.example.com\nqualify_domain = example.com\n${main}\nbegin routers\n${routers}${transports}`
  return createWorld(text.replaceAll('@{', '${'), { sender: 'sender@example.com' })
}

async function route(
  world: World,
  addresses: readonly string[],
  options: RouteOptions = {},
): Promise<RoutingResult> {
  return world.routing.route(
    addresses.map((address) => ({ address })),
    world.contextFor('bt'),
    options,
  )
}

/** One line for each address: to which transport, failed or deferred and why, discarded. */
function told({ routed, unrouted, discarded }: RoutingResult): string[] {
  return [
    ...unrouted.map(
      (u) => `${u.is === 'failed' ? '**' : '=='} ${[u.address, ...u.ancestors].join(' < ')}: ${u.message}`,
    ),
    ...discarded.map((d) => `-- ${[d.address, ...d.ancestors].join(' < ')} ${d.loggedAs ?? ''}`.trimEnd()),
    ...routed.map((r) => {
      const hosts = r.hosts.map(
        ({ name, address, port }) => `${name}[${address}]${port === undefined ? '' : `:${port}`}`,
      )
      return [`=> ${[r.address, ...r.ancestors].join(' < ')} ${r.transport.name}`, ...hosts].join(' ')
    }),
  ]
}

interface RouteCase {
  readonly says: string
  readonly routers: string
  readonly main?: string
  readonly addresses: readonly string[]
  readonly result: readonly string[]
  readonly options?: RouteOptions
}

const accept = 'all:\n  driver = accept\n  transport = box\n'

const cases: readonly RouteCase[] = [
  {
    says: 'addresses of one transport come in the order of the recipients',
    routers: accept,
    addresses: ['a@x', 'b@x', 'c@x'],
    result: ['=> a@x box', '=> b@x box', '=> c@x box'],
  },
  {
    says: 'what a redirection makes is delivered before the rest; failures are told from the last recipient on',
    routers: `
no:
  driver = redirect
  domains = no
  data = :fail: no
  allow_fail
list:
  driver = redirect
  domains = list
  data = p@x, n@no, q@x
${accept}`,
    addresses: ['a@x', 'l@list', 'm@no', 'n@no', 'b@x'],
    result: [
      '** n@no: no',
      '** m@no: no',
      '** n@no < l@list: no',
      '=> p@x < l@list box',
      '=> q@x < l@list box',
      '=> a@x box',
      '=> b@x box',
    ],
  },
  {
    says: 'a duplicate is delivered once; the case of the domain does not count, that of the local part does',
    routers: accept,
    addresses: ['a@x', 'a@X', 'A@x'],
    result: ['-- a@X', '=> a@x box', '=> A@x box'],
  },
  {
    says: 'pipes of different parents are no duplicates, the same address is',
    routers: `
p:
  driver = redirect
  domains = p
  data = "|/bin/cat, a@x"
  pipe_transport = cat
${accept}`.replace('"|/bin/cat, a@x"', '|/bin/cat, a@x'),
    addresses: ['one@p', 'two@p'],
    result: ['-- a@x < two@p', '=> a@x < one@p box', '=> |/bin/cat < two@p cat', '=> |/bin/cat < one@p cat'],
  },
  {
    says: 'unseen delivers twice',
    routers: `one:\n  driver = accept\n  unseen\n  transport = other\n${accept}`,
    addresses: ['a@x'],
    result: ['=> a@x < a@x box', '=> a@x < a@x other'],
  },
  {
    says: ':blackhole: discards',
    routers: 'b:\n  driver = redirect\n  data = :blackhole:\n',
    addresses: ['a@x'],
    result: ['-- a@x :blackhole:'],
  },
  {
    says: 'no router, no mail',
    routers: 'none:\n  driver = accept\n  domains = y\n  transport = box\n',
    addresses: ['a@x'],
    result: ['** a@x: Unrouteable address'],
  },
  {
    says: 'a pipe that is forbidden fails',
    routers: 'p:\n  driver = redirect\n  data = |/bin/cat\n  pipe_transport = cat\n  forbid_pipe\n',
    addresses: ['a@x'],
    result: ['** |/bin/cat < a@x: delivery to pipe forbidden'],
  },
  {
    says: 'a command from outside waits for the administrator',
    routers: 'p:\n  driver = redirect\n  data = |/bin/echo $local_part\n  pipe_transport = cat\n',
    addresses: ['a@x'],
    result: ["== |/bin/echo a < a@x: Tainted '/bin/echo a' (command for cat transport) not permitted"],
  },
  {
    says: 'a file name from outside waits for the administrator',
    routers: 'p:\n  driver = redirect\n  data = /var/mail/$local_part\n  file_transport = box\n',
    addresses: ['a@x'],
    result: [
      "== /var/mail/a < a@x: Tainted '/var/mail/a' (file or directory name for box transport) not permitted",
    ],
  },
  {
    says: 'hold_domains keeps an address back',
    main: 'hold_domains = x',
    routers: accept,
    addresses: ['a@x', 'a@y'],
    result: ['== a@x: domain is held', '=> a@y box'],
  },
  {
    says: 'a forced delivery does not mind hold_domains',
    main: 'hold_domains = x',
    routers: accept,
    addresses: ['a@x'],
    options: { force: true },
    result: ['=> a@x box'],
  },
  {
    says: 'an address whose time has not come waits',
    routers: accept,
    addresses: ['a@x', 'b@x'],
    options: {
      mustWait: (address) => (address === 'a@x' ? { message: 'retry time not reached' } : undefined),
    },
    result: ['== a@x: retry time not reached', '=> b@x box'],
  },
  {
    says: 'what is done is left alone, children too',
    routers: `list:\n  driver = redirect\n  domains = list\n  data = a@x, b@x\n${accept}`,
    addresses: ['l@list', 'c@x'],
    options: { isDone: (key) => key === 'a@x' || key === 'c@x' },
    result: ['=> b@x < l@list box'],
  },
  {
    says: 'two aliases of each other end',
    routers: `l:\n  driver = redirect\n  data = @{if eq{$local_part}{a}{b@x}{a@x}}\n${accept}`,
    addresses: ['a@x'],
    result: ['=> a@x < b@x < a@x box'],
  },
  {
    says: 'endless redirections are cut off',
    routers: 'l:\n  driver = redirect\n  data = x$local_part@x\n',
    addresses: ['a@x'],
    result: ['cut'],
  },
  {
    says: 'same_domain_copy_routing goes for the domain',
    routers: `
m:
  driver = manualroute
  route_data = @{if eq{$local_part}{c}{198.51.100.1}{198.51.100.2}}
  transport = smtp
  same_domain_copy_routing
`,
    addresses: ['a@x', 'b@y', 'c@x'],
    result: [
      '=> a@x smtp 198.51.100.1[198.51.100.1]',
      '=> b@y smtp 198.51.100.2[198.51.100.2]',
      '=> c@x smtp 198.51.100.1[198.51.100.1]',
    ],
  },
  {
    says: 'a filter file is never taken for a list of addresses',
    routers: 'f:\n  driver = redirect\n  data = "#Exim filter\\nfinish"\n',
    addresses: ['a@x'],
    result: ['== a@x: error in filter data: filtering not enabled'],
  },
]

for (const c of cases) {
  test(c.says, async () => {
    const result = told(await route(worldOf(c.routers, c.main), c.addresses, c.options))
    if (c.result[0] !== 'cut') return assert.deepEqual(result, c.result)
    assert.equal(result.length, 1)
    assert.match(result[0] ?? '', /: too many redirections$/)
  })
}

test('aliases that double at every step end', async () => {
  const routers = `l:\n  driver = redirect\n  data = x$local_part@x, y$local_part@x\n`
  const started = Date.now()
  const { unrouted } = await route(worldOf(routers), ['a@x'], { generatedLimit: 2000 })
  assert.ok(unrouted.every(({ message }) => message.startsWith('too many')))
  assert.ok(Date.now() - started < 20_000)
})

test('an address carries what its routers gave it', async () => {
  const world = worldOf(`
up:
  driver = redirect
  domains = list.example
  data = root@box.example
  errors_to = root@box.example
  headers_add = X-List: $local_part
  headers_remove = Received
  address_data = from $local_part
  set = r_where = $domain
in:
  driver = accept
  local_part_prefix = x-
  local_part_prefix_optional
  check_local_user
  headers_add = X-In: $address_data
  transport_home_directory = /home/of/@{local_part_data}
  group = 0
  transport = box
`)
  const { routed } = await route(world, ['News@List.Example'])
  const one = routed[0]
  assert.ok(one !== undefined)
  assert.equal(one.address, 'root@box.example')
  assert.deepEqual(one.ancestors, ['News@List.Example'])
  assert.equal(one.errorsTo, 'root@box.example')
  assert.deepEqual(one.headersAdd.map(textOf), ['X-List: news', 'X-In: from news'])
  assert.deepEqual(one.headersRemove.map(textOf), ['Received'])
  assert.equal(one.uid, 0)
  assert.equal(one.gid, 0)
  assert.ok(one.homeDirectory !== undefined && !isFailure(one.homeDirectory))
  assert.equal(textOf(one.homeDirectory), '/home/of/root')
  assert.equal(one.facts.localPartData, 'root')
  assert.equal(textOf(one.facts.routerVariables?.get('where') ?? ''), 'list.example')
  assert.equal(one.facts.parentLocalPart, 'news')
  assert.equal(one.facts.originalDomain, 'list.example')
  assert.equal(one.logAsLocal, true)
  assert.equal(one.retryUseLocalPart, true)
})

test('an errors_to address that does not verify is ignored', async () => {
  const world = worldOf(
    `in:\n  driver = accept\n  domains = x\n  errors_to = nobody@nowhere\n  transport = box\n`,
  )
  assert.equal((await route(world, ['a@x'])).routed[0]?.errorsTo, undefined)
})

test('an empty errors_to means no report', async () => {
  const world = worldOf(`in:\n  driver = accept\n  errors_to =\n  transport = box\n`)
  assert.equal((await route(world, ['a@x'])).routed[0]?.errorsTo, '')
})

test('what one_time made is known as such', async () => {
  const world = worldOf(`l:\n  driver = redirect\n  domains = list\n  data = a@x, b@x\n  one_time\n${accept}`)
  const { routed } = await route(world, ['z@x', 'l@list'])
  assert.deepEqual(
    routed.map(({ address, recipient, oneTime }) => [address, recipient.address, oneTime]),
    [
      ['a@x', 'l@list', { errorsTo: undefined }],
      ['b@x', 'l@list', { errorsTo: undefined }],
      ['z@x', 'z@x', undefined],
    ],
  )
})

test('an include file is read, and its mode does not matter; the file itself must not be writable', async () => {
  writeFileSync(join(folder, 'list'), 'a@x, b@x\n', { mode: 0o644 })
  writeFileSync(join(folder, 'forward'), `:include:${folder}/list\n`, { mode: 0o644 })
  const world = worldOf(`f:\n  driver = redirect\n  domains = list\n  file = ${folder}/forward\n${accept}`)
  assert.deepEqual(told(await route(world, ['l@list'])), ['=> a@x < l@list box', '=> b@x < l@list box'])
})

test('wrong addresses are logged and told to syntax_errors_to', async () => {
  const sent: string[] = []
  const routers = `
l:
  driver = redirect
  domains = list
  data = a@@x, b@x
  skip_syntax_errors
  syntax_errors_to = owner@x
  syntax_errors_text = Mind your list.
${accept}`
  const world = worldOf(routers)
  const submitting = createWorld(
    `primary_hostname = mx.example.com\nqualify_domain = example.com\nbegin routers\n${routers}${transports}`,
    { submit: (message) => Promise.resolve(sent.push(message.text)) },
  )
  assert.deepEqual(told(await route(world, ['l@list'])), ['=> b@x < l@list box'])
  assert.deepEqual(world.logged, ['l router: skipped error: domain missing or malformed in "a@@x"'])
  await route(submitting, ['l@list'])
  assert.deepEqual(sent, [
    `Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@example.com>
To: owner@x
Subject: error(s) in forwarding or filtering

Mind your list.

The l router encountered the following error(s):

  domain missing or malformed in the address
  "a@@x"

Other addresses were processed normally.
`,
  ])
})

test('the report about a filter that is wrong names no address, and the next router gets the address', async () => {
  const sent: string[] = []
  const world = createWorld(
    `primary_hostname = mx.example.com
qualify_domain = example.com
begin routers
l:
  driver = redirect
  domains = list
  allow_filter
  user = nobody
  data = "# Exim filter\\nbogus"
  skip_syntax_errors
  syntax_errors_to = owner@x
${accept}${transports}`,
    { submit: (message) => Promise.resolve(sent.push(message.text)) },
  )
  assert.deepEqual(told(await route(world, ['l@list'])), ['=> l@list box'])
  assert.match(
    sent[0] ?? '',
    /\n\nThe l router encountered the following error\(s\):\n\n {2}unknown filtering command "bogus" near line \d of filter file\n\nNo valid addresses were generated\.\n$/,
  )
})

interface VerifyCase {
  readonly says: string
  readonly address: string
  readonly kind?: 'recipient' | 'sender'
  readonly options?: readonly string[]
  readonly result: readonly [is: string, message?: string]
}

const verifying = worldOf(
  `
f:
  driver = redirect
  domains = gone
  data = :fail: 550 5.1.1 Gone away
  allow_fail
d:
  driver = redirect
  domains = later
  data = :defer: 451 Come back
  allow_defer
w:
  driver = redirect
  domains = wrong
  data = :fail: 451 Wrong digit
  allow_fail
one:
  driver = redirect
  domains = one
  data = x@gone
two:
  driver = redirect
  domains = two
  data = x@gone, y@gone
s:
  driver = accept
  domains = senders
  no_verify_recipient
  address_data = data of $local_part
in:
  driver = accept
  domains = x : example.com
  transport = box
`.replace(
    '  address_data = data of $local_part\n',
    '  address_data = data of $local_part\n  transport = box\n',
  ),
)

const verifyCases: readonly VerifyCase[] = [
  { says: 'a good address', address: 'a@x', result: ['ok'] },
  { says: 'an address without a domain is qualified', address: 'a', result: ['ok'] },
  { says: 'an address no router takes', address: 'a@nowhere', result: ['fail', 'Unrouteable address'] },
  { says: ':fail: with its own code', address: 'a@gone', result: ['fail', '550 5.1.1 Gone away'] },
  { says: ':defer: with its own code', address: 'a@later', result: ['defer', '451 Come back'] },
  { says: 'a code with the wrong digit is left out', address: 'a@wrong', result: ['fail', 'Wrong digit'] },
  {
    says: 'a redirection to one address is followed',
    address: 'a@one',
    result: ['fail', '550 5.1.1 Gone away'],
  },
  {
    says: 'success_on_redirect: it is not',
    address: 'a@one',
    options: ['success_on_redirect'],
    result: ['ok'],
  },
  { says: 'a redirection to several is good', address: 'a@two', result: ['ok'] },
  { says: 'defer_ok', address: 'a@later', options: ['defer_ok'], result: ['ok'] },
  { says: 'a router for senders only', address: 'a@senders', result: ['fail', 'Unrouteable address'] },
  { says: 'and a sender', address: 'a@senders', kind: 'sender', result: ['ok'] },
]

for (const c of verifyCases) {
  test(`verify: ${c.says}`, async () => {
    const request = { address: c.address, kind: c.kind ?? 'recipient', options: c.options ?? [] } as const
    const said = await verifying.routing.verify(request, verifying.context)
    assert.deepEqual(
      said.is === 'ok' || said.userMessage === undefined ? [said.is] : [said.is, said.userMessage],
      c.result,
    )
  })
}

test('verify hands on address_data', async () => {
  const request = { address: 'a@senders', kind: 'sender', options: [] } as const
  const { addressData } = await verifying.routing.verify(request, verifying.context)
  assert.equal(addressData === undefined ? '' : textOf(addressData), 'data of a')
})

test('verify: a callout that cannot be made is never taken for a good answer', async () => {
  const request = { address: 'a@x', kind: 'recipient', options: ['callout=10s'] } as const
  assert.equal((await verifying.routing.verify(request, verifying.context)).is, 'defer')
})
