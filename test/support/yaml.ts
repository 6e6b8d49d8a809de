/** Reads as much YAML as the public SPF test suite is written in. */

export type Yaml = string | readonly Yaml[] | { readonly [key: string]: Yaml }

interface Line {
  readonly indent: number
  readonly text: string
}

/** The documents of a file, each begun by `---`. */
export function readYaml(text: string): Yaml[] {
  const documents: Line[][] = []
  for (const raw of text.split('\n')) {
    if (raw === '---') documents.push([])
    else documents.at(-1)?.push({ indent: raw.length - raw.trimStart().length, text: raw.trim() })
  }
  return documents.map((lines) => {
    const reader = new Reader(lines)
    const value = reader.block(0)
    if (!reader.done()) throw new Error(`YAML not understood: ${reader.peek()?.text}`)
    return value
  })
}

class Reader {
  private readonly lines: readonly Line[]
  private position = 0

  constructor(lines: readonly Line[]) {
    this.lines = lines
  }

  /** The next line that says something. */
  peek(): Line | undefined {
    for (;;) {
      const line = this.lines[this.position]
      if (line === undefined || (line.text !== '' && !line.text.startsWith('#'))) return line
      this.position++
    }
  }

  done(): boolean {
    return this.peek() === undefined
  }

  block(indent: number): Yaml {
    return this.peek()?.text.startsWith('-') === true ? this.list(indent) : this.map(indent)
  }

  private list(indent: number): Yaml[] {
    const items: Yaml[] = []
    for (let line = this.peek(); line?.indent === indent && line.text.startsWith('-'); line = this.peek()) {
      this.position++
      const rest = line.text.slice(1).trim()
      const pair = keyOf(rest)
      items.push(pair === undefined ? scalar(rest) : { [pair.key]: this.value(pair.rest, indent + 1) })
    }
    return items
  }

  private map(indent: number): Yaml {
    const map: Record<string, Yaml> = {}
    for (let line = this.peek(); line?.indent === indent; line = this.peek()) {
      const pair = keyOf(line.text)
      if (pair === undefined) throw new Error(`YAML key expected: ${line.text}`)
      this.position++
      if (Object.hasOwn(map, pair.key)) throw new Error(`YAML key twice: ${pair.key}`)
      map[pair.key] = this.value(pair.rest, indent + 1)
    }
    return map
  }

  /** What follows a key: on the line, folded below it, or a block. */
  private value(rest: string, least: number): Yaml {
    const next = this.peek()
    const below = next !== undefined && next.indent >= least
    if (rest === '') {
      return below ? this.block(next.indent) : ''
    }
    let whole = rest === '>-' ? '' : rest
    // Folded text and plain text that goes on below: lines join with spaces, empty ones are kept out.
    for (let line = this.lines[this.position]; line !== undefined; line = this.lines[this.position]) {
      if (line.text !== '' && line.indent < least) break
      this.position++
      whole += ` ${line.text}`
    }
    return rest === '>-' ? whole.trim() : scalar(whole.trim())
  }
}

function keyOf(text: string): { readonly key: string; readonly rest: string } | undefined {
  const match = /^("(?:[^"\\]|\\.)*"|'[^']*'|[^\s'"[][^"'[\]]*?):(?:\s+(.*))?$/.exec(text)
  if (match?.[1] === undefined) return undefined
  return { key: unquote(match[1]), rest: (match[2] ?? '').trim() }
}

function scalar(text: string): Yaml {
  if (!text.startsWith('[')) return unquote(text)
  const items = text.slice(1, -1).match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^,\s][^,]*/g) ?? []
  return items.map((item) => unquote(item.trim())).filter((item, i) => item !== '' || items[i] !== '')
}

function unquote(text: string): string {
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'")
  if (!text.startsWith('"')) return text
  return text.slice(1, -1).replaceAll(/\\(x[0-9a-fA-F]{2}|.)/g, (_, code: string) => {
    if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return { '0': '\0', n: '\n', r: '\r', t: '\t' }[code] ?? code
  })
}
