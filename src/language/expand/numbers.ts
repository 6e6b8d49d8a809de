/** Exim's integers: 64 bits, optional sign, optional K, M or G. Source: Exim manual, "Expansion conditions". */
import { Failure } from '../../base/outcome.ts'
import { failure } from './environment.ts'

const most = 9223372036854775807n
const least = -9223372036854775808n
const multipliers: Readonly<Record<string, bigint>> = { '': 1n, k: 1024n, m: 1048576n, g: 1073741824n }

/** The number a text stands for; an empty one is 0. */
export function readInteger(given: string): bigint | Failure {
  const text = given.trimStart()
  const match = /^\s*([+-]?\d+)([kmgKMG]?)\s*$/.exec(text)
  if (match === null) {
    if (/^\s*$/.test(text)) return 0n
    return failure(
      /^\s*[+-]?\d/.test(text) ? `invalid integer "${text}"` : `integer expected but "${text}" found`,
    )
  }
  const value = BigInt(match[1] ?? '0') * (multipliers[(match[2] ?? '').toLowerCase()] ?? 1n)
  if (value > most || value < least)
    return failure(`absolute value of integer "${text}" is too large (overflow)`)
  return value
}

export function fitsInteger(value: bigint): boolean {
  return value <= most && value >= least
}
