/**
 * Who wrote a message. The attacks are those of "Composition Kills" (Chen, Paxson, Jiang 2020) and of the tool espoofer that came with it:
 * the attacker owns attack.com, whose SPF and DKIM pass, and wants to be taken for legit.com, which asks for reject.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeUtf8 } from '../../../base/text.ts'
import { splitHeaders } from '../../../mail/header.ts'
import type { DnsAnswer } from '../../../ports.ts'
import { type Author, authorIn, authorOf } from './author.ts'
import { evaluate } from './evaluate.ts'

/** The domain that is evaluated, or `nofrom`. */
function verdict(author: Author): string {
  return author.is === 'domain' ? author.domain : 'nofrom'
}

const legit = 'legit.com'
const attack = 'attack.com'
const fields: readonly [says: string, body: string, verdict: string][] = [
  ['a plain address', 'admin@legit.com', legit],
  ['a name and an address', 'Admin <admin@legit.com>', legit],
  ['a quoted name', '"Admin, Chief" <admin@legit.com>', legit],
  ['a name in brackets', '[List] News <admin@legit.com>', legit],
  ['a name with a dot', 'J. Doe <admin@legit.com>', legit],
  ['a name in 8-bit characters', encodeUtf8('Jürgen <admin@legit.com>'), legit],
  ['a comment', 'admin@legit.com (Admin (the chief))', legit],
  ['a comment before', '(Admin) admin@legit.com', legit],
  ['a comment within the brackets', '<(a)admin@legit.com(b)>', legit],
  ['folding', 'Admin\n <admin@legit.com>\n', legit],
  ['folding with CRLF', 'Admin\r\n\t<admin@legit.com>\r\n', legit],
  ['capitals', 'Admin@LEGIT.Com', legit],
  ['a dot at the end', 'admin@legit.com.', legit],
  ['a quoted local part', '"ad min"@legit.com', legit],
  ['a quoted local part with @', '"a@attack.com"@legit.com', legit],
  ['a group', 'Staff: admin@legit.com, Chief <chief@legit.com>;', legit],
  ['a name with a colon', 'Re: Admin <admin@legit.com>', legit],
  ['two addresses of one domain', 'a@legit.com, b@LEGIT.com', legit],
  ['a U-label', encodeUtf8('a@bücher.example'), 'xn--bcher-kva.example'],
  ['full-width letters', encodeUtf8('a@ｌｅｇｉｔ.com'), legit],
  ['an ideographic full stop', encodeUtf8('a@legit。com'), legit],
  ['a name that repeats the address', 'admin@legit.com <admin@legit.com>', legit],
  ['an encoded name', '=?utf-8?q?Admin=40legit.com?= <a@attack.com>', attack],
  ['an address in a quoted name', '"admin@legit.com" <a@attack.com>', attack],
  // Attacks of the From: header.
  ['two addresses', '<a@attack.com>, <admin@legit.com>', 'nofrom'],
  ['two addresses, the victim first', '<admin@legit.com>, <a@attack.com>', 'nofrom'],
  ['two addresses without a comma', '<admin@legit.com> <a@attack.com>', 'nofrom'],
  ['two addresses without anything between', '<admin@legit.com><a@attack.com>', 'nofrom'],
  ['an address in a name', 'admin@legit.com <a@attack.com>', 'nofrom'],
  ['an address after an address', '<a@attack.com> admin@legit.com', 'nofrom'],
  ['a route', '<@attack.com,@any.com:admin@legit.com>', legit],
  ['a route of the victim', '<@legit.com:a@attack.com>', attack],
  ['a comma behind a backslash', '<admin@legit.com>\\,<a@attack.com>', 'nofrom'],
  ['a comma behind a backslash, bare', 'admin@legit.com\\,<a@attack.com>', 'nofrom'],
  ['a comment with an address', '<admin@legit.com>(<a@attack.com>)', legit],
  ['a comment that does not end', 'admin@legit.com(.attack.com', 'nofrom'],
  ['a comment in the domain', 'admin@legit.com(x).attack.com', 'nofrom'],
  ['a comment around the @', 'admin@(attack.com)legit.com', 'nofrom'],
  ['white space in the domain', 'admin@legit.com .attack.com', 'nofrom'],
  ['white space in the domain, within brackets', '<admin@legit .com>', 'nofrom'],
  ['an encoded address beside another', '=?utf-8?B?PGFkbWluQGxlZ2l0LmNvbT4=?=, <a@attack.com>', 'nofrom'],
  ['an encoded address alone', '=?utf-8?B?PGFkbWluQGxlZ2l0LmNvbT4=?=', 'nofrom'],
  ['an encoded local part', '=?utf-8?Q?=3Cadmin=40legit.com=3E=00?=@attack.com', attack],
  ['a zero byte', 'admin@legit.com\0@attack.com', 'nofrom'],
  ['a zero byte after the address', '<admin@legit.com\0.attack.com>', 'nofrom'],
  ['a zero byte in a name', '"admin@legit.com\0" <a@attack.com>', 'nofrom'],
  ['a bare CR', 'a@attack.com\rFrom: admin@legit.com', 'nofrom'],
  ['two @', 'admin@legit.com@attack.com', 'nofrom'],
  ['a bracket within brackets', '<<admin@legit.com>a@attack.com>', 'nofrom'],
  ['a bracket that does not close', 'Admin <admin@legit.com', 'nofrom'],
  ['a bracket that nothing opens', 'admin@legit.com> <a@attack.com>', 'nofrom'],
  ['a quote that does not end', '"<admin@legit.com> <a@attack.com>', 'nofrom'],
  ['a group of two domains', 'legit.com: admin@legit.com; a@attack.com', 'nofrom'],
  ['an address as the name of a group', 'admin@legit.com: a@attack.com;', 'nofrom'],
  ['an address after a group', 'Group: admin@legit.com; <a@attack.com>', 'nofrom'],
  ['an address in braces', '{admin@legit.com} <a@attack.com>', 'nofrom'],
  // What has no domain.
  ['nothing', '', 'nofrom'],
  ['white space', '   ', 'nofrom'],
  ['only a name', 'Admin', 'nofrom'],
  ['only a domain', 'legit.com', 'nofrom'],
  ['a domain in brackets', '<legit.com>', 'nofrom'],
  ['an empty address', '<>', 'nofrom'],
  ['an empty group', 'undisclosed recipients:;', 'nofrom'],
  ['an address literal', 'admin@[192.0.2.1]', 'nofrom'],
  ['an empty item', 'admin@legit.com,', 'nofrom'],
  ['an empty label', 'admin@legit..com', 'nofrom'],
  ['a dot before the domain', 'admin@.legit.com', 'nofrom'],
  ['no local part', '@legit.com', 'nofrom'],
]

