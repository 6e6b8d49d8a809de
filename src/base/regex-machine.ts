/**
 * A backtracking matcher with a bound on its steps, for what JavaScript's RegExp cannot say or bound:
 * atomic groups, conditions, look-around, references. A tree becomes a program; choices wait on a stack.
 */
import {
  canBeEmpty,
  fixedLength,
  isWordByte,
  type Assertion,
  type ByteSet,
  type RegexNode,
  type RegexTree,
} from './regex-tree.ts'

type Instruction =
  | { readonly op: 'set'; readonly set: ByteSet }
  | { op: 'split'; first: number; second: number }
  | { op: 'jump'; to: number }
  | { readonly op: 'save'; readonly slot: number }
  | { readonly op: 'assert'; readonly what: Assertion }
  | { readonly op: 'reference'; readonly index: number; readonly caseless: boolean }
  | {
      readonly op: 'look'
      readonly behind: readonly number[] | undefined
      readonly negative: boolean
      next: number
    }
  | { readonly op: 'atomic'; next: number }
  | { readonly op: 'group set'; readonly index: number; otherwise: number }
  /** Ends a loop when a turn matched nothing. */
  | { readonly op: 'progress'; readonly slot: number; out: number }
  | { readonly op: 'match' }

export interface Program {
  readonly code: readonly Instruction[]
  readonly slots: number
  readonly groups: number
}

/** Most instructions of a program: counted parts are written out. */
const largestProgram = 20_000
/** Most steps of one match; some 5 milliseconds, 35 before V8 has compiled the matcher. */
const mostSteps = 700_000
const deepestStack = 300_000
/** So much room is kept for the next match. */
const keptStack = 65_536

/** Undefined: the expression is too large. */
export function compileProgram(tree: RegexTree): Program | undefined {
  const writer = new Writer(tree.groups)
  writer.add({ op: 'save', slot: 0 })
  writer.node(tree.root)
  writer.add({ op: 'save', slot: 1 })
  writer.add({ op: 'match' })
  if (writer.code.length > largestProgram) return undefined
  return { code: writer.code, slots: writer.slots, groups: tree.groups }
}

class Writer {
  readonly code: Instruction[] = []
  slots: number
  constructor(groups: number) {
    this.slots = (groups + 1) * 2
  }

  add<T extends Instruction>(instruction: T): T {
    this.code.push(instruction)
    return instruction
  }

  node(node: RegexNode): void {
    if (this.code.length > largestProgram) return
    switch (node.is) {
      case 'empty':
        return
      case 'set':
        this.add({ op: 'set', set: node.set })
        return
      case 'sequence':
        for (const item of node.items) this.node(item)
        return
      case 'choice':
        return this.choice(node.items)
      case 'capture':
        this.add({ op: 'save', slot: node.index * 2 })
        this.node(node.body)
        this.add({ op: 'save', slot: node.index * 2 + 1 })
        return
      case 'repeat':
        return node.mode === 'possessive'
          ? this.atomic({ ...node, mode: 'greedy' })
          : this.repeat(node.body, node.least, node.most, node.mode === 'greedy')
      case 'assert':
        this.add({ op: 'assert', what: node.what })
        return
      case 'reference':
        this.add({ op: 'reference', index: node.index, caseless: node.caseless })
        return
      case 'look':
        return this.look(node)
      case 'atomic':
        return this.atomic(node.body)
      case 'condition':
        return this.condition(node)
      case 'keep':
        this.add({ op: 'save', slot: 0 })
        return
    }
  }

  private choice(items: readonly RegexNode[]): void {
    const jumps: { to: number }[] = []
    items.forEach((item, i) => {
      if (i === items.length - 1) return this.node(item)
      const split = this.add({ op: 'split', first: this.code.length + 1, second: 0 })
      this.node(item)
      jumps.push(this.add({ op: 'jump', to: 0 }))
      split.second = this.code.length
    })
    for (const jump of jumps) jump.to = this.code.length
  }

