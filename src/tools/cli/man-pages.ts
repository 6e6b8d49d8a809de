/** Manual pages in roff, made from the tables that the program reads. */
import type { FlagRow } from './flag.ts'

export interface OptionRow {
  readonly type: string
  readonly default: unknown
  readonly doc: string
  /** Version since which it works; undefined: it does not yet. */
  readonly since?: string | undefined
}
export interface ManTables {
  readonly version: string
  readonly commands: Readonly<Record<string, { readonly doc: string }>>
  readonly flags: Readonly<Record<string, FlagRow>>
  readonly mainOptions: Readonly<Record<string, OptionRow>>
  readonly drivers: readonly {
    readonly kind: string
    readonly name: string
    readonly options: Readonly<Record<string, OptionRow>>
  }[]
  readonly files: readonly (readonly [path: string, doc: string])[]
}

/** Text that roff takes as it stands. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll(
      /[^\x20-\x7e\n]/g,
      (character) => `\\[u${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`,
    )
    .replaceAll(/^\./gm, '\\&.')
}

function page(
  name: string,
  section: number,
  tables: ManTables,
  sections: readonly (readonly [string, string])[],
): string {
  const head = `.\\" Generated from the tables by "npm run reference": do not edit.\n.TH ${name.toUpperCase()} ${section} "" "Postern ${tables.version}" "Postern"\n`
  return `${head}${sections.map(([title, body]) => `.SH ${title}\n${body}\n`).join('')}`
}

function item(head: string, text: string): string {
  return `.TP\n.B ${head}\n${text}`
}

/** postern(8). */
export function commandPage(tables: ManTables): string {
  const { commands, flags, files } = tables
  return page('postern', 8, tables, [
    ['NAME', 'postern \\- a mail transfer agent that runs Exim configuration files'],
    [
      'SYNOPSIS',
      '.B postern\n.I command\n.RI [ options ]\n.br\n.B postern\n.RI [ "flags of Exim" ]\n.br\n.BR exim ,\n.BR sendmail ,\n.BR mailq ,\n.BR newaliases ,\n.BR rmail ,\n.BR runq ,\n.B rsmtp\n.RI [ flags ]',
    ],
    [
      'DESCRIPTION',
      roff(
        'Postern takes mail by SMTP and from the command line, keeps it in a queue that survives being killed, and delivers it.\nIt reads Exim configuration files unchanged and has the command line of Exim. Called by the name of one of the programs that come\nwith Exim, it is that program.',
      ),
    ],
    [
      'COMMANDS',
      Object.entries(commands)
        .map(([name, { doc }]) => item(roff(name), roff(doc)))
        .join('\n'),
    ],
    [
      'FLAGS',
      Object.entries(flags)
        .map(([name, row]) =>
          item(roff(name), roff(row.refused === undefined ? row.doc : `${row.doc} Refused: ${row.refused}.`)),
        )
        .join('\n'),
    ],
    ['FILES', files.map(([path, doc]) => `.TP\n.I ${roff(path)}\n${roff(doc)}`).join('\n')],
    [
      'EXIT STATUS',
      '0 when all went well, 1 when something did not, 2 for a command of Postern\\(aqs own that was called wrongly.',
    ],
    ['SEE ALSO', '.BR postern.conf (5)'],
  ])
}

/** postern.conf(5). */
export function configurationPage(tables: ManTables): string {
  const rows = (options: Readonly<Record<string, OptionRow>>): string =>
    Object.entries(options)
      .map(([name, row]) =>
        item(
          roff(name),
          roff(
            `Type ${row.type}${defaultOf(row)}. ${row.doc}${row.since === undefined ? ' Does not work yet.' : ''}`,
          ),
        ),
      )
      .join('\n')
  const drivers = tables.drivers
    .map(({ kind, name, options }) => `.SS ${roff(`${kind} ${name}`)}\n${rows(options)}`)
    .join('\n')
  return page('postern.conf', 5, tables, [
    ['NAME', 'postern.conf \\- configuration of the mail transfer agent Postern'],
    [
      'DESCRIPTION',
      roff(
        'The file has the language of Exim 4: main options, then sections that begin with "begin acl", "begin routers", "begin transports",\n"begin retry", "begin rewrite" and "begin authenticators". postern check FILE tells every mistake in it, with its place.\nThe meaning of the language is in the manual of Exim; this page lists what Postern knows.',
      ),
    ],
    ['MAIN OPTIONS', rows(tables.mainOptions)],
    ['DRIVERS', drivers],
    ['SEE ALSO', '.BR postern (8)'],
  ])
}

function defaultOf({ default: value }: OptionRow): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return ', unset'
  if (typeof value === 'string') return `, default "${value}"`
  if (Array.isArray(value)) return `, default ${value.join(' : ')}`
  return typeof value === 'number' || typeof value === 'boolean' ? `, default ${value}` : ''
}
