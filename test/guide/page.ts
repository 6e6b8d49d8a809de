/**
 * A page of the guide as its walk sees it: the blocks of commands, configuration and output, in their order. Every
 * block has to be taken; one that cannot be followed here says why in the page's source, in a comment before it:
 * `<!-- not run: WHY -->`.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '../support/server.ts'

export interface Block {
  /** Without its indentation; ends with a line end. */
  readonly text: string
  /** Of the page. */
  readonly line: number
  /** What stands after the fence: `js`. */
  readonly language: string
  /** Why it is not run. */
  readonly notRun: string | undefined
}

export function readBlocks(markdown: string): Block[] {
  const lines = markdown.split('\n')
  const blocks: Block[] = []
  let notRun: string | undefined
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const comment = /^\s*<!-- not run: (.+) -->$/.exec(line)?.[1]
    if (comment !== undefined) notRun = comment
    const fence = /^```(\w*)$/.exec(line)
    const begins = fence !== null || (/^ {4}/.test(line) && (lines[at - 1] ?? '').trim() === '')
    if (!begins) {
      if (line.trim() !== '' && comment === undefined) notRun = undefined
      continue
    }
    let end = at + 1
    if (fence !== null) while (lines[end] !== '```') end++
    else while (end < lines.length && /^(?: {4}|\s*$)/.test(lines[end] ?? '')) end++
    const inside = lines.slice(fence === null ? at : at + 1, end)
    while (inside.at(-1)?.trim() === '') inside.pop()
    const depth = Math.min(...inside.filter((each) => each.trim() !== '').map((each) => each.search(/\S/)))
    const text = `${inside.map((each) => each.slice(fence === null ? depth : 0)).join('\n')}\n`
    blocks.push({ text, line: at + 1, language: fence?.[1] ?? '', notRun })
    notRun = undefined
    at = fence === null ? end - 1 : end
  }
  return blocks
}

export class Page {
  readonly name: string
  readonly #left: Block[]

  constructor(name: string) {
    this.name = name
    const text = readFileSync(join(repository, 'docs', 'guide', name), 'utf8')
    this.#left = readBlocks(text).filter(({ notRun }) => notRun === undefined)
  }

  /** The next block, which holds these words: the walk and the page must not lose each other. */
  take(...words: readonly string[]): string {
    const block = this.#left.shift()
    assert.ok(block !== undefined, `${this.name}: there is no block with ${words.join(', ')} any more`)
    for (const word of words)
      assert.ok(
        block.text.includes(word),
        `${this.name}:${block.line}: here a block with "${word}" is expected, not\n${block.text}`,
      )
    return block.text
  }

  end(): void {
    const [first] = this.#left
    assert.equal(first, undefined, `${this.name}:${first?.line}: this block is not followed\n${first?.text}`)
  }
}

/** Commands (after `$ `) with what they print; lines before the first are a command of their own. */
export function commandsOf(block: string): { readonly command: string; readonly prints: string }[] {
  const found: { command: string; prints: string }[] = []
  let goesOn = false
  for (const line of block.split('\n').slice(0, -1)) {
    const last = found.at(-1)
    if (line.startsWith('$ ')) found.push({ command: line.slice(2), prints: '' })
    else if (last === undefined) throw new Error(`no command before: ${line}`)
    else if (goesOn) last.command += `\n${line}`
    else last.prints += `${line}\n`
    goesOn = line.endsWith('\\') && (line.startsWith('$ ') || goesOn)
  }
  return found
}

/** What is another one each time, and the expression for it. */
export type Changing = readonly (readonly [RegExp, string])[]

/** Of a block with one command. */
export function commandOf(block: string): { readonly command: string; readonly prints: string } {
  const [first] = commandsOf(block)
  if (first === undefined) throw new Error(`no command in\n${block}`)
  return first
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

/** What is another one each time: message ids, times, sizes, process numbers. */
const changing: Changing = [
  [
    /\b\d[0-9A-Za-z]{5}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}\b|\b1xX\.\.\./,
    '\\d[0-9A-Za-z]{5}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}',
  ],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/, '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z'],
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d'],
  [
    /\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d \+0000/,
    '\\w{3}, \\d{1,2} \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d [-+]\\d{4}',
  ],
  [/\d{1,2}-\w{3}-\d{4} \d\d:\d\d:\d\d/, '\\d{1,2}-\\w{3}-\\d{4} \\d\\d:\\d\\d:\\d\\d'],
  [/\bpid[= ]\d+/, 'pid[= ]\\d+'],
  [/"pid":\d+/, '"pid":\\d+'],
  [/\bS=\d+/, 'S=\\d+'],
  [/\bid=[^\s"]+/, 'id=\\S+'],
  [/\(\d+ ms\)/, '\\(\\d+ ms\\)'],
  [/\b\d+ msec\b/, '\\d+ msec'],
  [/\b\d+\.\d\d s\b/, '\\d+\\.\\d\\d s'],
  [/\.\.\./, '.*'],
  [/\s{2,}/, '\\s+'],
]
/** A line of the page as an expression that takes the same line of another day. */
export function lineOf(text: string, more: Changing = []): RegExp {
  const all = [...more, ...changing]
  const any = new RegExp(all.map(([pattern]) => `(${pattern.source})`).join('|'))
  let rest = text.trim()
  let source = ''
  for (let found = any.exec(rest); found !== null; found = any.exec(rest)) {
    const which = found.slice(1).findIndex((group) => group !== undefined)
    source += escaped(rest.slice(0, found.index)) + (all[which]?.[1] ?? escaped(found[0]))
    rest = rest.slice(found.index + found[0].length)
  }
  return new RegExp(source + escaped(rest))
}

/** Each line of the block stands in `seen`, in this order. A line `...` stands for any number of lines. */
export function assertShown(block: string, seen: string, more: Changing = []): void {
  const lines = seen.split('\n')
  let at = 0
  for (const line of block.split('\n')) {
    if (line.trim() === '' || line.trim() === '...') continue
    const wanted = lineOf(line, more)
    const found = lines.findIndex((each, index) => index >= at && wanted.test(each))
    assert.ok(
      found >= 0,
      `the page shows\n    ${line}\nas ${wanted}; seen from there on was\n${lines.slice(at).join('\n')}`,
    )
    at = found + 1
  }
}

/** As one text without its line ends: for output that the page breaks into shorter lines. */
export function assertFlows(block: string, seen: string, more: Changing = []): void {
  const flat = (text: string): string => text.replace(/\s+/g, ' ').trim()
  const wanted = lineOf(flat(block), more)
  assert.match(flat(seen), wanted)
}