  private repeat(body: RegexNode, least: number, most: number, greedy: boolean): void {
    for (let i = 0; i < least && this.code.length <= largestProgram; i++) this.node(body)
    if (most === Number.POSITIVE_INFINITY) return this.loop(body, greedy)
    const splits: { first: number; second: number }[] = []
    for (let i = least; i < most && this.code.length <= largestProgram; i++) {
      splits.push(this.add({ op: 'split', first: this.code.length + 1, second: 0 }))
      this.node(body)
    }
    for (const split of splits) {
      if (greedy) split.second = this.code.length
      else {
        split.second = split.first
        split.first = this.code.length
      }
    }
  }

  private loop(body: RegexNode, greedy: boolean): void {
    const start = this.code.length
    const split = this.add({ op: 'split', first: start + 1, second: 0 })
    const slot = canBeEmpty(body) ? this.slots++ : undefined
    if (slot !== undefined) this.add({ op: 'save', slot })
    this.node(body)
    const progress = slot === undefined ? undefined : this.add({ op: 'progress', slot, out: 0 })
    this.add({ op: 'jump', to: start })
    if (progress !== undefined) progress.out = this.code.length
    split.second = this.code.length
    if (!greedy) {
      split.second = split.first
      split.first = this.code.length
    }
  }

  private look(node: RegexNode & { readonly is: 'look' }): void {
    const parts = node.body.is === 'choice' ? node.body.items : [node.body]
    const behind = node.ahead ? undefined : [...new Set(parts.map((part) => fixedLength(part) ?? 0))]
    const look = this.add({ op: 'look', behind, negative: node.negative, next: 0 })
    this.node(node.body)
    this.add({ op: 'match' })
    look.next = this.code.length
  }

  private atomic(body: RegexNode): void {
    const atomic = this.add({ op: 'atomic', next: 0 })
    this.node(body)
    this.add({ op: 'match' })
    atomic.next = this.code.length
  }

  private condition(node: RegexNode & { readonly is: 'condition' }): void {
    if ('look' in node.test) {
      // (?(look)yes|no) is (?>look yes-path | no-path) with the look tested once.
      const { look } = node.test
      if (look.is !== 'look') return
      const split = this.add({ op: 'split', first: this.code.length + 1, second: 0 })
      this.look(look)
      this.node(node.yes)
      const jump = this.add({ op: 'jump', to: 0 })
      split.second = this.code.length
      this.look({ ...look, negative: !look.negative })
      this.node(node.no)
      jump.to = this.code.length
      return
    }
    const test = this.add({ op: 'group set', index: node.test.group, otherwise: 0 })
    this.node(node.yes)
    const jump = this.add({ op: 'jump', to: 0 })
    test.otherwise = this.code.length
    this.node(node.no)
    jump.to = this.code.length
  }
}

export type MachineResult =
  | { readonly is: 'match'; readonly slots: readonly number[] }
  | { readonly is: 'no' }
  | { readonly is: 'limit' }

/**
 * Looks for the first match at or after `from`.
 * @param first bytes that a match can begin with; undefined: it can be empty
 */
export function runProgram(
  program: Program,
  first: ByteSet | undefined,
  subject: string,
  from: number,
): MachineResult {
  const result = search(program, first, subject, from)
  if (sharedStack.length > keptStack) sharedStack = new Int32Array(keptStack)
  return result
}

function search(program: Program, first: ByteSet | undefined, subject: string, from: number): MachineResult {
  const machine = new Machine(program, subject)
  for (let start = from; start <= subject.length; start++) {
    if (first !== undefined && first[subject.charCodeAt(start) & 255] !== 1) continue
    machine.slots.fill(-1)
    const end = machine.run(0, start)
    if (machine.spent) return { is: 'limit' }
    if (end >= 0) return { is: 'match', slots: machine.slots }
  }
  return { is: 'no' }
}

/** Of all matches, which never run side by side: to make room anew for each would be most of what a deep one costs. */
let sharedStack = new Int32Array(1024)

class Machine {
  readonly slots: number[]
  spent = false
  private steps = 0
  private readonly code: readonly Instruction[]
  private readonly subject: string
  /** Pairs: a place in the program with a position; or a slot, written as -1 - slot, with its old value. */
  private stack = sharedStack
  /** How much of it is used. */
  private top = 0

  constructor(program: Program, subject: string) {
    this.code = program.code
    this.subject = subject
    this.slots = Array.from({ length: program.slots }, () => -1)
  }