for (const [says, body, expected] of fields) {
  test(`From: with ${says}`, () => assert.equal(verdict(authorIn(` ${body}`)), expected))
}

const sections: readonly [says: string, section: string, verdict: string][] = [
  ['one From:', 'Received: x\nFrom: a@legit.com\nTo: b@x.test\n', legit],
  ['two From: headers', 'From: a@attack.com\nFrom: admin@legit.com\n', 'nofrom'],
  ['two equal From: headers', 'From: a@legit.com\nFrom: a@legit.com\n', 'nofrom'],
  ['a second From: in other case', 'From: a@attack.com\nfRoM: admin@legit.com\n', 'nofrom'],
  ['a second From: with a space before the colon', 'From: a@attack.com\nFrom : admin@legit.com\n', 'nofrom'],
  ['only a From: with a space before the colon', 'From : admin@legit.com\n', 'nofrom'],
  ['a From: with a zero byte in its name', 'From: a@attack.com\nFr\0om: admin@legit.com\n', 'nofrom'],
  [
    'a From: with an 8-bit character in its name',
    'From: a@attack.com\n\xa0From: admin@legit.com\n',
    'nofrom',
  ],
  ['a From: after a form feed', 'From: a@attack.com\n\x0cFrom: admin@legit.com\n', 'nofrom'],
  ['a From: hidden in a folded line', 'From: a@attack.com\nSubject: x\n From: admin@legit.com\n', attack],
  ['an empty folded line before the address', 'From:\n admin@legit.com\n', legit],
  ['Sender: beside From:', 'Sender: admin@legit.com\nFrom: a@attack.com\n', attack],
  ['Resent-From: beside From:', 'Resent-From: admin@legit.com\nFrom: a@attack.com\n', attack],
  ['only Sender:', 'Sender: admin@legit.com\n', 'nofrom'],
  ['no header at all', '', 'nofrom'],
]

