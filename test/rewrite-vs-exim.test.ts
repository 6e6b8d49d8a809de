/** Rewriting rules: what `exim -brw` prints, and what we do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rewriteHeaders, testRewrite } from '../src/flow/routing/rewrite/index.ts'
import { eximToCompare } from './support/exim-oracle.ts'
import { createWorld } from './support/routing-world.ts'

const configuration = String.raw`
primary_hostname = mx.example.com
qualify_domain = example.com
qualify_recipient = rcpt.example.com
log_selector = +address_rewrite
begin rewrite
\N^<?bang!(.*)@x.com>?$\N "$1@bang.example" S
stop@a.com  *
*queen@*.fict.example  @{1}X$2@a.com  Ff
loop@loop.com  loop2@loop.com R
loop2@loop.com  loop@loop.com R
none@old.com   "@{if eq{1}{2}{x}fail}@new.com" q
*@old.com   $1@newer.com
*@w.com   "\"Mr $1\" <$1@ww.com>" w
*@q.com   $1 Q
*@uq.com   $1
*@bad.com   $1@@x
*@list.com   $1,b@c.com
*@to.com  t-$1@to2.com t
*@e.com  e-$1@to2.com E
*@h.com  h-$1@to2.com h
*@s.com  s-$1@to2.com rs
*@cb.com  cb-$1@to2.com cb
*@T.com  t-$1@to2.com T
rep@*.rep.com  rep@$1.rep.com
*@*.rr.com  $1@$2 R
*.dom.com  $local_part@$1.dom2.com
*@*.case.com  $1@$2.case2.com
\N^(a)@(.*)\.ci\.com$\N  "$1.@{sg{$0}{@}{.at.}}@$2.ci2.com"
\N^part@\N  "whole.@{sg{$0}{@}{.at.}}@part.com"
long@ph.com  "A Name <long@ph2.com>"
again@r.com  "@{lc:$0}" R
again@r.com  then@reached.com
^bad$(pattern  x@y.com
^(?i)re(g+)ex@(.*)\\.com  $2.$1@$0
`.replaceAll('@{', '${')

const addresses = [
  'x@y',
  'stop@a.com',
  'hearts-queen@wonder.fict.example',
  'loop@loop.com',
  'none@old.com',
  'zz@old.com',
  'f@w.com',
  'f@q.com',
  'f@uq.com',
  'f@bad.com',
  'f@list.com',
  'u@to.com',
  'u@e.com',
  'u@h.com',
  'U@H.com',
  'u@s.com',
  'u@cb.com',
  'root',
  'a@a.b.rr.com.rr.com',
  'Foo <u@h.com>',
  'Foo (bar) <u@h.com> (baz)',
  'bad@@x',
  'Joe@X.CASE.com',
  'joe@x.case.com',
  'a@B.CI.com',
  'part@Of.x',
  'long@ph.com',
  'again@r.com',
  'bang!a@x.com',
  'rep@a.rep.com',
  'rep@a.b.rep.com',
  'x@a.dom.com',
  'x@dom.com',
  '"a b"@h.com',
]

const exim = eximToCompare(configuration)

for (const address of addresses) {
  test(`-brw ${address}`, { skip: exim.skip }, async () => {
    const world = createWorld(configuration)
    const lines = await testRewrite(address, world.context)
    const theirs = exim.run(['-brw', address])
    assert.deepEqual(lines, theirs.lines)
    assert.deepEqual(world.logged, theirs.logged)
  })
}

test('address lists in headers are rewritten, and the old form stays as deleted', async () => {
  const { context } = createWorld(configuration)
  const headers = [
    { type: 'F', text: 'From: "Foo (x)" <zz@y.com>, hearts-queen@wonder.fict.example (Queen)\n' },
    { type: 'T', text: 'To: u@h.com, Group: a@h.com, b@w.com;, unq\n' },
    { type: 'B', text: 'Bcc: @bad@@, u@h.com\n' },
    { type: ' ', text: 'X-To: u@h.com\n' },
  ]
  assert.deepEqual(await rewriteHeaders(headers, context, { qualify: true }), [
    { type: '*', text: 'From: "Foo (x)" <zz@y.com>, hearts-queen@wonder.fict.example (Queen)\n' },
    { type: 'F', text: 'From: "Foo (x)" <zz@y.com>, hearts-Xwonder@a.com (Queen)\n' },
    { type: '*', text: 'To: u@h.com, Group: a@h.com, b@w.com;, unq\n' },
    {
      type: 'T',
      text: 'To: h-u@to2.com, Group: h-a@to2.com, "Mr b" <b@ww.com>;, unq@rcpt.example.com\n',
    },
    { type: 'B', text: 'Bcc: @bad@@, u@h.com\n' },
    { type: ' ', text: 'X-To: u@h.com\n' },
  ])
})

/** Seen of Exim 4.96: what is no address stays, those beside it are rewritten. */
const besideBadOnes = [
  ['To: u@h.com, <>, v@h.com', 'To: h-u@to2.com, <>, h-v@to2.com'],
  ['To: u@h.com, x y, v@h.com', 'To: h-u@to2.com, x y, h-v@to2.com'],
  ['To: u@h.com, "x, v@h.com', 'To: h-u@to2.com, "x, v@h.com'],
  ['To: a@@b, u@h.com', 'To: a@@b, h-u@to2.com'],
  ['To: u@h.com, @bad@@, v@h.com', 'To: h-u@to2.com, @bad@@, v@h.com'],
] as const
for (const [text, wanted] of besideBadOnes) {
  test(`rewritten beside what is no address: ${text}`, async () => {
    const { context } = createWorld(configuration)
    const headers = await rewriteHeaders([{ type: 'T', text: `${text}\n` }], context, { qualify: true })
    assert.equal(headers.at(-1)?.text, `${wanted}\n`)
  })
}
