/** The public test suite for ARC: validation of chains. The suite speaks of a draft; RFC 8617 decides. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pushInPieces, txtDns, usual, wireParts } from '../../../../test/support/dkim-world.ts'
import { repository } from '../../../../test/support/server.ts'
import { readSuite, type Tree } from '../../../../test/support/yaml-suite.ts'
import { splitHeaders } from '../../../mail/header.ts'
import { BodyHashes } from '../dkim/body-hash.ts'
import { HeaderSet } from '../dkim/headers.ts'
import { ArcVerifier } from './verifier.ts'

const file = join(repository, '..', 'shared', 'reference', 'arc', 'arc-draft-validation-tests.yml')

/** Where RFC 8617, or what it builds on, says otherwise than the suite. */
const otherwise: Readonly<Record<string, string>> = {
  ams_fields_c_na:
    'c= left out is simple/simple: RFC 6376 section 3.5, which RFC 8617 section 4.1.2 refers to',
  ams_fields_h_empty: 'From: must be signed: RFC 6376 section 5.4',
  // The suite leaves the result of these open.
  cv_fail_i1_as_cv_fail: 'cv=fail in the newest seal is fail: RFC 8617 section 5.2, step 2',
  cv_fail_i2_as1_fail: 'cv=fail in an older seal is fail: RFC 8617 section 5.2, step 3',
  cv_fail_i2_as2_fail: 'cv=fail in the newest seal is fail: RFC 8617 section 5.2, step 2',
}

if (!existsSync(file)) test('ARC suite', { skip: 'the suite is not here: ../shared/reference/arc' })
else {
  let cases = 0
  for (const document of readSuite(readFileSync(file, 'latin1'))) {
    const { description, tests, 'txt-records': records } = mapOf(document)
    const zone = Object.fromEntries(
      Object.entries(mapOf(records)).map(([name, text]) => [name, textOf(text).replaceAll('\n', '')]),
    )
    for (const [name, row] of Object.entries(mapOf(tests))) {
      cases++
      const { message, cv } = mapOf(row)
      const wanted = textOf(cv).trim().toLowerCase()
      test(`ARC suite: ${textOf(description).trim()}: ${name}${otherwise[name] === undefined ? '' : ` (${otherwise[name]})`}`, async () => {
        const { head, body } = wireParts(textOf(message).replaceAll('\n', '\r\n'))
        const hashes = new BodyHashes()
        const headers = new HeaderSet(splitHeaders(head).map(({ text }) => text))
        const verifier = new ArcVerifier(headers, hashes, usual.fewestBits, 1_490_000_000_000)
        pushInPieces(hashes, body, [], 64)
        hashes.finish()
        const facts = await verifier.finish(txtDns(zone))
        assert.equal(facts.state, otherwise[name] === undefined ? wanted : 'fail', facts.reason)
      })
    }
  }
  test('ARC suite: all 171 cases were found', () => assert.equal(cases, 171))
}

function mapOf(value: Tree | undefined): Readonly<Record<string, Tree>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  // Neither a text nor a list: what is left is a map.
  return value as Readonly<Record<string, Tree>>
}

function textOf(value: Tree | undefined): string {
  return typeof value === 'string' ? value : ''
}
