/** `-bV`, `--version`: what this program is and has. Source: Exim manual, "-bV"; requirement G2. */
import { scanners } from '../../../policy/scanning/malware/index.ts'
import { buildValues } from '../../../server/build-table.ts'
import { supportLine } from '../../../server/features.ts'
import { workingNames } from '../../../server/registries.ts'
import { eximVersion, posternVersion } from '../../../server/version.ts'
import type { ServerCall } from '../call.ts'
import { calledAsExim } from '../calling-name.ts'
import { warn } from '../warnings.ts'

export function run(call: ServerCall): number {
  const { invocation, server, terminal } = call
  const names = workingNames()
  const first = calledAsExim(invocation.calledAs)
    ? `Exim version ${eximVersion} (Postern ${posternVersion})`
    : `Postern version ${posternVersion} (Exim ${eximVersion} configurations)`
  const lines = [
    first,
    `Node.js ${process.version}, OpenSSL ${process.versions.openssl}`,
    `Support for: ${supportLine()}`,
    `Lookups (built-in): ${names.lookups.join(' ')}`,
    `Authenticators:${names.authenticators.map((name) => ` ${name}`).join('')}`,
    `Routers: ${names.routers.join(' ')}`,
    `Transports: ${names.transports.join(' ')}`,
    `Malware: ${scanners.map(({ name }) => name).join(' ')}`,
    `Fixed never_users: ${buildValues.fixedNeverUsers.join(':')}`,
    `Configure owner: ${buildValues.configureOwner}:0`,
    'Size of off_t: 8',
    `Configuration file search path is ${buildValues.configurationFiles.join(':')}`,
    `Configuration file is ${server.configuration.file}`,
    `Spool directory is ${server.facts.spoolDirectory}`,
    `Log files are ${server.logPaths.join(' : ')}`,
    `Run-time user is ${server.user.name}`,
  ]
  terminal.out(`${lines.join('\n')}\n`)
  warn(call)
  return 0
}
