/** Rows of a table as README.md has them. */

export function table(names: readonly string[]): void {
  console.log(`\n| ${names.join(' | ')} |\n|${names.map(() => '---').join('|')}|`)
}

export function row(cells: readonly string[]): void {
  console.log(`| ${cells.join(' | ')} |`)
}

/** `12 ms`, `3.4 s`. */
export function milliseconds(ms: number): string {
  return ms < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`
}
