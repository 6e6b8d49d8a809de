/**
 * From a tree to functions. A template without anything to wait for evaluates without a promise; at the first
 * promise the rest goes on asynchronously.
 */
import { Failure, isFailure, type Awaitable, type Outcome } from '../../base/outcome.ts'
import { concat, fromBytes, Tainted, textOf, type ByteString, type Text } from '../../base/text.ts'
import { failure, largestResult, type Environment } from './environment.ts'
import { certificateOf } from './items/certextract.ts'
import { headerValue } from './headers.ts'
import { compileVariable, notWorking, tell } from './compile-variable.ts'
import { parse } from './parse.ts'
import type { Compiler, Run, Test } from './rows.ts'
import type { ConditionNode, Node, Template } from './tree.ts'

export const compiler: Compiler = {
  template: compileTemplate,
  condition: compileCondition,
  text: compileText,
}

function compileText(text: ByteString): Run {
  // Most texts hold nothing to expand.
  if (!text.includes('$') && !text.includes('\\')) return () => text
  return compileTemplate(parse(text).template)
}

type Step = ByteString | Run

function compileTemplate(template: Template): Run {
  const steps: Step[] = template.nodes.map(compileNode)
  const only = steps.length === 1 ? steps[0] : undefined
  if (steps.length === 0) return () => ''
  if (only !== undefined) return typeof only === 'string' ? () => only : only
  return (environment) => {
    let text = ''
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i] ?? ''
      const value = typeof step === 'string' ? step : step(environment)
      if (typeof value !== 'string') return goOn([text], value, steps, i, environment)
      text += value
    }
    return text.length > largestResult ? tooLong() : text
  }
}

/** Goes on once a piece is tainted: the pieces are kept apart until the end. */
function goOn(
  parts: Text[],
  first: Awaitable<Outcome>,
  steps: readonly Step[],
  at: number,
  environment: Environment,
): Awaitable<Outcome> {
  let value: Awaitable<Outcome> = first
  let index = at
  let length = 0
  for (;;) {
    if (value instanceof Promise) {
      const here = index
      return value.then((settled) => goOn(parts, settled, steps, here, environment))
    }
    if (value instanceof Failure) return value
    length += textOf(value).length
    if (length > largestResult) return tooLong()
    parts.push(value)
    index++
    const step = steps[index]
    if (step === undefined) return concat(parts)
    value = typeof step === 'string' ? step : step(environment)
  }
}

function tooLong(): Failure {
  return failure(`expansion result is longer than ${largestResult} bytes`)
}

function compileNode(node: Node): Step {
  switch (node.kind) {
    case 'text':
      return node.text
    case 'fault': {
      const fault = failure(node.message)
      return () => fault
    }
    case 'capture': {
      const { index } = node
      return (environment) => environment.captures[index] ?? ''
    }
    case 'header': {
      const { form, name } = node
      const origin = `$${form}_${name}:`
      return ({ context }) => {
        const value = headerValue(form, name, context)
        return context.trace === undefined ? value : tell(origin, value, context.trace)
      }
    }
    case 'variable':
      return compileVariable(node.row, node.name)
    case 'operator': {
      const { row, suffix } = node
      if (row.since === undefined) return notWorking(`\${${node.name}:`, row.doc)
      const certificate = row.ofCertificates !== undefined ? certificateOf(node.body) : undefined
      if (certificate !== undefined) {
        return (environment) => {
          const bytes = certificate(environment)
          const result = row.apply(bytes === undefined ? '' : fromBytes(bytes), environment, suffix)
          return typeof result === 'string' && row.ofCertificates === 'in capitals'
            ? result.toUpperCase()
            : result
        }
      }
      const body = compileTemplate(node.body)
      return (environment) => {
        const refused = environment.context.forbidden?.get(row.name)
        if (refused !== undefined) return failure(refused)
        const text = body(environment)
        if (typeof text === 'string') return row.apply(text, environment, suffix)
        if (text instanceof Tainted) return row.apply(text, environment, suffix)
        if (text instanceof Failure) return text
        return text.then((settled) =>
          isFailure(settled) ? settled : row.apply(settled, environment, suffix),
        )
      }
    }
    case 'item': {
      const { row } = node
      const step =
        row.since === undefined
          ? notWorking(`\${${node.name}`, row.doc, row.refused !== undefined)
          : row.compile(node.parts, compiler)
      return (environment) => {
        const refused = environment.context.forbidden?.get(row.name)
        if (refused !== undefined) return failure(refused)
        return typeof step === 'string' ? step : step(environment)
      }
    }
  }
}

function compileCondition(node: ConditionNode): Test {
  const { row, negated } = node
  if (row.since === undefined) {
    const fault = failure(`condition "${node.name}" does not work in this version: ${row.doc}`)
    return () => fault
  }
  const compiled = row.compile(node.parts, compiler, node.name)
  const test: Test = (environment) => {
    const refused = environment.context.forbidden?.get(row.name)
    return refused === undefined ? compiled(environment) : failure(refused)
  }
  if (!negated) return test
  const not = (answer: boolean | Failure) => (isFailure(answer) ? answer : !answer)
  return (environment) => {
    const answer = test(environment)
    return answer instanceof Promise ? answer.then(not) : not(answer)
  }
}
