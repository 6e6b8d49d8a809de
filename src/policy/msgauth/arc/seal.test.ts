/** ARC seals: the public suite for signing, and chains of our own that must verify. */
import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  ed25519Key,
  pushInPieces,
  rsaKey,
  txtDns,
  type TxtZone,
  usual,
  wireParts,
} from '../../../../test/support/dkim-world.ts'
import { repository } from '../../../../test/support/server.ts'
import { readSuite, type Tree } from '../../../../test/support/yaml-suite.ts'
import type { ArcFacts } from '../../../mail/arc-facts.ts'
import { splitHeaders } from '../../../mail/header.ts'
import { BodyHashes } from '../dkim/body-hash.ts'
import { HeaderSet } from '../dkim/headers.ts'
import { parseTags } from '../dkim/tags.ts'
import { beginSeal, seal, type Sealed, type SealWish } from './seal.ts'
import { ArcVerifier } from './verifier.ts'

const file = join(repository, '..', 'shared', 'reference', 'arc', 'arc-draft-sign-tests.yml')

function sealText(message: string, wish: SealWish): Sealed {
  const { head, body } = wireParts(message)
  const hashes = new BodyHashes()
  const wanted = beginSeal(hashes)
  hashes.push(body)
  hashes.finish()
  return seal(
    splitHeaders(head).map(({ text }) => text),
    wanted,
    wish,
  )
}

async function check(message: string, zone: TxtZone): Promise<ArcFacts> {
  const { head, body } = wireParts(message)
  const hashes = new BodyHashes()
  const headers = new HeaderSet(splitHeaders(head).map(({ text }) => text))
  const verifier = new ArcVerifier(headers, hashes, usual.fewestBits, Date.now())
  pushInPieces(hashes, body, [], 100)
  hashes.finish()
  return verifier.finish(txtDns(zone))
}

const crlf = (text: string): string => text.replaceAll('\n', '\r\n')
/** The value of a tag. */
function tagOf(header: string, name: string): string | undefined {
  return parseTags(header.slice(header.indexOf(':') + 1)).tags.get(name)?.value
}

if (!existsSync(file)) test('ARC signing suite', { skip: 'the suite is not here: ../shared/reference/arc' })
else {
  let cases = 0
  for (const document of readSuite(readFileSync(file, 'latin1'))) {
    const whole = mapOf(document)
    const key = createPrivateKey(textOf(whole['privatekey']))
    const zone = Object.fromEntries(
      Object.entries(mapOf(whole['txt-records'])).map(([name, text]) => [
        name,
        textOf(text).replaceAll('\n', ''),
      ]),
    )
    for (const [name, row] of Object.entries(mapOf(whole['tests']))) {
      cases++
      test(`ARC signing suite: ${name}`, async () => {
        const { message, t, AS, AMS, AAR, 'srv-id': srvId } = mapOf(row)
        const text = crlf(textOf(message))
        const made = sealText(text, {
          domain: textOf(whole['domain']),
          authservId: textOf(srvId),
          selector: textOf(whole['sel']),
          key,
          created: Number(textOf(t)),
          expires: undefined,
          state: undefined,
        })
        if (textOf(AS).trim() === '') {
          assert.ok('why' in made)
          return
        }
        assert.ok('headers' in made, JSON.stringify(made))
        const [as = '', ams = '', aar = ''] = splitHeaders(made.headers).map((header) => header.text)
        for (const tag of ['i', 'a', 'd', 's', 't', 'cv']) {
          assert.equal(tagOf(as, tag), tagOf(`x:${textOf(AS)}`, tag), tag)
        }
        for (const tag of ['i', 'a', 'd', 's', 't', 'c', 'bh']) {
          assert.equal(tagOf(ams, tag), tagOf(`x:${textOf(AMS)}`, tag), tag)
        }
        const one = (value: string): string => value.replace(/\s+/g, ' ').trim()
        assert.equal(one(aar.slice(aar.indexOf(':') + 1)), one(textOf(AAR)))
        const facts = await check(crlf(made.headers) + text, zone)
        assert.equal(facts.state, tagOf(as, 'cv') === 'fail' ? 'fail' : 'pass', facts.reason)
      })
    }
  }
  test('ARC signing suite: all 17 cases were found', () => assert.equal(cases, 17))
}

