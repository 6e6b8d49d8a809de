/** `${eval:` and `${eval10:`: integer arithmetic with C's priorities. */
import { Failure, isFailure } from '../../../base/outcome.ts'
import type { OperatorRow } from '../rows.ts'
import { textOperator } from './kinds.ts'

const most = 9223372036854775807n
const least = -9223372036854775808n

/** Binary operators from the loosest to the tightest. */
const levels: readonly (readonly string[])[] = [
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
]
const deepest = 100

class Calculator {
  private readonly text: string
  private readonly decimal: boolean
  private position = 0
  private depth = 0
  constructor(text: string, decimal: boolean) {
    this.text = text
    this.decimal = decimal
  }

  run(): string | Failure {
    const value = this.binary(0)
    if (isFailure(value)) return value
    this.skipSpace()
    if (this.position < this.text.length) return this.problem('expecting operator')
    return String(value)
  }

  private problem(what: string): Failure {
    const done = this.text.slice(0, this.position)
    return new Failure('failure', `error in expression evaluation: ${what} (after processing "${done}")`)
  }

  private skipSpace(): void {
    while (/\s/.test(this.text.charAt(this.position))) this.position++
  }

  private binary(level: number): bigint | Failure {
    const operators = levels[level]
    if (operators === undefined) return this.unary()
    let left = this.binary(level + 1)
    while (!isFailure(left)) {
      this.skipSpace()
      const operator = operators.find((one) => this.text.startsWith(one, this.position))
      if (operator === undefined) return left
      this.position += operator.length
      const right = this.binary(level + 1)
      if (isFailure(right)) return right
      left = this.apply(operator, left, right)
    }
    return left
  }

  private apply(operator: string, a: bigint, b: bigint): bigint | Failure {
    switch (operator) {
      case '|':
        return a | b
      case '^':
        return a ^ b
      case '&':
        return a & b
      case '<<':
        return BigInt.asIntN(64, a << (b & 63n))
      case '>>':
        return a >> (b & 63n)
      case '+':
        return a + b > most || a + b < least ? this.problem('overflow in sum') : a + b
      case '-':
        return a - b > most || a - b < least ? this.problem('overflow in difference') : a - b
      case '*':
        return a * b > most || a * b < least ? this.problem('overflow in multiplication') : a * b
      case '/':
        return b === 0n ? this.problem('divide by zero') : BigInt.asIntN(64, a / b)
      default:
        return b === 0n ? this.problem('modulo by zero') : a % b
    }
  }

  private unary(): bigint | Failure {
    if (++this.depth > deepest) return this.problem('nested too deeply')
    this.skipSpace()
    const char = this.text.charAt(this.position)
    let value: bigint | Failure
    if (char === '-' || char === '~' || char === '+') {
      this.position++
      const inner = this.unary()
      if (isFailure(inner)) return inner
      value = char === '-' ? BigInt.asIntN(64, -inner) : char === '~' ? ~inner : inner
    } else value = this.operand(char)
    this.depth--
    return value
  }

  private operand(char: string): bigint | Failure {
    if (char === '(') {
      this.position++
      const inner = this.binary(0)
      if (isFailure(inner)) return inner
      this.skipSpace()
      if (this.text.charAt(this.position) !== ')') return this.problem('expecting closing parenthesis')
      this.position++
      return inner
    }
    const match = this.decimal ? /(\d+)([kKmMgG]?)/y : /(0[xX][0-9a-fA-F]*|0[0-7]*|[1-9]\d*)([kKmMgG]?)/y
    match.lastIndex = this.position
    const found = match.exec(this.text)
    if (found === null) return this.problem('expecting number or opening parenthesis')
    this.position = match.lastIndex
    const digits = found[1] ?? '0'
    const base = this.read(digits)
    const factor = { k: 1024n, m: 1048576n, g: 1073741824n }[(found[2] ?? '').toLowerCase()] ?? 1n
    const value = base * factor
    return value > most ? most : value
  }

  private read(digits: string): bigint {
    if (this.decimal) return BigInt(digits)
    if (/^0[xX]/.test(digits)) return digits.length === 2 ? 0n : BigInt(digits)
    return digits.startsWith('0') ? BigInt(`0o${digits}`) : BigInt(digits)
  }
}

/** The value of an arithmetic expression in decimal. */
export function evaluate(text: string, decimal: boolean): string | Failure {
  return text.length > 10_000
    ? new Failure('failure', 'error in expression evaluation: expression too long')
    : new Calculator(text, decimal).run()
}

const manual = 'Expansion operators'
export const arithmetic: readonly OperatorRow[] = [
  textOperator({
    name: 'eval',
    doc: 'Computes an expression of integers; 010 is octal, 0x10 hexadecimal.',
    since: '0.1',
    manual,
    convert: (text) => evaluate(text, false),
  }),
  textOperator({
    name: 'eval10',
    doc: 'Computes an expression of integers; all numbers are decimal.',
    since: '0.1',
    manual,
    convert: (text) => evaluate(text, true),
  }),
]
