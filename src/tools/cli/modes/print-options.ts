/** `-bP`: prints settings. Source: Exim manual, "-bP". */
import { printConfiguration } from '../../../language/config/print.ts'
import { collectRegistries } from '../../../server/registries.ts'
import { eximVersion } from '../../../server/version.ts'
import type { ServerCall } from '../call.ts'
import { has, operands } from '../parse.ts'

export function run({ invocation, server, terminal, rights }: ServerCall): number {
  const { facts } = server
  const effective = new Map([
    ['exim_path', facts.eximPath],
    ['exim_user', server.user.name],
    ['log_file_path', server.logPaths.join(' : ')],
    ['pid_file_path', server.pidFilePath],
    ['primary_hostname', facts.primaryHostname],
    ['qualify_domain', facts.qualifyDomain],
    ['qualify_recipient', facts.qualifyRecipient],
    ['spool_directory', facts.spoolDirectory],
  ])
  const { output, complaint, exitCode } = printConfiguration({
    configuration: server.configuration,
    registries: collectRegistries(),
    names: operands(invocation),
    admin: rights.admin,
    nameless: has(invocation, '-n'),
    effective,
    groupOf: (user) => {
      const account = /^\d+$/.test(user) ? undefined : server.accounts.byName(user)
      return account === undefined ? undefined : server.accounts.groupByGid(account.gid)?.name
    },
    environment: keptEnvironment(server.settings.keep_environment, server.settings.add_environment),
    version: eximVersion,
  })
  terminal.out(output)
  if (complaint !== '') terminal.err(complaint.endsWith('\n') ? complaint : `${complaint}\n`)
  return exitCode
}

/** What `keep_environment` and `add_environment` leave. Source: Exim manual, "keep_environment". */
function keptEnvironment(
  keep: readonly string[] | undefined,
  add: readonly string[] | undefined,
): Record<string, string> {
  const kept = (name: string): boolean =>
    (keep ?? []).some((item) =>
      item.startsWith('^') ? new RegExp(item).test(name) : item === name || item === '*',
    )
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && kept(name)) environment[name] = value
  }
  for (const item of add ?? []) {
    const at = item.indexOf('=')
    if (at > 0) environment[item.slice(0, at)] = item.slice(at + 1)
  }
  return environment
}