for (const [says, section, expected] of sections) {
  test(`a message with ${says}`, () => assert.equal(verdict(authorOf(splitHeaders(section))), expected))
}

test('a header that rewriting has replaced does not count', () => {
  const headers = [
    { type: '*', text: 'From: a@attack.com\n' },
    { type: 'F', text: 'From: a@legit.com\n' },
  ]
  assert.equal(verdict(authorOf(headers)), legit)
})

/** Identifiers that pass for the attacker, as other attacks bring them about; none may count for legit.com. */
const identifiers: readonly [says: string, domain: string][] = [
  ['his own domain', 'attack.com'],
  ['the victim as a subdomain of his', 'legit.com.attack.com'],
  ['a zero byte', 'legit.com\0.attack.com'],
  ['a comment', 'legit.com(.attack.com'],
  ['a quote', "legit.com'a.attack.com"],
  ['a name that ends alike', 'notlegit.com'],
  ['a suffix', 'com'],
  ['nothing', ''],
  ['a dot', '.'],
  ['an address literal', '[192.0.2.1]'],
]
const dns = async (name: string): Promise<DnsAnswer> => {
  const found = name === '_dmarc.legit.com'
  return {
    status: found ? 'found' : 'nxdomain',
    records: found ? [{ type: 'TXT', name, ttl: 1, strings: ['v=DMARC1; p=reject'] }] : [],
    authenticated: false,
    canonicalName: name,
  }
}
for (const [says, domain] of identifiers) {
  test(`an identifier with ${says} is not aligned`, async () => {
    const authenticated = {
      spf: { domain, result: 'pass', identity: 'mfrom' as const },
      dkim: [{ domain, result: 'pass', selector: 's', identity: '' }],
    }
    const found = await evaluate(legit, authenticated, { dns, random: () => 0 })
    assert.equal(found.result, 'fail')
    assert.equal(found.policy?.evaluated, 'reject')
  })
}

test('a subdomain that does not exist falls under the policy of its organisation', async () => {
  const authenticated = { spf: { domain: attack, result: 'pass', identity: 'mfrom' as const }, dkim: [] }
  const found = await evaluate('nonexistent.legit.com', authenticated, { dns, random: () => 0 })
  assert.deepEqual([found.result, found.policy?.evaluated], ['fail', 'reject'])
})

test('any bytes are read in bounded time, and never give a domain that is none', () => {
  const piece = fc.constantFrom(
    '<',
    '>',
    '(',
    ')',
    '"',
    '\\',
    ',',
    ':',
    ';',
    '@',
    ' ',
    '\n ',
    'a',
    '.com',
    'legit.com',
    '\0',
    '\xe4',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const author = authorIn(pieces.join(''))
      if (author.is === 'domain') assert.match(author.domain, /^[a-z0-9._-]+$/)
    }),
    { numRuns: 2000 },
  )
  const started = performance.now()
  for (const unit of ['(', '<', '"', ' ', 'a@b.com,', '\\', 'a:', '<@a:', '\n '])
    authorIn(unit.repeat(200_000))
  assert.ok(performance.now() - started < 5000)
})
