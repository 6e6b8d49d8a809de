/**
 * Where the parts of an installed Postern stand on a host. Paths are those the running system will see; under a
 * prefix (as `make install DESTDIR=...` has it) `inRoot` says where they are written.
 */
import { join } from 'node:path'

export const installed = {
  user: 'postern',
  configurationFolder: '/etc/postern',
  configuration: '/etc/postern/postern.conf',
  spool: '/var/spool/postern',
  drop: '/var/spool/postern-drop',
  logs: '/var/log/postern',
  state: '/var/lib/postern',
  /** The daemon's, or systemd's: pid file and sockets. */
  running: '/run/postern',
  pidFile: '/run/postern/postern.pid',
  manifest: '/var/lib/postern/installed.json',
  unit: '/etc/systemd/system/postern.service',
  unitName: 'postern.service',
  logrotate: '/etc/logrotate.d/postern',
  command: '/usr/local/sbin/postern',
} as const

/** Names under which other programs look for a mail system, with the places where Debian's packages put them. */
export const sendmailNames = [
  '/usr/sbin/sendmail',
  '/usr/lib/sendmail',
  '/usr/bin/mailq',
  '/usr/bin/newaliases',
  '/usr/sbin/rmail',
] as const

/** Exim's other programs, taken with --as-sendmail where the name is free. */
export const eximTools = [
  '/usr/sbin/exiwhat',
  '/usr/sbin/exinext',
  '/usr/sbin/exiqgrep',
  '/usr/sbin/exiqsumm',
  '/usr/sbin/exipick',
  '/usr/sbin/exim_dbmbuild',
  '/usr/sbin/exim_dumpdb',
  '/usr/sbin/exim_fixdb',
  '/usr/sbin/exim_tidydb',
  '/usr/sbin/rsmtp',
  '/usr/sbin/runq',
] as const

/** With --as-exim these too, and the names above even where another program has them. */
export const eximNames = ['/usr/sbin/exim', '/usr/sbin/exim4'] as const

export function inRoot(prefix: string, path: string): string {
  return prefix === '/' ? path : join(prefix, path)
}
