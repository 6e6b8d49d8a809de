/**
 * What `postern check` looks for beyond what reading and starting find: mistakes that Exim would show when mail
 * arrives, and settings that do something else than they seem to.
 */
import type { Diagnostic } from '../../../base/diagnostic.ts'
import type { Configuration } from '../../../language/config/configuration.ts'
import { aclNames } from './acl-names.ts'
import { aclVariables } from './acl-variables.ts'
import { authenticators } from './authenticators.ts'
import { conditionValues } from './conditions.ts'
import { constantExpansions } from './constant-expansions.ts'
import { constantValues } from './constant-values.ts'
import { dataVariables } from './data-variables.ts'
import { databaseServers } from './database-servers.ts'
import { deliveries } from './deliveries.ts'
import { dnsdbQueries } from './dnsdb-types.ts'
import { earlyVariables } from './early-variables.ts'
import { evalOutside } from './eval-outside.ts'
import { missingFiles } from './files.ts'
import { headersAdded } from './headers-added.ts'
import { listItems } from './list-items.ts'
import { lostBackslashes } from './lost-backslashes.ts'
import { negativeNumbers } from './negative-numbers.ts'
import { listNames } from './list-names.ts'
import { openRelay } from './open-relay.ts'
import { perlStartup } from './perl-startup.ts'
import { redisNil } from './redis-nil.ts'
import { regularExpressions } from './regular-expressions.ts'
import { negatedResults } from './result-lists.ts'
import { routes } from './routes.ts'
import { rules } from './rules.ts'
import { senderChecks } from './sender-checks.ts'
import { type Check, type HostView, makeSubject } from './subject.ts'
import { taint } from './taint.ts'
import { taintedLists } from './taint-lists.ts'
import { tlsFiles } from './tls-files.ts'
import { unverifiedOcsp } from './transports.ts'
import { unreachedRouters } from './unreached-routers.ts'
import { userOutside } from './user-outside.ts'
import { oldVariables, unsetVariables } from './variables.ts'

/** Sorted by name. */
export const checks: readonly Check[] = [
  aclNames,
  aclVariables,
  authenticators,
  conditionValues,
  constantExpansions,
  constantValues,
  dataVariables,
  databaseServers,
  deliveries,
  dnsdbQueries,
  earlyVariables,
  evalOutside,
  headersAdded,
  listItems,
  listNames,
  lostBackslashes,
  missingFiles,
  negatedResults,
  negativeNumbers,
  oldVariables,
  openRelay,
  perlStartup,
  redisNil,
  regularExpressions,
  routes,
  rules,
  senderChecks,
  taint,
  taintedLists,
  tlsFiles,
  unreachedRouters,
  unsetVariables,
  unverifiedOcsp,
  userOutside,
]

export function inspectConfiguration(configuration: Configuration, host: HostView): Diagnostic[] {
  const subject = makeSubject(configuration, host)
  const found: Diagnostic[] = []
  for (const check of checks) check.run(subject, (diagnostic) => found.push({ ...diagnostic, fatal: false }))
  return found
}
