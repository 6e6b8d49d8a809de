/** Hashes and encodings. */
import { createHash } from 'node:crypto'
import { isFailure, type Failure } from '../../../base/outcome.ts'
import { fromBytes, toBytes } from '../../../base/text.ts'
import { failure } from '../environment.ts'
import type { OperatorRow } from '../rows.ts'
import { textOperator } from './kinds.ts'

const manual = 'Expansion operators'

export function digest(algorithm: string, text: string): string {
  return createHash(algorithm).update(toBytes(text)).digest('hex')
}

function family(name: string, prefix: string, sizes: readonly string[], doc: string): OperatorRow {
  return textOperator({
    name,
    doc,
    since: '0.1',
    manual,
    suffix: 'word',
    ofCertificates: 'as is',
    convert(text, _, suffix) {
      const size = suffix === '' ? '256' : suffix.slice(1)
      if (!sizes.includes(size)) return failure(`unrecognised ${name} variant`)
      return digest(`${prefix}${size}`, text).toUpperCase()
    },
  })
}

const letters = 'abcdefghijklmnopqrstuvwxyz'
const base62 = `0123456789${letters.toUpperCase()}${letters}`
const base32 = `${letters}234567`

function toBase(digits: string, alphabet: string, name: string): string | Failure {
  if (!/^(?:\s*\+?\d{1,40})?$/.test(digits)) {
    return failure(`argument for ${name} operator is "${digits}", which is not a decimal number`)
  }
  let value = BigInt(digits === '' ? '0' : digits)
  let result = ''
  const size = BigInt(alphabet.length)
  while (value > 0n) {
    result = alphabet.charAt(Number(value % size)) + result
    value /= size
  }
  return result
}

function fromBase(text: string, alphabet: string, name: string): string | Failure {
  let value = 0n
  for (const char of text.slice(0, 40)) {
    const digit = alphabet.indexOf(char)
    if (digit < 0) {
      return failure(
        `argument for ${name} operator is "${text}", which is not a base ${alphabet.length} number`,
      )
    }
    value = value * BigInt(alphabet.length) + BigInt(digit)
  }
  return String(BigInt.asUintN(64, value))
}

function decodeBase64(text: string): string | Failure {
  const compact = text.replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact) || compact.length % 4 !== 0) {
    return failure(`string "${text}" is not well-formed for "base64d" operator`)
  }
  return fromBytes(Buffer.from(compact, 'base64'))
}

export const encoding: readonly OperatorRow[] = [
  textOperator({
    name: 'base32',
    doc: 'Writes a decimal number to base 32.',
    since: '0.1',
    manual,
    convert: (text) => toBase(text, base32, 'base32'),
  }),
  textOperator({
    name: 'base32d',
    doc: 'Writes a number to base 32 in decimal.',
    since: '0.1',
    manual,
    convert: (text) => fromBase(text, base32, 'base32d'),
  }),
  textOperator({
    name: 'base62',
    doc: 'Writes a decimal number to base 62, six digits at least.',
    since: '0.1',
    manual,
    convert(text) {
      const result = toBase(text, base62, 'base62')
      return isFailure(result) ? result : result.padStart(6, '0')
    },
  }),
  textOperator({
    name: 'base62d',
    doc: 'Writes a number to base 62 in decimal.',
    since: '0.1',
    manual,
    convert: (text) => fromBase(text, base62, 'base62d'),
  }),
  textOperator({
    name: 'base64',
    ofCertificates: 'as is',
    doc: 'Encodes in base 64.',
    since: '0.1',
    manual,
    convert: (text) => toBytes(text).toString('base64'),
  }),
  textOperator({ name: 'base64d', doc: 'Decodes base 64.', since: '0.1', manual, convert: decodeBase64 }),
  textOperator({
    name: 'hex2b64',
    doc: 'Turns hexadecimal digits into base 64.',
    since: '0.1',
    manual,
    convert(text) {
      if (!/^[0-9a-fA-F]*$/.test(text)) return failure(`"${text}" is not a hex string`)
      if (text.length % 2 !== 0) return failure(`"${text}" contains an odd number of characters`)
      return Buffer.from(text, 'hex').toString('base64')
    },
  }),
  textOperator({
    name: 'md5',
    ofCertificates: 'in capitals',
    doc: 'The MD5 digest in small hexadecimal letters.',
    since: '0.1',
    manual,
    convert: (text) => digest('md5', text),
  }),
  textOperator({
    name: 'sha1',
    ofCertificates: 'as is',
    doc: 'The SHA-1 digest in capital hexadecimal letters.',
    since: '0.1',
    manual,
    convert: (text) => digest('sha1', text).toUpperCase(),
  }),
  family('sha2', 'sha', ['256', '384', '512'], 'A SHA-2 digest: ${sha2_512:...}; 256 bits unless said.'),
  textOperator({
    name: 'sha256',
    ofCertificates: 'as is',
    doc: 'The SHA-256 digest in capital hexadecimal letters.',
    since: '0.1',
    manual,
    convert: (text) => digest('sha256', text).toUpperCase(),
  }),
  family(
    'sha3',
    'sha3-',
    ['224', '256', '384', '512'],
    'A SHA-3 digest: ${sha3_512:...}; 256 bits unless said.',
  ),
  textOperator({
    name: 'str2b64',
    doc: 'Older name of base64.',
    since: '0.1',
    manual,
    convert: (text) => toBytes(text).toString('base64'),
  }),
]
