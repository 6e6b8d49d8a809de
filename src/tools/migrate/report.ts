/** The short report of `postern migrate`: what runs unchanged, what behaves otherwise, what does not run. */
import { type Diagnostic, locate } from '../../base/diagnostic.ts'
import { placeName } from '../../base/diagnostic-frame.ts'
import { decodeUtf8 } from '../../base/text.ts'
import type { Configuration } from '../../language/config/configuration.ts'
import { mainOptions } from '../../language/config/options/main.ts'
import type { OptionTable } from '../../language/config/options/table.ts'

export interface MigrationReport {
  readonly unchanged: readonly string[]
  readonly otherwise: readonly string[]
  readonly unsupported: readonly string[]
}

export function migrationReport(configuration: Configuration, found: readonly Diagnostic[]): MigrationReport {
  const { routers, transports, authenticators, acls, retry, rewrite, namedLists, mainSetAt } = configuration
  const lists = Object.values(namedLists).reduce((sum, each) => sum + each.size, 0)
  const table: OptionTable = mainOptions
  const noEffect = [...mainSetAt].flatMap(([name, at]) => {
    const why = table[name]?.noEffect
    return why === undefined ? [] : [`${placeName(locate(at))}: ${name} has no effect: ${why}`]
  })
  const told = (severity: string): string[] =>
    found
      .filter((each) => each.severity === severity)
      .map(
        ({ at, message, code }) =>
          `${at === undefined ? '' : `${placeName(locate(at))}: `}${decodeUtf8(message)} [${code}]`,
      )
  return {
    unchanged: [
      `${mainSetAt.size} main options`,
      `${lists} named lists`,
      `${acls.size} ACLs`,
      `${routers.length} routers`,
      `${transports.size} transports`,
      `${authenticators.length} authenticators`,
      `${retry.length} retry rules`,
      `${rewrite.length} rewriting rules`,
    ],
    otherwise: [...told('warning'), ...noEffect],
    unsupported: told('error'),
  }
}

export function renderReport({ unchanged, otherwise, unsupported }: MigrationReport): string {
  const part = (title: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `\n${title}\n${lines.map((line) => `  ${line}\n`).join('')}`
  return [
    `Read and understood: ${unchanged.join(', ')}.\n`,
    part('Behaves otherwise, or is worth a look:', otherwise),
    part('Does not run:', unsupported),
    otherwise.length + unsupported.length === 0 ? 'All of it runs unchanged.\n' : '',
  ].join('')
}
