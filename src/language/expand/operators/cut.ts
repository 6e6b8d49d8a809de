/** Parts, lengths and simple hashes of a string. */
import { isFailure } from '../../../base/outcome.ts'
import { slice, textOf } from '../../../base/text.ts'
import { failure } from '../environment.ts'
import { hashText, numericHash, substring } from '../pieces.ts'
import type { OperatorRow } from '../rows.ts'
import { suffixNumbers } from './kinds.ts'

const manual = 'Expansion operators'

const length: OperatorRow = {
  name: 'length',
  doc: 'The beginning of a string: ${length_5:...}.',
  since: '0.1',
  manual,
  suffix: 'numbers',
  apply(text, _, suffix) {
    const numbers = suffixNumbers('length', suffix)
    return isFailure(numbers) ? numbers : slice(text, 0, numbers.first)
  },
}
const substr: OperatorRow = {
  name: 'substr',
  doc: 'A part of a string by offset and length: ${substr_1_3:...}.',
  since: '0.1',
  manual,
  suffix: 'numbers',
  apply(text, _, suffix) {
    const numbers = suffixNumbers('substr', suffix)
    return isFailure(numbers) ? numbers : substring(numbers.first, numbers.second, text)
  },
}
const hash: OperatorRow = {
  name: 'hash',
  doc: 'A short text of letters made from a string: ${hash_4_62:...}.',
  since: '0.1',
  manual,
  suffix: 'numbers',
  apply(text, _, suffix) {
    const numbers = suffixNumbers('hash', suffix)
    return isFailure(numbers) ? numbers : hashText(numbers.first, numbers.second, text)
  },
}
const nhash: OperatorRow = {
  name: 'nhash',
  doc: 'One or two numbers made from a string: ${nhash_8_64:...}.',
  since: '0.1',
  manual,
  suffix: 'numbers',
  apply(text, _, suffix) {
    const numbers = suffixNumbers('nhash', suffix)
    return isFailure(numbers) ? numbers : numericHash(numbers.first, numbers.second, text)
  },
}
const strlen: OperatorRow = {
  name: 'strlen',
  doc: 'How many bytes a string has.',
  since: '0.1',
  manual,
  apply: (text) => String(textOf(text).length),
}
const randint: OperatorRow = {
  name: 'randint',
  doc: 'A random number from 0 to below the one given.',
  since: '0.1',
  manual,
  apply(text, environment) {
    const digits = textOf(text).trim()
    if (!/^[+-]?\d+$/.test(digits)) return failure(`integer expected but "${textOf(text)}" found`)
    const limit = Math.min(Number(digits), 2 ** 31)
    return limit < 1 ? '0' : String(environment.context.ports.random(limit))
  },
}
const listcount: OperatorRow = {
  name: 'listcount',
  doc: 'How many items a list has.',
  since: '0.1',
  manual,
  apply: (text, environment) => String(environment.context.ports.splitList(text).length),
}

export const cutting: readonly OperatorRow[] = [
  hash,
  { ...hash, name: 'h' },
  length,
  { ...length, name: 'l' },
  nhash,
  { ...nhash, name: 'nh' },
  substr,
  { ...substr, name: 's' },
  strlen,
  randint,
  listcount,
]
