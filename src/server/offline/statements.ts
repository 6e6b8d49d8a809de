/** Every statement and router of a configuration with its place and text, and which of them sessions have reached. */
import { locate } from '../../base/diagnostic.ts'
import { Noted } from '../../base/noted.ts'
import { decodeUtf8 } from '../../base/text.ts'
import type { Configuration } from '../../language/config/configuration.ts'
import { parseAcl } from '../../policy/acl/parse.ts'
import type { Trace } from '../../ports.ts'

export interface Piece {
  readonly kind: 'statement' | 'router'
  /** The ACL's or the router's name. */
  readonly name: string
  readonly file: string
  readonly line: number
  /** `deny: domains = +local_domains; message = ...`, or the driver. */
  readonly text: string
}

export function piecesOf(configuration: Configuration): Piece[] {
  const statements = [...configuration.acls.values()].flatMap((source) =>
    parseAcl(
      source.name,
      source.lines.map(({ text }) => text),
    ).statements.map(
      ({ verb, clauses, file, line }): Piece => ({
        kind: 'statement',
        name: source.name,
        file: decodeUtf8(file),
        line,
        text: decodeUtf8(
          `${verb} ${clauses.map(({ shown, argument }) => `${shown.replace(/^check /, '')} = ${argument.text}`).join('; ')}`.trim(),
        ),
      }),
    ),
  )
  const routers = configuration.routers.map(({ name, driver, at }): Piece => {
    const { file, line } = locate(at)
    return { kind: 'router', name, file: decodeUtf8(file), line, text: driver }
  })
  return [...statements, ...routers]
}

export function pieceKey({ kind, name, file, line }: Pick<Piece, 'kind' | 'name' | 'file' | 'line'>): string {
  return kind === 'router' ? `router ${name}` : `${file}:${line}`
}

/** A statement that did not hand on to the next one. */
export interface Ended {
  readonly file: string
  readonly line: number
  readonly verb: string
  readonly result: string
}

/** Notes what sessions reach; keeps nothing else of their steps. */
export class Watch implements Trace {
  readonly reached = new Set<string>()
  /** Of the command at hand, in the order in which they ended. */
  ended: Ended[] = []

  begin(...[kind, what, at]: Parameters<Trace['begin']>): Trace {
    if (kind === 'router') {
      this.reached.add(`router ${what}`)
      return this
    }
    const place = at instanceof Noted ? at.at : at
    if (kind !== 'statement' || place === undefined || !('file' in place)) return this
    const { line } = place
    const file = decodeUtf8(place.file)
    const verb = at instanceof Noted ? at.text : what
    this.reached.add(`${file}:${line}`)
    return {
      begin: (...inner) => this.begin(...inner),
      note: () => undefined,
      end: (result) => {
        if (result !== 'goes on') this.ended.push({ file, line, verb, result })
      },
    }
  }

  /** The end of an ACL that nothing accepted stands at its last statement. */
  note(...[kind, what, result, at]: Parameters<Trace['note']>): void {
    this.begin(kind, what, at).end(result)
  }

  end(): void {}
}
