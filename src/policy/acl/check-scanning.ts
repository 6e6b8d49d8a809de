/** Findings about content scanning that need no run: scanners that are not spoken to, options and patterns that are none. */
import type { Report } from '../../base/diagnostic.ts'
import type { Expandable } from '../../base/expandable.ts'
import { parseInterval } from '../../base/interval.ts'
import { compileRegex } from '../../base/regex.ts'
import type { Configuration } from '../../language/config/configuration.ts'
import { refusal, refusedScanners, scanners, working } from '../scanning/malware/index.ts'
import { readSpamServer } from '../scanning/spam/servers.ts'
import type { Acl, Clause } from './statement.ts'

export function reportScanning(acl: Acl, configuration: Configuration, report: Report): void {
  for (const clause of acl.statements.flatMap(({ clauses }) => clauses)) {
    switch (clause.row.name) {
      case 'malware':
        reportMalware(clause, configuration, report)
        break
      case 'spam':
        reportServers(configuration, report)
        break
      case 'regex':
      case 'mime_regex':
        reportPatterns(clause, report)
        break
      default:
    }
  }
}

function isConstant(text: string): boolean {
  return !/[$\\]/.test(text)
}

function reportMalware({ argument, at }: Clause, { main, mainSetAt }: Configuration, report: Report): void {
  reportOptions(argument, report)
  const { text } = main.av_scanner
  if (text.startsWith('$')) return
  const span = mainSetAt.get('av_scanner')
  if (span === undefined)
    report({
      code: 'av-scanner-unset',
      severity: 'warning',
      message: `av_scanner is not set: the default ${text} is asked`,
      at,
      help: 'clamd is asked with av_scanner = clamd:/run/clamav/clamd.ctl',
    })
  const type = (text.split(':', 1)[0] ?? '').trim()
  if (scanners.some(({ name }) => name === type) || text.trimStart().startsWith('<')) return
  const known = refusedScanners.includes(type)
  report({
    code: known ? 'acl-not-working' : 'av-scanner-unknown',
    severity: 'error',
    message: known ? refusal(type) : `unknown scanner type '${type}'`,
    at: span ?? at,
    help: `the types ${working} can be asked`,
    // What it guards would be deferred for ever.
    fatal: known,
  })
}

function reportOptions(argument: Expandable, report: Report): void {
  const { text } = argument
  if (!isConstant(text) || text.trimStart().startsWith('<')) return
  const [pattern = '', ...options] = text.split('/').map((each) => each.trim())
  for (const option of options) {
    const time = /^tmo=(.*)$/.exec(option)?.[1]
    if (option.toLowerCase() === 'defer_ok' || (time !== undefined && parseInterval(time) !== undefined))
      continue
    // A doubled slash stands for one in the pattern.
    if (text.includes('//')) continue
    report({
      code: 'acl-malware-option',
      severity: 'warning',
      message: `"${option}" is no option of malware: it has no effect`,
      at: argument.span(),
      help: 'the options are defer_ok and tmo=INTERVAL',
    })
  }
  if (/^(?:|0|1|\*|true|false)$/i.test(pattern) || text.includes('//')) return
  const compiled = compileRegex(pattern)
  if ('error' in compiled) reportRegex(pattern, compiled, argument, report)
}

function reportRegex(
  pattern: string,
  { error, at }: { readonly error: string; readonly at: number },
  argument: Expandable,
  report: Report,
): void {
  report({
    code: 'regex',
    severity: 'error',
    message: `regular expression error in '${pattern}': ${error} at offset ${at}`,
    at: argument.span(),
  })
}

function reportPatterns({ argument }: Clause, report: Report): void {
  const { text } = argument
  if (!isConstant(text) || text.trimStart().startsWith('<') || text.includes('::')) return
  for (const item of text.split(':').map((each) => each.trim())) {
    const compiled = compileRegex(item)
    if ('error' in compiled) reportRegex(item, compiled, argument, report)
  }
}

function reportServers({ main, mainSetAt }: Configuration, report: Report): void {
  const { text } = main.spamd_address
  const at = mainSetAt.get('spamd_address')
  if (at === undefined || text.startsWith('$') || text.trimStart().startsWith('<')) return
  // A doubled colon stands for one of an IPv6 address.
  for (const item of text.replaceAll('::', '\0').split(':')) {
    const server = readSpamServer(item.replaceAll('\0', ':').trim())
    if (!('problem' in server) || item.trim() === '') continue
    report({ code: 'spamd-address', severity: 'error', message: server.problem, at })
  }
}
