/** Postern's own commands: `postern start` and so on. */
import type { Command } from '../call.ts'

interface CommandRow {
  /** One sentence for `postern --help`. */
  readonly doc: string
  load(): Promise<Command>
}

export const commands: Readonly<Record<string, CommandRow>> = {
  check: {
    doc: 'Reads a configuration and tells every mistake in it, with its place.',
    load: () => import('./check.ts'),
  },
  dbmbuild: {
    doc: 'Makes a file for dbm or cdb lookups from one in the form of lsearch: dbmbuild SOURCE FILE.',
    load: () => import('./dbmbuild.ts'),
  },
  dmarc: {
    doc: 'DMARC reports: sends those that are due, shows what is collected, takes in what others sent.',
    load: () => import('./dmarc.ts'),
  },
  explain: {
    doc: 'Plays a session and tells why each command is answered as it is, with the lines that decide.',
    load: () => import('./explain.ts'),
  },
  exim_dbmbuild: {
    doc: 'The same as dbmbuild, by the name that it has with Exim.',
    load: () => import('./dbmbuild.ts'),
  },
  exim_dumpdb: {
    doc: 'Prints a hints database: exim_dumpdb [-z] [-k] SPOOL NAME.',
    load: () => import('../exim-tools/exim_dumpdb.ts'),
  },
  exim_fixdb: {
    doc: 'Looks at records of a hints database and changes them, in a dialogue.',
    load: () => import('../exim-tools/exim_fixdb.ts'),
  },
  exim_tidydb: {
    doc: 'Removes what is old from a hints database: exim_tidydb [-t TIME] SPOOL NAME.',
    load: () => import('../exim-tools/exim_tidydb.ts'),
  },
  exinext: {
    doc: 'When a domain, an address, a host or a message is tried next.',
    load: () => import('../exim-tools/exinext.ts'),
  },
  exipick: {
    doc: 'Lists messages of the queue by criteria on their variables.',
    load: () => import('../exim-tools/exipick.ts'),
  },
  exiqgrep: {
    doc: 'Lists messages of the queue by sender, recipient, size, age or state.',
    load: () => import('../exim-tools/exiqgrep.ts'),
  },
  exiqsumm: {
    doc: 'Sums up what -bp prints, by domain.',
    load: () => import('../exim-tools/exiqsumm.ts'),
  },
  exiwhat: {
    doc: 'What each process of this program is doing now.',
    load: () => import('../exim-tools/exiwhat.ts'),
  },
  'explain-code': {
    doc: 'Says what stands behind the code of a finding of check.',
    load: () => import('./explain-code.ts'),
  },
  health: {
    doc: 'Asks the daemon whether it serves: one line, and exit code 0 or 1.',
    load: () => import('./health.ts'),
  },
  install: {
    doc: 'Makes Postern a service of this host: user, folders, systemd unit; --dry-run tells what it would do.',
    load: () => import('./install.ts'),
  },
  log: {
    doc: 'Follows one message through everything it left in the logs, rotated ones too, and the reports about it.',
    load: () => import('./log.ts'),
  },
  migrate: {
    doc: "Reads an Exim's configuration, reports what runs and what does not, and writes one for Postern.",
    load: () => import('./migrate.ts'),
  },
  'ocsp-fetch': {
    doc: 'Fetches an OCSP proof for a certificate, verifies it and puts it in a file: ocsp-fetch -c CERT -o FILE.',
    load: () => import('./ocsp-fetch.ts'),
  },
  reload: {
    doc: 'The daemon takes up a changed configuration, or with --binary a new version of this program; no session is cut.',
    load: () => import('./reload.ts'),
  },
  queue: {
    doc: 'Finds messages of the queue; freezes, thaws, retries, removes or bounces all that are found.',
    load: () => import('./queue.ts'),
  },
  replay: {
    doc: 'Plays recorded sessions with another configuration and tells which decisions differ.',
    load: () => import('./replay.ts'),
  },
  spool: {
    doc: "Writes the queue as Exim's own spool files, or takes such files in: spool export|import DIR.",
    load: () => import('./spool.ts'),
  },
  start: {
    doc: 'Runs the daemon in the foreground with a configuration that works at once.',
    load: () => import('./start.ts'),
  },
  test: {
    doc: 'Runs the tests that stand beside a configuration, offline, and tells what is not as they expect.',
    load: () => import('./test.ts'),
  },
  top: {
    doc: 'Shows flow, queue, slow hosts, senders and refusals with the line that decided, live at a terminal.',
    load: () => import('./top.ts'),
  },
  uninstall: {
    doc: 'Takes back what install did; queue, logs and settings stay without --purge.',
    load: () => import('./uninstall.ts'),
  },
  version: {
    doc: 'Tells what this is; --record and --check tell whether a configuration means the same to another version.',
    load: () => import('./version.ts'),
  },
  tlsrpt: {
    doc: 'Shows what became of TLS with other domains, as reports of RFC 8460 in JSON.',
    load: () => import('./tlsrpt.ts'),
  },
}

/** Programs that come with Exim: called by their own names they are these commands. */
export const namedPrograms: readonly string[] = Object.keys(commands).filter((name) =>
  /^(?:exim_|exi)/.test(name),
)