  /** Runs to a `match`; gives the position there, or -1. The stack is then as it was, but for old values of slots. */
  run(entry: number, position: number): number {
    const base = this.top
    const { code, subject, slots } = this
    let pc = entry
    let at = position
    for (;;) {
      if (++this.steps > mostSteps || this.top > deepestStack) {
        this.spent = true
        return -1
      }
      const instruction = code[pc]
      if (instruction === undefined) return -1
      let good = true
      switch (instruction.op) {
        case 'set':
          good = at < subject.length && instruction.set[subject.charCodeAt(at) & 255] === 1
          at++
          pc++
          break
        case 'split':
          this.push(instruction.second, at)
          pc = instruction.first
          break
        case 'jump':
          pc = instruction.to
          break
        case 'save':
          this.push(-1 - instruction.slot, slots[instruction.slot] ?? -1)
          slots[instruction.slot] = at
          pc++
          break
        case 'assert':
          good = this.holds(instruction.what, at)
          pc++
          break
        case 'progress':
          pc = slots[instruction.slot] === at ? instruction.out : pc + 1
          break
        case 'group set':
          pc = (slots[instruction.index * 2 + 1] ?? -1) >= 0 ? pc + 1 : instruction.otherwise
          break
        case 'reference': {
          const length = this.repeated(instruction.index, instruction.caseless, at)
          good = length >= 0
          at += length
          pc++
          break
        }
        case 'atomic': {
          const end = this.run(pc + 1, at)
          if (this.spent) return -1
          good = end >= 0
          at = end
          pc = instruction.next
          break
        }
        case 'look':
          good = this.looks(pc + 1, at, instruction.behind) !== instruction.negative
          if (this.spent) return -1
          pc = instruction.next
          break
        case 'match':
          this.keepOnlySlots(base)
          return at
      }
      if (good) continue
      // Back to the last choice.
      for (;;) {
        if (this.top <= base) return -1
        const value = this.stack[--this.top] ?? 0
        const place = this.stack[--this.top] ?? 0
        if (place >= 0) {
          pc = place
          at = value
          break
        }
        slots[-1 - place] = value
      }
    }
  }

  private push(place: number, value: number): void {
    if (this.top + 2 > this.stack.length) {
      sharedStack = new Int32Array(this.stack.length * 2)
      sharedStack.set(this.stack)
      this.stack = sharedStack
    }
    this.stack[this.top++] = place
    this.stack[this.top++] = value
  }

  /** Forgets the choices since `base`, but not how to restore the slots. */
  private keepOnlySlots(base: number): void {
    const { stack } = this
    let kept = base
    for (let i = base; i < this.top; i += 2) {
      const place = stack[i] ?? 0
      if (place < 0) {
        stack[kept] = place
        stack[kept + 1] = stack[i + 1] ?? 0
        kept += 2
      }
    }
    this.top = kept
  }

  private looks(entry: number, at: number, behind: readonly number[] | undefined): boolean {
    if (behind === undefined) return this.run(entry, at) >= 0
    return behind.some((length) => length <= at && this.run(entry, at - length) === at)
  }

  private repeated(index: number, caseless: boolean, at: number): number {
    const start = this.slots[index * 2] ?? -1
    const end = this.slots[index * 2 + 1] ?? -1
    if (start < 0 || end < 0) return -1
    const text = this.subject.slice(start, end)
    const here = this.subject.slice(at, at + text.length)
    this.steps += text.length
    return here === text || (caseless && here.toLowerCase() === text.toLowerCase()) ? text.length : -1
  }

  private holds(what: Assertion, at: number): boolean {
    const { subject } = this
    const { length } = subject
    switch (what) {
      case 'start':
        return at === 0
      case 'end':
        return at === length
      case 'final':
        return at === length || (at === length - 1 && subject.charCodeAt(at) === 10)
      case 'line start':
        return at === 0 || (subject.charCodeAt(at - 1) === 10 && at < length)
      case 'line end':
        return at === length || subject.charCodeAt(at) === 10
      case 'word':
        return this.boundary(at)
      case 'not word':
        return !this.boundary(at)
    }
  }

  private boundary(at: number): boolean {
    const before = at > 0 && isWordByte(this.subject.charCodeAt(at - 1))
    const after = at < this.subject.length && isWordByte(this.subject.charCodeAt(at))
    return before !== after
  }
}
