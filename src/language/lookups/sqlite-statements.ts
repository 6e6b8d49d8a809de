/** Takes SQL text of several statements apart, since SQLite's interfaces take one at a time. */

export interface SqliteStatement {
  readonly sql: string
  /** Whether it changes rows and gives none. */
  readonly changes: boolean
}

/** Literals, names in quotes and comments. */
const quoted = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g

export function readStatements(sql: string): SqliteStatement[] {
  // Same length, so that places stay.
  const bare = sql.replace(quoted, (text) => ' '.repeat(text.length))
  // The body of a trigger holds semicolons.
  const ends = /^\s*create\s+(?:temp(?:orary)?\s+)?trigger\b/i.test(bare) ? [] : [...bare.matchAll(/;/g)]
  const statements: SqliteStatement[] = []
  let from = 0
  for (const end of [...ends.map(({ index }) => index), sql.length]) {
    const words = bare.slice(from, end)
    const text = sql.slice(from, end)
    if (words.trim() !== '') statements.push({ sql: text, changes: changesRows(words) })
    from = end + 1
  }
  return statements
}

function changesRows(words: string): boolean {
  return (
    /^\s*(?:insert|update|delete|replace)\b/i.test(words) ||
    /^\s*with\b[\s\S]*\b(?:insert\s+into|update|delete\s+from|replace\s+into)\b/i.test(words)
  )
}