const rsa = rsaKey()
const ed = ed25519Key()
const zone: TxtZone = {
  's._domainkey.one.test': `p=${rsa.data}`,
  's._domainkey.two.test': `k=ed25519; p=${ed.data}`,
}
const plain = crlf('From: a@x.test\nSubject: hi\n\nHello\n')
const wish = (domain: string, more: Partial<SealWish> = {}): SealWish => ({
  domain,
  authservId: domain,
  selector: 's',
  key: (domain === 'one.test' ? rsa : ed).privateKey,
  created: 1000,
  expires: undefined,
  state: undefined,
  ...more,
})

function sealed(message: string, domain: string, results: string, more: Partial<SealWish> = {}): string {
  const marked = `Authentication-Results: ${domain}; ${results}\r\n${message}`
  const made = sealText(marked, wish(domain, more))
  assert.ok('headers' in made, JSON.stringify(made))
  return crlf(made.headers) + marked
}

test('ARC: a chain of ten seals of two keys verifies; a change of the text after the fifth shows in oldest-pass', async () => {
  let message = plain
  for (let i = 1; i <= 10; i++) {
    if (i === 6) message = message.replace('Hello', 'Hello, list')
    message = sealed(message, i % 2 === 0 ? 'two.test' : 'one.test', i === 1 ? 'arc=none' : 'arc=pass')
  }
  const facts = await check(message, zone)
  assert.deepEqual([facts.state, facts.reason, facts.instances, facts.oldestPass], ['pass', '', 10, 6])
  assert.deepEqual(facts.domains.slice(0, 3), ['one.test', 'two.test', 'one.test'])
  const changed = await check(message.replace('arc=none', 'arc=pass'), zone)
  assert.deepEqual([changed.state, changed.reason], ['fail', 'AS 10: signature did not verify'])
})

test('ARC: what the check at reception said counts more than the header', () => {
  const first = sealed(plain, 'one.test', 'spf=pass')
  const made = sealText(
    `Authentication-Results: two.test; arc=pass\r\n${first}`,
    wish('two.test', { state: 'fail' }),
  )
  assert.ok('headers' in made && tagOf(made.headers, 'cv') === 'fail')
})

test('ARC: a result inside a comment or a quoted string is none', () => {
  const first = sealed(plain, 'one.test', 'spf=pass')
  for (const results of [
    'spf=none ("; arc=pass; ")',
    'spf=none smtp.mailfrom="x; arc=pass; y"',
    'spf=none (a (b); arc=pass;)',
  ]) {
    const made = sealText(`Authentication-Results: two.test; ${results}\r\n${first}`, wish('two.test'))
    assert.deepEqual(made, { why: 'Authentication-Results: says nothing of arc' })
  }
})

test('ARC: no seal without our own results, none over fifty, none after a failed one', () => {
  assert.deepEqual(sealText(plain, wish('one.test')), { why: 'no Authentication-Results: of one.test' })
  const other = `Authentication-Results: evil.test; arc=pass\r\n${plain}`
  assert.ok('why' in sealText(other, wish('one.test')))
  const failed = sealed(sealed(plain, 'one.test', 'arc=none'), 'two.test', 'arc=fail')
  assert.deepEqual(sealText(`Authentication-Results: one.test; arc=fail\r\n${failed}`, wish('one.test')), {
    why: 'the chain was sealed as failed',
  })
  let message = plain
  for (let i = 1; i <= 50; i++) message = sealed(message, 'two.test', i === 1 ? 'arc=none' : 'arc=pass')
  const more = sealText(`Authentication-Results: two.test; arc=pass\r\n${message}`, wish('two.test'))
  assert.deepEqual(more, { why: '50 ARC sets are there already' })
})

test('ARC: hundreds of sets end in no time', async () => {
  const set = (i: number): string =>
    `ARC-Seal: i=${i}; cv=pass; a=rsa-sha256; d=x.test; s=s; b=AAAA\r\nARC-Message-Signature: i=${i}; a=rsa-sha256; d=x.test; s=s; h=from; bh=AAAA; b=AAAA\r\nARC-Authentication-Results: i=${i}; x.test; arc=none\r\n`
  const started = performance.now()
  const many = Array.from({ length: 400 }, (_, i) => set(i + 1)).join('')
  assert.equal((await check(many + plain, {})).reason, 'more than 50 ARC sets')
  assert.ok(performance.now() - started < 1000)
})

function mapOf(value: Tree | undefined): Readonly<Record<string, Tree>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  // Neither a text nor a list: what is left is a map.
  return value as Readonly<Record<string, Tree>>
}

function textOf(value: Tree | undefined): string {
  return typeof value === 'string' ? value : ''
}
